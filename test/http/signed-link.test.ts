import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sign } from "../../cli/sign.ts";
import { createLinkAuthorise, LinkVerifier, signLink } from "../../src/http/signed-link.ts";

const secret = "0123456789abcdef0123456789abcdef";
const other = "fedcba9876543210fedcba9876543210";
const now = Date.UTC(2026, 10, 23);
const url = "https://edge.example/films/2026/a%20b.mp4?download=x&v=1";

async function fault(link: string, at = now, secrets = [secret]) {
  return new LinkVerifier(secrets).verify(new URL(link), at);
}

describe("signLink", () => {
  it("opens its path until it expires, and not a second longer", async () => {
    const link = await signLink(url, secret, { now, seconds: 60 });
    expect(link.startsWith(`${url}&edge-expires=`)).toBe(true);
    expect(await fault(link)).toBeUndefined();
    expect(await fault(link, now + 59_999)).toBeUndefined();
    expect(await fault(link, now + 60_000)).toBe("expired");
  });

  it("opens under every secret of the mount, first or not", async () => {
    const link = await signLink(url, secret, { now });
    for (const secrets of [
      [other, secret],
      [secret, other],
    ])
      expect(await fault(link, now, secrets)).toBeUndefined();
    expect(await fault(link, now, [other])).toBe("wrong signature");
  });

  it("opens a folder, and nothing beside it", async () => {
    const link = new URL(await signLink(url, secret, { now, scope: "/films/2026/" }));
    for (const path of ["/films/2026/a%20b.mp4", "/films/2026/", "/films/2026/x/y"]) {
      link.pathname = path;
      expect(await fault(link.href)).toBeUndefined();
    }
    for (const path of [
      "/films/2025/a",
      "/films/2026",
      "/",
      "/films/2026%2Fa",
      "/films/2026/../a",
    ]) {
      link.pathname = path;
      expect(await fault(link.href)).toBe("out of scope");
    }
    link.pathname = "/films/2026/x";
    link.searchParams.set("v", "2");
    expect(await fault(link.href)).toBeUndefined();
  });

  it.each([
    [{ seconds: 0 }, RangeError],
    [{ seconds: 604_801 }, RangeError],
    [{ seconds: 1.5 }, RangeError],
    [{ scope: "/other/" }, RangeError],
    [{ scope: "/films/20" }, RangeError],
  ])("refuses %j", async (options, kind) => {
    await expect(signLink(url, secret, options)).rejects.toThrow(kind);
  });

  it.each(["/files/a", "ftp://edge.example/files/a", "mailto:a@edge.example", "edge.example/a"])(
    "refuses what no client can ask of a Worker: %s",
    async (wrong) => {
      await expect(signLink(wrong, secret)).rejects.toThrow(/signed whole, as in https:/);
      expect((await run([wrong])).code).toBe(1);
    },
  );

  it("refuses short secrets and links that are signed already", async () => {
    await expect(signLink(url, "short")).rejects.toThrow(RangeError);
    await expect(signLink(await signLink(url, secret), secret)).rejects.toThrow(TypeError);
    await expect(signLink("/files/a", secret)).rejects.toThrow(TypeError);
    expect(() => new LinkVerifier(["short"])).toThrow(RangeError);
    expect(() => new LinkVerifier([])).toThrow(RangeError);
    await expect(signLink(url, undefined as never)).rejects.toThrow(/is it set/);
    expect(() => new LinkVerifier([undefined as never])).toThrow(/is it set/);
    expect(() => new LinkVerifier(secret as never)).toThrow(TypeError);
  });
});

