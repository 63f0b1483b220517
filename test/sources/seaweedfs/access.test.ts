/** Who is asked, with what token, and who is never asked. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import { createTokenSigner, tokenExpiry } from "../../../src/sources/seaweedfs/token.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import type { Reply } from "../../support/seaweedfs/http-server.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { readKey } from "../../support/seaweedfs/read-object.ts";
import { cluster, expectReadable, sourceOf, start, useCluster } from "./one-object.ts";

useCluster();

describe("tokens", () => {
  beforeEach(() => start({ volumeKey: "volume", filerKey: "filer" }));

  it("are signed for the filer and for every file id", async () => {
    await expectReadable(sourceOf({ filerTokenSecret: "filer", volumeTokenSecret: "volume" }));
  });

  it("come from the master where the mount says so", async () => {
    await expectReadable(sourceOf({ filerTokenSecret: "filer", volumeTokenFromMaster: true }));
    expect(cluster.masters[0]?.seen.every((seen) => seen.target.includes("read=yes"))).toBe(true);
  });

  it("of the master are asked for anew before they end, however long lookups are believed", async () => {
    let now = Date.now();
    const source = sourceOf({
      filerTokenSecret: "filer",
      volumeTokenFromMaster: true,
      lookupTtlMs: 600_000,
      now: () => now,
    });
    const asked = () => cluster.masters[0]?.seen.length ?? 0;
    await expectReadable(source);
    const first = asked();
    now += 50_000;
    await expectReadable(source);
    expect(asked()).toBe(first);
    // The tokens end 60 s after they were signed.
    now += 8_000;
    await expectReadable(source);
    expect(asked()).toBe(2 * first);
  });

  it("follow a server whose clock is ahead of ours", async () => {
    const behind = () => Date.now() - 3_600_000;
    const secrets = { filerTokenSecret: "filer", volumeTokenSecret: "volume" };
    await expectReadable(sourceOf({ ...secrets, now: behind }));
  });

  it("do not follow a clock of another year: they would live as long", async () => {
    const signer = createTokenSigner("filer", () => Date.UTC(2026, 0, 1));
    const date = new Date(Date.UTC(2099, 0, 1)).toUTCString();
    const first = await signer.forFiler();
    expect(signer.refused(new Headers({ date }), `Bearer ${first}`)).toBe(false);
    expect(tokenExpiry(await signer.forFiler())).toBe(tokenExpiry(first));
  });

  it("are corrected for all requests that a clock ten minutes behind had refused at once", async () => {
    const size = 10_000;
    putObject(cluster, "/buckets/b/o", { size, chunkBytes: 1_000 });
    const source = sourceOf({
      root: "/buckets",
      filerTokenSecret: "filer",
      volumeTokenSecret: "volume",
      now: () => Date.now() - 600_000,
    });
    // The bucket and the key are asked for side by side, and so are the first parts of every reader.
    const readers = Array.from({ length: 4 }, () => downloadKey(source, "b/o"));
    for (const { bytes } of await Promise.all(readers))
      expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
  });

  it("that are missing or wrong are a clear refusal", async () => {
    await expect(readKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "denied" });
    const wrong = sourceOf({ filerTokenSecret: "filer", volumeTokenSecret: "nope" });
    await expect(readKey(wrong, "o")).rejects.toMatchObject({ kind: "denied", status: 401 });
  });

  it("are not needed through the filer's own door", async () => {
    await start({ volumeKey: "volume" });
    await expectReadable(sourceOf({ volumeAccess: "filer" }));
    expect(cluster.volumes.every((server) => server.seen.length === 0)).toBe(true);
    // As volume servers are asked: what was overwritten is there until the vacuum.
    const asked = cluster.filers[0]?.seen.filter(({ target }) => target.includes("proxyChunkId"));
    expect(asked?.length).toBeGreaterThan(0);
    expect(asked?.every(({ target }) => target.endsWith("&readDeleted=true"))).toBe(true);
  });

  it("are sent twice at most to a server whose clock runs wild", async () => {
    let asked = 0;
    const source = sourceOf({
      filerTokenSecret: "filer",
      fetch: async () => {
        asked += 1;
        const date = new Date(Date.now() + asked * 3_600_000).toUTCString();
        return new Response(null, { status: 401, headers: { date } });
      },
    });
    await expect(readKey(source, "o")).rejects.toMatchObject({ kind: "denied", status: 401 });
    expect(asked).toBe(2);
  });

  it("are sent twice at most to a volume server whose clock runs wild", async () => {
    let asked = 0;
    const source = sourceOf({
      filerTokenSecret: "filer",
      volumeTokenSecret: "volume",
      fetch: async (url, init) => {
        if (!cluster.volumes.some(({ host }) => url.includes(host))) return fetch(url, init);
        asked += 1;
        const date = new Date(Date.now() + asked * 3_600_000).toUTCString();
        return new Response(null, { status: 401, headers: { date } });
      },
    });
    await expect(readKey(source, "o")).rejects.toMatchObject({ kind: "denied", status: 401 });
    expect(asked).toBe(2);
  });

  it("of the master are sent once to a server that refuses them: another one is its to give", async () => {
    const source = sourceOf({ filerTokenSecret: "filer", volumeTokenFromMaster: true });
    for (const server of cluster.volumes)
      server.fault = () => ({ do: "reply", reply: { status: 401 } });
    await expect(readKey(source, "o")).rejects.toMatchObject({ kind: "denied", status: 401 });
    expect(cluster.volumes.flatMap(({ seen }) => seen)).toHaveLength(1);
  });

  it("say when they end in the letters of URLs, too", () => {
    const token = (claims: object) =>
      `x.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.y`;
    const spelled = token({ exp: 5, sub: "???>>>???>>>~~~" });
    expect(spelled).toMatch(/-.*_|_.*-/);
    expect(tokenExpiry(spelled)).toBe(5_000);
    expect(tokenExpiry(token({ exp: "5" }))).toBeUndefined();
    expect(tokenExpiry("opaque")).toBeUndefined();
  });
});

describe("a filer that wants its token for chunks, too (4.53)", () => {
  beforeEach(() => start({ volumeKey: "volume", filerKey: "filer", gatedProxy: true }));

  it("gets it where chunks are read through it", async () => {
    await expectReadable(sourceOf({ filerTokenSecret: "filer", volumeAccess: "filer" }));
  });

  it("gets it where volume servers cannot be reached, by its own clock", async () => {
    for (const volume of cluster.volumes) volume.fault = () => ({ do: "reset" });
    const source = sourceOf({
      filerTokenSecret: "filer",
      volumeTokenSecret: "volume",
      filerFallback: true,
      now: () => Date.now() - 600_000,
    });
    const { bytes } = await downloadKey(source, "o");
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, 10_000))).toBe(0);
  });

  it("alone gets it: nobody it sends us on to", async () => {
    const [filer] = cluster.filers;
    const [volume] = cluster.volumes;
    if (filer === undefined || volume === undefined) throw new Error("There is no cluster");
    filer.fault = ({ target }) => {
      if (!target.includes("proxyChunkId")) return undefined;
      return { do: "reply", reply: { status: 301, headers: { Location: volume.url } } };
    };
    const source = sourceOf({ filerTokenSecret: "filer", volumeAccess: "filer" });
    await expect(readKey(source, "o")).rejects.toMatchObject({ kind: "denied" });
    expect(volume.seen.length).toBeGreaterThan(0);
    for (const { headers } of volume.seen) expect(headers.authorization).toBeUndefined();
  });

  it("refuses another key", async () => {
    const wrong = sourceOf({ filerTokenSecret: "nope", volumeAccess: "filer" });
    await expect(readKey(wrong, "o")).rejects.toMatchObject({ kind: "denied" });
  });
});

describe("answers that cannot be", () => {
  it.each([
    ["no JSON", "nonsense"],
    ["a list", "[]"],
    ["no locations", '{"locations":[]}'],
    ["locations of another type", '{"locations":[5]}'],
    ["an address that is no host", '{"locations":[{"url":"a/b?c","publicUrl":"a/b?c"}]}'],
  ])("of the master: %s", async (_what, body) => {
    const [master] = cluster.masters;
    if (master !== undefined) master.fault = () => ({ do: "reply", reply: { status: 200, body } });
    const failure = await readKey(sourceOf({ allowedHosts: "*" }), "o").catch(
      (error: unknown) => error,
    );
    expect(["protocol", "unavailable", "config"]).toContain((failure as { kind: string }).kind);
    expect((failure as Error).message).not.toContain("127.0.0.1");
  });

  it.each([
    ["200 to a range", { status: 200, body: Buffer.alloc(3_000) }],
    [
      "200 with the range that was asked for",
      { status: 200, headers: { "Content-Range": "bytes 5-8/3000" }, body: "wxyz" },
    ],
    [
      "a length that is not that of its range",
      {
        status: 206,
        headers: { "Content-Range": "bytes 5-8/3000", "Content-Length": "5" },
        body: "wxyz!",
      },
    ],
    [
      "another range",
      { status: 206, headers: { "Content-Range": "bytes 6-9/3000" }, body: "wxyz" },
    ],
    ["no Content-Range", { status: 206, body: "wxyz" }],
    [
      "a multipart body",
      { status: 206, headers: { "Content-Type": "multipart/byteranges; boundary=x" }, body: "--x" },
    ],
    [
      "an encoding nobody asked for",
      {
        status: 206,
        headers: { "Content-Encoding": "br", "Content-Range": "bytes 5-8/3000" },
        body: "wxyz",
      },
    ],
    [
      "a range that ends later",
      {
        status: 206,
        headers: { "Content-Range": "bytes 5-9/3000", "Transfer-Encoding": "chunked" },
        body: "wxyz!",
      },
    ],
    [
      "a range that begins sooner",
      {
        status: 206,
        headers: { "Content-Range": "bytes 4-8/3000", "Transfer-Encoding": "chunked" },
        body: "vwxyz",
      },
    ],
    ["a refused range", { status: 416, body: "invalid range\n" }],
    ["a bad request", { status: 400 }],
  ])("of a volume server: %s", async (_what, reply) => {
    for (const server of cluster.volumes) server.fault = () => ({ do: "reply", reply });
    await expect(readKey(sourceOf(), "o", { start: 5, end: 9 })).rejects.toMatchObject({
      kind: "protocol",
      status: reply.status,
      replica: expect.stringMatching(/^127/),
      alternatives: true,
    });
  });

  it("of a volume server: a range of a needle that is shorter than its chunk", async () => {
    const headers = { "Content-Range": "bytes 5-8/2999", ETag: '"0badcafe"' };
    for (const server of cluster.volumes)
      server.fault = () => ({ do: "reply", reply: { status: 206, headers, body: "wxyz" } });
    await expect(readKey(sourceOf(), "o", { start: 5, end: 9 })).rejects.toMatchObject({
      kind: "protocol",
      alternatives: true,
    });
  });

  it.each([
    ["a part", { status: 206, headers: { "Content-Range": "bytes 0-2999/3000" } }],
    ["an encoding nobody asked for", { status: 200, headers: { "Content-Encoding": "br" } }],
  ])("of a volume server to a plain GET: %s", async (_what, reply) => {
    const body = Buffer.from(contentBytes(ramp, 0, 3_000));
    for (const server of cluster.volumes)
      server.fault = () => ({ do: "reply", reply: { ...reply, body } });
    await expect(readKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "protocol" });
  });

  it("of a volume server: none at all, which another one may give", async () => {
    for (const server of cluster.volumes) server.fault = () => ({ do: "reset" });
    await expect(readKey(sourceOf(), "o")).rejects.toMatchObject({
      kind: "unavailable",
      connection: true,
      alternatives: true,
    });
  });

  it("of the filer: a redirect, an outage, metadata too long", async () => {
    const [filer] = cluster.filers;
    const answer = (reply: { status: number; headers?: Record<string, string>; body?: string }) => {
      if (filer !== undefined) filer.fault = () => ({ do: "reply", reply });
    };
    answer({ status: 307, headers: { Location: "/elsewhere" } });
    await expect(readKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "protocol" });
    answer({ status: 500 });
    await expect(readKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "unavailable" });
    answer({ status: 200, body: "x".repeat(70_000) });
    await expect(readKey(sourceOf({ metadataBytes: 65_536 }), "o")).rejects.toMatchObject({
      kind: "unsupported",
    });
  });
});

describe("a master that answers something else than locations", () => {
  const answers: readonly Reply[] = [
    { status: 401 },
    { status: 400, body: "?" },
    { status: 307, headers: { Location: "/elsewhere" } },
    { status: 200, body: "<html>" },
    { status: 200, body: '{"locations":"none"}' },
    { status: 200, body: "x".repeat(300_000) },
  ];

  it.each(answers)("leaves the chunks to the filer: %j", async (reply) => {
    const [master] = cluster.masters;
    if (master !== undefined) master.fault = () => ({ do: "reply", reply });
    await expectReadable(sourceOf({ filerFallback: true }));
    await expect(readKey(sourceOf(), "o")).rejects.toMatchObject({ name: "ReadaheadError" });
  });

  it.each(answers.slice(0, 4))("leaves them to another master: %j", async (reply) => {
    await start({ masters: 2 });
    const [first, second] = cluster.masters;
    if (first !== undefined) first.fault = () => ({ do: "reply", reply });
    await expectReadable(sourceOf({ master: [first?.url ?? "", second?.url ?? ""] }));
    if (second !== undefined) second.fault = () => ({ do: "reset" });
    const reading = readKey(sourceOf({ master: [first?.url ?? "", second?.url ?? ""] }), "o");
    await expect(reading).rejects.toMatchObject({
      kind: expect.stringMatching(/^(denied|protocol)$/),
    });
  });
});

describe("verify", () => {
  it("finds a needle that does not match its checksum, and asks the other replica", async () => {
    const bytes = Buffer.from(contentBytes(ramp, 0, 3_000));
    const { fids } = putObject(cluster, "/o", { size: 3_000, chunkBytes: 3_000 });
    const good = { stored: () => bytes, headers: { Etag: '"00000000"' } };
    cluster.needles.set(fids[0] ?? "", good);
    await expect(readKey(sourceOf({ verify: true }), "o")).rejects.toMatchObject({
      kind: "protocol",
    });
    expect(Buffer.compare(await readKey(sourceOf(), "o"), bytes)).toBe(0);
  });

  it("reads what matches, as recorded", async () => {
    // CRC32C of "123456789", the check value of the Castagnoli polynomial
    const { fids } = putObject(cluster, "/o", { size: 9, chunkBytes: 9 });
    const stored = Buffer.from("123456789");
    cluster.needles.set(fids[0] ?? "", { stored: () => stored, headers: { Etag: '"e3069283"' } });
    expect(Buffer.compare(await readKey(sourceOf({ verify: true }), "o"), stored)).toBe(0);
  });
});

describe("options", () => {
  it.each([
    [{ filer: [] }, TypeError],
    [{ filer: "ftp://x" }, TypeError],
    [{ filer: "nonsense" }, TypeError],
    [{ filer: "http://user@x" }, TypeError],
    [{ filer: "http://:password@x" }, TypeError],
    [{ filer: "http://x/#fragment" }, TypeError],
    [{ filer: undefined as never }, TypeError],
    [{ filer: "http://x", volumeAccess: "direct" as const }, TypeError],
    [{ filer: "http://x", volumeTokenFromMaster: true }, TypeError],
    [{ filer: "http://x", root: "/a/../b" }, TypeError],
    [{ filer: "http://x", bucketsFolder: "../x" }, TypeError],
    [{ filer: "http://x", sseKekSecret: "no key" }, TypeError],
    [{ filer: "http://x", metadataTtlMs: -1 }, RangeError],
    [{ filer: "http://x", allowedHosts: ["a/b"] }, TypeError],
  ])("%j cannot work", (options, type) => {
    expect(() => createSeaweedfsSource(options)).toThrow(type);
  });

  it("that cannot work are named, without a secret's value", () => {
    const create = (options: Partial<SeaweedfsOptions>) => () =>
      createSeaweedfsSource({ filer: "http://x", ...options });
    expect(create({ bucketsFolder: "../x" })).toThrow(/^bucketsFolder /);
    expect(create({ allowedHosts: ["*.example", "http://inner.example/"] })).toThrow(
      /^entry 2 of allowedHosts is none of host, host:port, \*\.domain, an IPv4 block and \*$/,
    );
    expect(create({ root: "../x" })).toThrow(/^root /);
    expect(create({ sseKekSecret: "hush" })).toThrow(/^sseKekSecret (?!.*hush)/);
    expect(create({ sseKekSecret: ` ${"0f".repeat(32)}\n` })).not.toThrow();
  });
});
