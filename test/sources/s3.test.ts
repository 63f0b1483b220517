import { describe, expect, it } from "vitest";
import type { FetchFunction } from "../../src/sources/s3.ts";
import { discardBody, readAll } from "../support/bodies.ts";
import { contentBytes, firstDifference, ramp } from "../support/object-bytes.ts";
import { failure, setUp, size } from "./s3/setup.ts";

describe("addresses", () => {
  it.each([
    "plain.bin",
    "with blank",
    "a+b",
    "100%",
    "what?x=1&y",
    "a#b",
    "ü/日本/🙂",
    "/leading",
    "//two",
    "double//slash",
    "trailing/",
    "%20",
    "a%2Fb",
    "'(!)*~",
    "a\\b",
    "tab\there",
    "...",
    "a=b;c@d:$,&",
  ])("reach the key %j and no other", async (key) => {
    const { fake, open } = setUp();
    fake.space.store(key, { content: { kind: "counter", seed: 7 }, size: 16 });
    const { first } = await open({ start: 0, end: 16 }, {}, key);
    const bytes = first === undefined ? new Uint8Array() : await readAll(first.body);
    expect(firstDifference(bytes, contentBytes({ kind: "counter", seed: 7 }, 0, 16))).toBe(-1);
  });

  it.each(["..", "a/../key", "./key", "", "\ud800"])(
    "of %j are refused without a request",
    async (key) => {
      const { fake, open } = setUp();
      expect((await failure(open("facts", {}, key))).kind).toBe("not-found");
      expect(fake.seen).toHaveLength(0);
    },
  );

  it("may lead on within the host", async () => {
    const { fake } = setUp();
    const fetch: FetchFunction = async (url, init) =>
      url.startsWith("http:")
        ? new Response(null, {
            status: 307,
            headers: { location: url.replace("http:", "https:") },
          })
        : fake.fetch(url, init);
    const { open } = setUp({}, { endpoint: "http://s3.example", fetch });
    expect((await open("facts")).facts.size).toBe(size);
  });

  it("of the bucket itself are refused behind a prefix, too", async () => {
    const { fake, open } = setUp({}, { keyPrefix: "data/" });
    expect((await failure(open("facts", {}, ""))).kind).toBe("not-found");
    expect(fake.seen).toHaveLength(0);
  });

  it("put the bucket before the host where asked, and keep the endpoint's path", async () => {
    const seen: string[] = [];
    const fetch = async (url: string) => {
      seen.push(url.replace(/\?.*/, "?"));
      return new Response(null, { status: 404 });
    };
    for (const virtualHost of [true, false]) {
      const { open, made, download } = setUp(
        {},
        { virtualHost, endpoint: "https://s3.example:9000/base/", fetch },
      );
      await failure(open({ start: 0, end: 1 }));
      await failure(Promise.resolve(made.list?.("", { ...download, limit: 1 })));
    }
    expect(seen).toEqual([
      "https://bucket.s3.example:9000/base/key",
      "https://bucket.s3.example:9000/base/?",
      "https://s3.example:9000/base/bucket/key",
      "https://s3.example:9000/base/bucket?",
    ]);
  });

  it.each([
    { endpoint: "s3.example" },
    { endpoint: "ftp://s3.example" },
    { endpoint: "https://s3.example/?x" },
    { endpoint: "https://s3.example/#x" },
    { endpoint: "https://user@s3.example" },
    { endpoint: "https://:secret@s3.example" },
    { bucket: "" },
    { bucket: "a/b" },
    { bucket: undefined as never },
    { credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: undefined as never } },
    { via: {} as never },
  ])("that cannot work are refused at once: %j", (options) => {
    expect(() => setUp({}, options)).toThrow(TypeError);
  });
});

describe("versions", () => {
  it("are compared where a store ignores If-Match", async () => {
    const { fake, open, read } = setUp();
    const store = (etag: string | null) =>
      fake.space.store("key", { content: ramp, size, etag, conditions: false });
    store('"a"');
    const object = await open({ start: 0, end: 10 });
    await discardBody(object.first?.body);
    store('"b"');
    expect((await failure(read(object, 10, 20))).kind).toBe("changed");
    // Of what has no tag nobody knows which version it is.
    store(null);
    expect((await failure(read(object, 10, 20))).kind).toBe("protocol");
  });

  it("asked for by id are named in every read, and pin it", async () => {
    const { fake, open, read } = setUp();
    const object = await open({ start: 0, end: 10 }, { version: "v+1/=" });
    await discardBody(object.first?.body);
    await discardBody((await read(object, 10, 20)).body);
    expect(object.facts.pin).toEqual({ by: "version-id", value: "v+1/=" });
    fake.space.store("key", { content: ramp, size, etag: null, lastModified: null });
    expect((await open("facts", { version: "v+1/=" })).facts.unversioned).toBeUndefined();
    expect(fake.seen.every(({ url }) => url.endsWith("?versionId=v%2B1%2F%3D"))).toBe(true);
  });
});

describe("parts by number", () => {
  it("become byte ranges, and never meet If-Match", async () => {
    const { fake, open, read } = setUp();
    fake.setParts("key", [60_000, 40_003]);
    const object = await open({ start: 0, end: 10 }, { s3PartNumber: 2 });
    expect(object.s3Part).toEqual({ start: 60_000, end: size });
    expect(object.first).toBeUndefined();
    expect(object.facts).toMatchObject({ size, s3PartCount: 2 });
    const bytes = await readAll((await read(object, 60_000, size)).body);
    expect(firstDifference(bytes, contentBytes(ramp, 60_000, size))).toBe(-1);
    const [asked, ...reads] = fake.seen
      .map(({ url }) => new URL(url).search)
      .toReversed()
      .toReversed();
    expect(asked).toBe("?partNumber=2");
    expect(reads.at(-1)).toBe("");
  });

  it("of an object in one piece: its first is all of it", async () => {
    const { open } = setUp();
    const object = await open("facts", { s3PartNumber: 1 });
    expect(object.s3Part).toEqual({ start: 0, end: size });
    expect((await failure(open("facts", { s3PartNumber: 2 }))).kind).toBe("unsatisfiable");
  });

  it("that are not there are unsatisfiable", async () => {
    const { fake, open } = setUp();
    fake.setParts("key", [size]);
    expect((await failure(open("facts", { s3PartNumber: 3 }))).kind).toBe("unsatisfiable");
  });
});