describe("LinkVerifier", () => {
  it("refuses a link with anything changed", async () => {
    const link = await signLink(url, secret, { now });
    const change = (edit: (url: URL) => void) => {
      const changed = new URL(link);
      edit(changed);
      return changed.href;
    };
    const changes = [
      change((u) => (u.pathname = "/films/2026/b.mp4")),
      change((u) => (u.pathname = "/films/2026/a%2520b.mp4")),
      change((u) => (u.pathname = "/films/2026/%61%20b.mp4")),
      change((u) => u.searchParams.set("v", "2")),
      change((u) => u.searchParams.append("explain", "")),
      change((u) => u.searchParams.delete("download")),
      change((u) => u.searchParams.set("edge-expires", "99999999999")),
      change((u) => u.searchParams.set("edge-scope", "/")),
      change((u) => u.searchParams.append("edge-expires", "99999999999")),
      change((u) => u.searchParams.delete("edge-expires")),
      change((u) => u.searchParams.delete("edge-signature")),
      change((u) => u.searchParams.set("edge-signature", "")),
      `${link}A`,
      link.replace(/.$/, (last) => (last === "A" ? "B" : "A")),
    ];
    for (const changed of changes) expect(await fault(changed), changed).toBeDefined();
  });

  it("takes the query as it was spelled, as the store behind the mount does", async () => {
    for (const [own, ...others] of [
      ["k=1&k=2", "k=2&k=1", "k=1"],
      ["q=a%20b", "q=a+b"],
      ["flag", "flag=", "fl%61g"],
      ["a=%2f", "a=%2F", "a=/"],
      ["edge-scopes=1", "edge-scopes=2", "edge-expires-not"],
    ]) {
      const link = await signLink(`https://edge.example/a?${own}`, secret, { now });
      expect(await fault(link)).toBeUndefined();
      for (const other of others)
        expect(await fault(link.replace(`?${own}&`, `?${other}&`)), other).toBe("wrong signature");
    }
  });

  it("says no without telling why", async () => {
    const authorise = createLinkAuthorise([secret], () => now);
    const ask = (link: string) =>
      authorise({
        request: new Request(link),
        url: new URL(link),
        key: "",
        mount: { name: "films", prefix: "/films/", source: { open: async () => Promise.reject() } },
      });
    expect(await ask(await signLink(url, secret, { now }))).toBeUndefined();
    expect(await ask(url)).toMatchObject({ kind: "denied" });
  });
});

/** Runs the command with its output caught. */
async function run(
  argv: string[],
  env: Record<string, string> = { EDGE_READAHEAD_LINK_SECRET: secret },
) {
  let out = "";
  let err = "";
  const code = await sign(argv, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    env,
  });
  return { code, out, err };
}

describe("edge-readahead sign", () => {
  it("prints a link that opens", async () => {
    const { code, out } = await run(["--for", "10m", "--folder", "/films/", url]);
    expect(code).toBe(0);
    expect(await fault(out.trim(), Date.now() + 599_000)).toBeUndefined();
    expect(await fault(out.trim(), Date.now() + 601_000)).toBe("expired");
  });

  it("holds for an hour, and opens the folder that it is asked for", async () => {
    const now = Date.now();
    const { out } = await run([url]);
    expect(await fault(out.trim(), now + 3_599_000)).toBeUndefined();
    expect(await fault(out.trim(), now + 3_602_000)).toBe("expired");
    const folder = new URL((await run(["--folder", "/films/", url])).out.trim());
    folder.pathname = "/films/another.mp4";
    expect(await fault(folder.href, now)).toBeUndefined();
  });

  it("takes the secret from a file, without the line's end", async () => {
    const directory = await mkdtemp(join(tmpdir(), "edge-readahead-sign-"));
    try {
      const file = join(directory, "secret");
      await writeFile(file, `${secret}\n`);
      const { out } = await run(["--secret-file", file, url], {});
      expect(await fault(out.trim(), Date.now())).toBeUndefined();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it.each([[[]], [["--for", "1y", url]], [["--nothing"]], [[url, url]]])(
    "explains itself for %j",
    async (argv) => {
      const { code, err } = await run(argv);
      expect(code).toBe(2);
      expect(err).toContain("Usage: edge-readahead sign");
    },
  );

  it("fails without a secret, and names the variable", async () => {
    const { code, err } = await run([url], {});
    expect(code).toBe(1);
    expect(err).toContain("EDGE_READAHEAD_LINK_SECRET");
  });
});
