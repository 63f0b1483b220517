/** Which bucket and key a host and a path name, and what is left to other mounts. */
import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../../src/errors.ts";
import { findTarget, isBucketName } from "../../../src/http/s3/mount.ts";
import { createHttpSource } from "../../../src/sources/http.ts";
import { ramp } from "../../support/object-bytes.ts";
import { codeOf, expectBytes, origin, setUp, size, whole } from "./support.ts";

describe("findTarget", () => {
  it("takes a host's name without its case and port", () => {
    const hosts = ["films.example"];
    const mount = { bucket: "media", access: "signed", listAccess: "signed" } as const;
    const mounts = [{ ...mount, credentials: [], regions: [], hosts }];
    expect(findTarget(mounts, "FILMS.Example:8787", "/key")).toMatchObject({
      mount: { bucket: "media" },
      rawKey: "key",
      by: "host",
    });
  });
});

describe("isBucketName", () => {
  it.each([
    ["abc", true],
    ["a.b-c", true],
    ["a..b", false],
    ["ab", false],
    ["-abc", false],
    ["Abc", false],
    ["a".repeat(64), false],
  ])("%s: %s", (name, expected) => {
    expect(isBucketName(name)).toBe(expected);
  });
});

describe("routing", () => {
  it("is refused where a bucket's limits cannot be", () => {
    expect(() => setUp({ mount: { limits: { windowParts: 0 } } })).toThrow(RangeError);
  });

  it("leaves requests without a signature to the other mounts", async () => {
    const endpoint = setUp();
    const front = await endpoint.fetch(new Request(`${origin}/`));
    expect(front.headers.get("content-type")).not.toBe("application/xml");
    const nowhere = await endpoint.fetch(new Request(`${origin}/nowhere`));
    expect(nowhere.headers.get("content-type")).toBe("application/problem+json");
  });

  it("leaves presigned requests below another mount to that mount", async () => {
    const source = createHttpSource({
      url: "https://origin.example/",
      query: true,
      fetch: async (url) => new Response(url),
    });
    const plain = [{ name: "plain", prefix: "/plain/", source, passQuery: true }];
    const endpoint = setUp({ plain });
    const response = await endpoint.ask("/plain/x", { presign: 60 });
    expect(await response.text()).toContain("https://origin.example/x?");
    // Without the slash it is that mount's all the same, and no unknown bucket.
    const bare = await endpoint.ask("/plain", { presign: 60 });
    expect(bare.headers.get("content-type")).not.toBe("application/xml");
    await bare.body?.cancel();
  });

  it("leaves a longer prefix inside a bucket to its own mount, and nothing else", async () => {
    const source = createHttpSource({
      url: "https://origin.example/",
      fetch: async (url) => new Response(url),
    });
    const plain = [
      { name: "shown", prefix: "/media/shown/", source },
      { name: "root", prefix: "/", source },
    ];
    const endpoint = setUp({ plain });
    const shown = await endpoint.fetch(new Request(`${origin}/media/shown/x`));
    expect(await shown.text()).toBe("https://origin.example/x");
    for (const path of ["/media/shownx", "/media/key", "/media"])
      expect((await endpoint.fetch(new Request(origin + path))).status).toBe(403);
  });

  it("gives no spelling of another mount's path to a bucket or to a mount above", async () => {
    const asked: string[] = [];
    const source = createHttpSource({
      url: "https://origin.example/",
      fetch: async (url) => {
        asked.push(url);
        return new Response(url);
      },
    });
    const authorise = () => new ReadaheadError("denied", "Private");
    const plain = [
      { name: "private", prefix: "/open/private/", source, authorise },
      { name: "root", prefix: "/", source },
    ];
    const endpoint = setUp({ plain, hosts: ["films.example"] });
    for (const [path, status] of [
      ["/open/private/x", 403],
      ["/open/%70rivate/x", 403],
      ["/%6fpen/private/x", 403],
      ["/open//private/x", 404],
      ["/open/private%2Fx", 404],
      ["/open%2Fprivate/x", 404],
      ["/open%2fprivate%2fx", 404],
      ["/open/private%5Cx", 404],
      ["/open/private;v=1/x", 404],
      ["/open/;v=1/private/x", 404],
      ["/open/;a=%2Fq/private/x", 404],
      ["/media/key", 403],
      ["/%6dedia/key", 403],
      ["/media%2Fkey", 403],
      ["//media/key", 404],
      ["/media%5Ckey", 404],
      ["/media;v=1/key", 404],
    ] as const) {
      const response = await endpoint.fetch(new Request(origin + path));
      expect([path, response.status]).toEqual([path, status]);
    }
    expect([endpoint.fake.seen, asked]).toEqual([[], []]);
    expect((await endpoint.fetch(new Request(`${origin}/%6fpen/key`))).status).toBe(200);
  });

  it("takes a host for a bucket where it is configured", async () => {
    const endpoint = setUp({ hosts: ["films.example"] });
    const host = "https://films.example:8787";
    const response = await endpoint.ask(`${host}/key`);
    expect(response.status).toBe(200);
    await expectBytes(response, 0, size);
    expect((await endpoint.ask(`${host}/?list-type=2`)).status).toBe(200);
    expect((await endpoint.fetch(new Request(`${host}/key`))).status).toBe(403);
    // A key that begins with another bucket's name is this bucket's all the same.
    endpoint.fake.space.store("open/x", { content: ramp, size: 10 });
    expect((await endpoint.ask(`${host}/open/x`)).headers.get("content-length")).toBe("10");
  });

  it("takes the first label of a host for a bucket where somebody signed and no path says otherwise", async () => {
    const source = createHttpSource({
      url: "https://origin.example/",
      fetch: async (url) => new Response(url),
    });
    const endpoint = setUp({ plain: [{ name: "plain", prefix: "/plain/", source }] });
    const host = "https://media.edge.example";
    for (const path of ["/key", "/media/key"]) {
      const response = await endpoint.ask(host + path);
      expect(response.status).toBe(200);
      await expectBytes(response, 0, size);
    }
    expect((await endpoint.ask(`${host}/key`, { presign: 60 })).status).toBe(200);
    expect((await endpoint.ask(`${host}/?list-type=2`)).status).toBe(200);
    expect(await (await endpoint.ask(`${host}/plain/x`)).text()).toBe("https://origin.example/x");
  });

  it("never guesses between a bucket in the host and another one in the path", async () => {
    const endpoint = setUp();
    const host = "https://media.edge.example";
    for (const path of ["/open/key", "/open-quiet/key", "/open", "/open/?list-type=2"]) {
      const response = await endpoint.ask(host + path);
      const text = await response.text();
      expect([response.status, text.includes("InvalidRequest")]).toEqual([400, true]);
      expect(text).toContain("setting hosts");
      const presigned = await endpoint.ask(host + path, { presign: 60 });
      expect([presigned.status, await codeOf(presigned)]).toEqual([400, "InvalidRequest"]);
      const wrong = await endpoint.ask(host + path, {
        client: { ...whole, secretAccessKey: "wrong" },
      });
      expect(await codeOf(wrong)).toBe("SignatureDoesNotMatch");
    }
    for (const path of ["/%6fpen/key", "/open%2fkey"])
      expect((await endpoint.ask(host + path)).status).toBe(400);
    expect(endpoint.fake.seen).toHaveLength(0);
  });

  it("leaves a mount inside a bucket its path also where the host names the bucket", async () => {
    const source = createHttpSource({
      url: "https://origin.example/",
      fetch: async (url) => new Response(url),
    });
    const plain = [{ name: "inner", prefix: "/media/inner/", source }];
    const endpoint = setUp({ plain, hosts: ["films.example"] });
    for (const path of ["/inner/x", "/%69nner/x", "//inner/x"])
      expect((await endpoint.ask(`https://films.example${path}`)).status).toBe(404);
    expect(endpoint.fake.seen).toHaveLength(0);
  });

  it("leaves nothing of a bucket's own host to a mount above the bucket", async () => {
    const source = createHttpSource({
      url: "https://origin.example/",
      fetch: async (url) => new Response(url),
    });
    const plain = [
      { name: "inner", prefix: "/media/inner/", source },
      { name: "above", prefix: "/", source },
    ];
    const endpoint = setUp({ plain, hosts: ["films.example"] });
    const url = "https://films.example/inner/x";
    expect((await endpoint.ask(url)).status).toBe(404);
    expect((await endpoint.fetch(new Request(url))).status).toBe(403);
  });

  it("leaves a host that begins with a bucket's name to everything else", async () => {
    const endpoint = setUp();
    const host = "https://open.example";
    const healthy = await endpoint.fetch(new Request(`${host}/healthz`));
    expect([healthy.status, await healthy.text()]).toEqual([200, "ok\n"]);
    for (const path of ["/", "/typo/x", "/key"]) {
      const response = await endpoint.fetch(new Request(host + path));
      expect(response.headers.get("content-type")).not.toBe("application/xml");
    }
    // Nobody signed: the URL says what is meant.
    expect((await endpoint.fetch(new Request(`${host}/open-quiet/key`))).status).toBe(200);
  });

  it("goes by the path on other hosts once a bucket names its own", async () => {
    const endpoint = setUp({ hosts: ["films.example"] });
    const response = await endpoint.ask("https://media.edge.example/open/key");
    expect(response.status).toBe(200);
    await expectBytes(response, 0, size);
  });

  it("reads no private bucket through another spelling of its path", async () => {
    const endpoint = setUp();
    for (const path of [
      "/medi%61/key",
      "//media/key",
      "/open/../media/key",
      "/open/%2e%2e/media/key",
      "/MEDIA/key",
      "/media%2Fkey",
      "/open/..%2fmedia/key",
    ]) {
      const response = await endpoint.fetch(new Request(origin + path));
      expect(response.status).toBeGreaterThanOrEqual(400);
    }
    expect(endpoint.fake.seen).toHaveLength(0);
  });
});
