import { describe, expect, it } from "vitest";
import { createHttpSource, type Fetcher, type FetchFunction } from "../../src/sources/http.ts";
import type { OpenRequest } from "../../src/sources/source.ts";
import { discardBody } from "../support/bodies.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { createTestDownload } from "../support/permits.ts";
import { createStoreFetch } from "../support/store-fetch.ts";
import type { Fault, StoredObject } from "../support/store-script.ts";
import { kindOf, plain, setup, size } from "./http/setup.ts";

const leaks = checkLeaks();

describe("createHttpSource: requests", () => {
  it("asks for identity with every request and pins later ones", async () => {
    const { space, open, read } = setup(leaks, { etag: '"strong"' });
    const object = await open({ start: 0, end: 100 });
    await discardBody(object.first?.body);
    await read(object, 100, 200);
    await open("facts");
    expect(space.seen.map(({ headers }) => headers["accept-encoding"])).toEqual([
      "identity",
      "identity",
      "identity",
    ]);
    expect(space.seen[1]?.headers).toMatchObject({
      range: "bytes=100-199",
      "if-match": '"strong"',
    });
  });

  it("keeps the client's spelling of a key and the base's query", async () => {
    const urls: string[] = [];
    const source = createHttpSource({
      url: "https://origin.example/data?token=1",
      query: true,
      fetch: async (url) => {
        urls.push(url);
        return new Response(null, { status: 404 });
      },
    });
    const request = { ...createTestDownload(), want: { start: 0, end: 1 } };
    const asked: [string, Partial<OpenRequest>][] = [
      ["a/b c", { rawKey: "a%2Fb%20c" }],
      ["a/b c", {}],
      ["a", { rawKey: "elsewhere" }],
      ["a?b#c", {}],
      ["a", { query: "?x=1" }],
      ["a\\..\\..\\b\t", { rawKey: "a\\..\\..\\b\t" }],
    ];
    for (const [key, more] of asked)
      expect(await kindOf(source.open(key, { ...request, ...more }))).toBe("not-found");
    expect(urls).toEqual([
      "https://origin.example/data/a%2Fb%20c?token=1",
      "https://origin.example/data/a/b%20c?token=1",
      "https://origin.example/data/a?token=1",
      "https://origin.example/data/a%3Fb%23c?token=1",
      "https://origin.example/data/a?token=1&x=1",
      "https://origin.example/data/a%5C..%5C..%5Cb%09?token=1",
    ]);
  });

  it("lets no key leave the base", async () => {
    const source = createHttpSource({
      url: "https://origin.example/data/",
      fetch: () => Promise.reject(new Error("Must not be called")),
    });
    const request = { ...createTestDownload(), want: { start: 0, end: 1 } };
    const keys: [string, string?][] = [
      ["../secret"],
      ["a/../../secret"],
      ["."],
      ["../secret", "%2e%2e/secret"],
      ["a/../b", "a%2F..%2Fb"],
      ["a/..;v=1/b"],
      [".;/b", "%2e;/b"],
    ];
    for (const [key, rawKey] of keys)
      expect(await kindOf(source.open(key, { ...request, rawKey })), key).toBe("not-found");
  });

  it("keeps the client's query to itself unless the mount passes it on", async () => {
    const fetch = createStoreFetch(setup(leaks).space);
    const urls: string[] = [];
    const source = createHttpSource({
      url: "https://origin.example/",
      fetch: (url, init) => {
        urls.push(url);
        return fetch(url, init);
      },
    });
    await source.open("file", { ...createTestDownload(), want: "facts", query: "?x=1" });
    expect(urls).toEqual(["https://origin.example/file"]);
  });

  it("sends configured headers, and no password in a URL", async () => {
    const headers = { Authorization: "Bearer x", "Accept-Encoding": "gzip" };
    const { space, open } = setup(leaks, {}, {}, { headers });
    await open("facts");
    expect(space.seen[0]?.headers["authorization"]).toBe("Bearer x");
    expect(space.seen[0]?.headers["accept-encoding"]).toBe("identity");
    for (const url of [
      "https://user@origin.example/",
      "https://:pass@origin.example/",
      "https://origin.example/#part",
      "ftp://origin.example/",
    ])
      expect(() => createHttpSource({ url }), url).toThrow(TypeError);
    const via = {} as Fetcher;
    expect(() => createHttpSource({ url: "https://origin.example/", via })).toThrow(/via/);
  });

  it("tells no header that cannot be sent", () => {
    const headers = { authorization: "Bearer secret\nx" };
    const unsendable = () => createHttpSource({ url: "https://origin.example/", headers });
    expect(unsendable).toThrow(TypeError);
    expect(unsendable).not.toThrow(/secret/);
  });
});

describe("createHttpSource: what an origin cannot know", () => {
  it.each([
    { version: "v1" },
    { s3PartNumber: 2 },
    { clientKeys: { algorithm: "AES256", key: "key", keyMd5: "md5" } },
  ])("is refused without a request: %j", async (more) => {
    const { space, open } = setup(leaks);
    expect(await kindOf(open({ start: 0, end: 10 }, more))).toBe("unsupported");
    expect(space.stats().requests).toBe(0);
  });
});

describe("createHttpSource: versions", () => {
  const table: [string, Partial<StoredObject>, string | undefined, string | undefined][] = [
    ["a strong tag", { etag: '"a"' }, "etag", undefined],
    ["a weak tag and an old date", { etag: 'W/"a"' }, "last-modified", undefined],
    ["no tag and an old date", { etag: null }, "last-modified", undefined],
    [
      "a weak tag alone",
      { etag: 'W/"a"', lastModified: null },
      undefined,
      "only a weak entity tag and no modification date",
    ],
    [
      "nothing",
      { etag: null, lastModified: null },
      undefined,
      "no entity tag and no modification date",
    ],
    [
      "a date of just now",
      { etag: null, lastModified: Date.now() - 10_000 },
      undefined,
      "no entity tag and a modification date under 60 s old",
    ],
  ];
  for (const [what, object, by, unversioned] of table) {
    it(`pins ${what} by ${by ?? "nothing, and says why"}`, async () => {
      const { open } = setup(leaks, object);
      const opened = await open({ start: 0, end: 10 });
      await discardBody(opened.first?.body);
      expect(opened.facts.pin?.by).toBe(by);
      expect(opened.facts.unversioned).toBe(unversioned);
    });
  }

  it("trusts unversioned objects where the mount says so, but still sees a weak tag change", async () => {
    const { space, open, read } = setup(
      leaks,
      { etag: 'W/"a"', lastModified: null },
      {},
      { unversioned: "trust" },
    );
    const object = await open({ start: 0, end: 10 });
    await discardBody(object.first?.body);
    expect(object.facts.unversioned).toBeUndefined();
    expect((await read(object, 10, 20))[0]).toBe(10);
    space.store("file", { ...plain, etag: 'W/"b"', lastModified: null });
    expect(await kindOf(read(object, 20, 30))).toBe("changed");
  });

  for (const habits of [
    {},
    { conditions: false },
    { etag: null },
    { etag: null, conditions: false },
  ])
    it(`sees a change mid-way: ${JSON.stringify(habits)}`, async () => {
      const { open, read } = setup(leaks, habits, {
        faults: [{ at: 2, fault: { kind: "changed" } }],
      });
      const object = await open({ start: 0, end: 10 });
      await discardBody(object.first?.body);
      expect((await read(object, 10, 20))[0]).toBe(10);
      expect(await kindOf(read(object, 20, 30))).toBe("changed");
    });
});

describe("createHttpSource: conditions", () => {
  it("lets the origin judge them", async () => {
    const { open } = setup(leaks, { etag: '"a"' });
    const known = new Headers({ "if-none-match": '"a"' });
    for (const want of [{ start: 0, end: 10 }, "facts"] as const) {
      const object = await open(want, { conditions: known });
      expect(object.verdict).toBe("not-modified");
      expect(object.first).toBeUndefined();
      expect(object.facts.etag).toBe('"a"');
    }
    const failed = await open(
      { start: 0, end: 10 },
      { conditions: new Headers({ "if-match": '"b"' }) },
    );
    expect(failed.verdict).toBe("precondition-failed");
  });

  it("believes a HEAD that judged them, and asks no more", async () => {
    const { space, open } = setup(leaks, { etag: '"a"' });
    const failed = await open("facts", { conditions: new Headers({ "if-match": '"b"' }) });
    expect(failed.verdict).toBe("precondition-failed");
    expect(space.seen.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  it("asks for the size without them where a 416 does not name it", async () => {
    const status: Fault = { kind: "status", status: 416 };
    const { open } = setup(leaks, { etag: '"a"' }, { faults: [{ at: 0, fault: status }] });
    const conditions = new Headers({ "if-none-match": '"a"' });
    await expect(open({ start: size, end: size + 1 }, { conditions })).rejects.toMatchObject({
      kind: "unsatisfiable",
      size,
    });
  });
});

describe("createHttpSource: answers that are of no use", () => {
  /** An origin as a function; its bodies never end by themselves. */
  function over(script: (range: string | undefined) => ResponseInit) {
    let openBodies = 0;
    const fetch: FetchFunction = async (_url, { method, headers }) => {
      const init = script(headers["range"]);
      if (method === "HEAD") return new Response(null, init);
      openBodies += 1;
      const cancel = () => {
        openBodies -= 1;
      };
      return new Response(new ReadableStream({ cancel }), init);
    };
    return { ...setup(leaks, {}, {}, { fetch }), openBodies: () => openBodies };
  }
  const conditions = new Headers({ "if-match": '"b"' });

  it("are ended: a 416 past the end", async () => {
    const refused = { status: 416, headers: { "content-range": "bytes */10" } };
    const { open, openBodies } = over(() => refused);
    await expect(open({ start: 10 })).rejects.toMatchObject({ kind: "unsatisfiable", size: 10 });
    expect(openBodies()).toBe(0);
  });

  it("are ended: a redirect, whose fragment is nobody's", async () => {
    const urls: string[] = [];
    let openBodies = 0;
    const fetch: FetchFunction = async (url) => {
      urls.push(url);
      if (urls.length > 1) return new Response(null, { status: 404 });
      openBodies += 1;
      const cancel = () => {
        openBodies -= 1;
      };
      const headers = { location: "/moved#part" };
      return new Response(new ReadableStream({ cancel }), { status: 302, headers });
    };
    const { open } = setup(leaks, {}, {}, { fetch });
    expect(await kindOf(open({ start: 0, end: 10 }))).toBe("not-found");
    expect(urls).toEqual(["https://origin.example/file", "https://origin.example/moved"]);
    expect(openBodies).toBe(0);
  });

  it("are ended: a 412", async () => {
    const { open, openBodies } = over(() => ({ status: 412 }));
    const object = await open({ start: 0, end: 10 }, { conditions });
    expect(object.verdict).toBe("precondition-failed");
    expect(openBodies()).toBe(0);
  });

  it("are ended: a 412 of the whole, where the range was refused", async () => {
    const { open, openBodies } = over((range) => ({ status: range === undefined ? 412 : 416 }));
    const object = await open({ start: 0, end: 10 }, { conditions });
    expect(object.verdict).toBe("precondition-failed");
    expect(openBodies()).toBe(0);
  });

  it("are ended: an encoding of the whole, where the range was refused", async () => {
    const whole = { headers: { "content-encoding": "gzip" } };
    const { open, openBodies } = over((range) => (range === undefined ? whole : { status: 416 }));
    expect(await kindOf(open({ start: 0, end: 10 }))).toBe("protocol");
    expect(openBodies()).toBe(0);
  });
});
