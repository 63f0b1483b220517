import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import { createHttpSource } from "../../src/sources/http.ts";
import { ramp } from "./fake-source.ts";
import { expectRamp, film, problemOf, useHarness } from "./harness.ts";

const harness = useHarness();

describe("conditions", () => {
  it.each<[string, Record<string, string>, number]>([
    ["304 for the same tag", { "if-none-match": '"v1"' }, 304],
    ["304 also for a range", { "if-none-match": '"v1"', range: "bytes=0-9" }, 304],
    [
      "304 also for a range past the end",
      { "if-none-match": '"v1"', range: "bytes=2000000-" },
      304,
    ],
    ["412 for another tag", { "if-match": '"v2"' }, 412],
    ["412 before 416", { "if-match": '"v2"', range: "bytes=2000000-" }, 412],
    ["200 for another tag", { "if-none-match": '"v2"' }, 200],
    ["206 for If-Range of this version", { "if-range": '"v1"', range: "bytes=0-9" }, 206],
    ["200 for If-Range of another version", { "if-range": '"v2"', range: "bytes=500-599" }, 200],
    [
      "200 for If-Range of another version past the end",
      { "if-range": '"v2"', range: "bytes=2000000-" },
      200,
    ],
    ["200 for a weak If-Range", { "if-range": 'W/"v1"', range: "bytes=0-9" }, 200],
    [
      "206 for If-Range by date",
      { "if-range": "Thu, 15 Jan 2026 00:00:00 GMT", range: "bytes=0-9" },
      206,
    ],
  ])("%s", async (_name, headers, expected) => {
    const { status, bytes } = await harness.get(headers);
    expect(status).toBe(expected);
    if (status === 200) expectRamp(bytes, 0, film.size);
    if (status === 206) expectRamp(bytes, 0, 10);
    if (status === 304) expect(bytes).toHaveLength(0);
    if (status === 412) expect(problemOf(bytes)).toMatchObject({ code: "precondition-failed" });
  });

  it("hands the conditions on to the source, If-Range and other headers not", async () => {
    await harness.get({
      "if-none-match": '"v0"',
      "if-range": '"v1"',
      cookie: "a=b",
      authorization: "x",
    });
    expect([...(harness.source.opens[0]?.conditions ?? [])]).toEqual([["if-none-match", '"v0"']]);
  });

  describe("at an origin with rules of its own", () => {
    const date = "Thu, 15 Jan 2026 00:00:00 GMT";
    const validators = { etag: '"v1"', "last-modified": date };
    const tags = { "if-none-match": '"v0"', "if-match": '"v1"' };

    /** An origin with an object of ten bytes; `judge` answers what it judges by itself. */
    function origin(
      judge: (headers: Headers) => 304 | 412 | undefined,
      shown: object = validators,
    ) {
      const fetch = async (_url: string, init: { readonly headers: Record<string, string> }) => {
        const headers = new Headers(init.headers);
        const verdict = judge(headers);
        if (verdict !== undefined)
          return new Response(null, { status: verdict, headers: { ...shown } });
        const [first = 0, last = 9] = (headers.get("range")?.match(/\d+/g) ?? []).map(Number);
        const end = Math.min(10, last + 1);
        return new Response(ramp(first, end), {
          status: 206,
          headers: { ...validators, "content-range": `bytes ${first}-${end - 1}/10` },
        });
      };
      const source = createHttpSource({ url: "https://origin.example/", fetch });
      return harness.handlerFor({ source });
    }

    it.each([
      ["if-modified-since", "if-none-match", 304],
      ["if-unmodified-since", "if-match", 412],
    ] as const)("that looks at %s alone, %s decides", async (name, tag, verdict) => {
      const handle = origin((headers) => (headers.has(name) ? verdict : undefined));
      const headers = { [name]: date, [tag]: tags[tag] };
      const { status, bytes } = await harness.ask(handle, "/files/a", { headers });
      expect(status).toBe(200);
      expectRamp(bytes, 0, 10);
    });

    it.each([
      ["if-none-match", 304],
      ["if-match", 412],
    ] as const)("that misjudges %s, its own validators decide", async (name, verdict) => {
      const handle = origin((headers) => (headers.has(name) ? verdict : undefined));
      const headers = { [name]: tags[name], range: "bytes=2-4" };
      const { status, bytes } = await harness.ask(handle, "/files/a", { headers });
      expect(status).toBe(206);
      expectRamp(bytes, 2, 5);
    });

    it.each([
      ["if-match", '"v0", "v1"', '"v0", "v2"'],
      ["if-match", "*", undefined],
      ["if-unmodified-since", date, "Wed, 14 Jan 2026 23:59:59 GMT"],
    ])(
      "that shows nothing with its 412 of %s: %s, what it shows without conditions decides",
      async (name, holds, fails) => {
        const handle = origin((headers) => (headers.has(name) ? 412 : undefined), {});
        const headers = { [name]: holds, range: "bytes=2-4" };
        const { status, bytes } = await harness.ask(handle, "/files/a", { headers });
        expect(status).toBe(206);
        expectRamp(bytes, 2, 5);
        if (fails === undefined) return;
        const failed = await harness.ask(handle, "/files/a", { headers: { [name]: fails } });
        expect(failed.status).toBe(412);
      },
    );

    it("that judges without being asked, nothing is believed", async () => {
      const headers = { "if-none-match": '"v0"' };
      const { status } = await harness.ask(
        origin(() => 304),
        "/files/a",
        { headers },
      );
      expect(status).toBe(502);
    });
  });

  it("repeats validators and freshness in a 304", async () => {
    const { headers } = await harness.get({ "if-none-match": '"v1"' });
    expect(headers.get("etag")).toBe('"v1"');
    expect(headers.get("cache-control")).toBe("max-age=60");
    expect(headers.has("content-length")).toBe(false);
  });
});

describe("HEAD", () => {
  it("has GET's headers and reads nothing", async () => {
    const { headers: expected } = await harness.get();
    harness.source.opens.length = 0;
    harness.source.reads.length = 0;
    const head = await harness.ask(harness.handlerFor(), "/files/film.mp4", { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(head.bytes).toHaveLength(0);
    const strip = (headers: Headers) => [...headers].filter(([name]) => name !== "x-request-id");
    expect(strip(head.headers)).toEqual(strip(expected));
    expect(harness.source.opens.map(({ want }) => want)).toEqual(["facts"]);
    expect(harness.source.reads).toEqual([]);
  });

  it("ignores Range, and honours conditions", async () => {
    const handle = harness.handlerFor();
    const init = { method: "HEAD", headers: { range: "bytes=0-9" } };
    expect((await harness.ask(handle, "/files/film.mp4", init)).headers.get("content-length")).toBe(
      "1000000",
    );
    const conditional = { method: "HEAD", headers: { "if-none-match": '"v1"' } };
    expect((await harness.ask(handle, "/files/film.mp4", conditional)).status).toBe(304);
  });

  it("answers a missing key without a body", async () => {
    const { status, bytes } = await harness.ask(harness.handlerFor(), "/files/nothing", {
      method: "HEAD",
    });
    expect(status).toBe(404);
    expect(bytes).toHaveLength(0);
  });
});

describe("methods", () => {
  it.each(["POST", "PUT", "DELETE", "PATCH"])("refuses %s with Allow", async (method) => {
    for (const path of ["/files/film.mp4", "/", "/healthz"]) {
      const { status, headers } = await harness.ask(harness.handlerFor(), path, { method });
      expect(status).toBe(405);
      expect(headers.get("allow")).toBe("GET, HEAD, OPTIONS");
    }
    expect(harness.source.opens).toEqual([]);
  });

  it("answers OPTIONS without asking the store, also as a preflight", async () => {
    const handle = harness.handlerFor({ cors: { origins: ["https://app.example"] } });
    const plain = await harness.ask(handle, "/files/film.mp4", { method: "OPTIONS" });
    expect(plain.status).toBe(204);
    expect(plain.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
    const preflight = await harness.ask(handle, "/files/film.mp4", {
      method: "OPTIONS",
      headers: { origin: "https://app.example", "access-control-request-method": "GET" },
    });
    expect(preflight.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("range");
    expect(harness.source.opens).toEqual([]);
  });

  it.each(["/", "/healthz", "/favicon.ico"])("answers OPTIONS on %s", async (path) => {
    const init = { method: "OPTIONS" };
    const { status, headers, bytes } = await harness.ask(harness.handlerFor(), path, init);
    expect([status, headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"]);
    expect(bytes).toHaveLength(0);
  });

  it("grants CORS on refusals too", async () => {
    const handle = harness.handlerFor({ cors: { origins: "*" } });
    const headers = { origin: "https://app.example" };
    for (const path of ["/files/film.mp4", "/files/nothing"]) {
      const answer = await harness.ask(handle, path, { headers });
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    }
  });
});

describe("paths", () => {
  it.each(["/files/..%2Fsecret", "/files/a%00b", "/files/%ff", "/files/%zz", "/files/..%5Csecret"])(
    "refuses %s without asking the store",
    async (path) => {
      const { status, bytes } = await harness.ask(harness.handlerFor(), path);
      expect(status).toBe(400);
      expect(problemOf(bytes)).toMatchObject({ code: "bad-path" });
      expect(harness.source.opens).toEqual([]);
      await harness.settled();
      expect(harness.begun[0]).toMatchObject({ mount: "files", key: null });
    },
  );

  it("hands on the decoded key once decoded, and its spelling", async () => {
    harness.source.objects.set("a b/%41.txt", { ...film, size: 3 });
    const { status } = await harness.ask(
      harness.handlerFor(),
      "/files/a%20b%2F%2541.txt?x=1&download",
    );
    expect(status).toBe(200);
    expect(harness.source.opens[0]).toMatchObject({
      key: "a b/%41.txt",
      rawKey: "a%20b%2F%2541.txt",
    });
    expect(harness.source.opens[0]?.query).toBeUndefined();
  });

  it("passes the query on, without our own names, only where the mount says so", async () => {
    const handle = harness.handlerFor({ passQuery: true });
    await harness.ask(
      handle,
      "/files/film.mp4?a=%20b&download=x&explain&versionId=3&c&edge-expires=1&edge%2Dsignature=s",
    );
    expect(harness.source.opens[0]).toMatchObject({
      query: "?a=%20b&versionId=3&c",
      version: undefined,
    });
    await harness.ask(handle, "/files/film.mp4?download");
    expect(harness.source.opens[1]?.query).toBeUndefined();
  });

  it("passes a version on only where the mount has versions, and refuses it elsewhere", async () => {
    await harness.ask(harness.handlerFor({ versions: true }), "/files/film.mp4?versionId=v%2F1");
    expect(harness.source.opens[0]?.version).toBe("v/1");
    const { status } = await harness.ask(harness.handlerFor(), "/files/film.mp4?versionId=v1");
    expect(status).toBe(501);
    expect(harness.source.opens).toHaveLength(1);
    await harness.settled();
    expect(harness.finishes[1]).toMatchObject({ status: 501, error: { kind: "unsupported" } });
  });

  it("answers directories without their index object as missing", async () => {
    harness.source.list = async () => ({ entries: [], prefixes: ["a/"] });
    const handle = harness.handlerFor({ index: "index.html" });
    expect((await harness.ask(handle, "/files/docs/")).status).toBe(404);
  });

  it("answers directories with the index object, where there is one", async () => {
    harness.source.objects.set("index.html", { ...film, size: 3, headers: {} });
    harness.source.objects.set("docs/index.html", { ...film, size: 4, headers: {} });
    const handle = harness.handlerFor({ index: "index.html" });
    for (const [path, size] of [
      ["/files", 3],
      ["/files/", 3],
      ["/files/docs/", 4],
    ] as const) {
      const { headers, bytes } = await harness.ask(handle, path);
      expect(bytes).toHaveLength(size);
      expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
    }
    expect(harness.source.opens.map(({ rawKey }) => rawKey)).toEqual([
      "index.html",
      "index.html",
      "docs/index.html",
    ]);
  });

  it("never asks a store for nothing, unless the mount's own path has an answer", async () => {
    expect((await harness.ask(harness.handlerFor(), "/files/")).status).toBe(404);
    expect(harness.source.opens).toEqual([]);
    harness.source.objects.set("", { ...film, size: 3 });
    expect((await harness.ask(harness.handlerFor({ root: true }), "/files/")).bytes).toHaveLength(
      3,
    );
  });

  it("reveals nothing with a 404: missing, unmounted and hidden look the same", async () => {
    const hide = async () => new ReadaheadError("not-found", "Hidden film.mp4");
    const bodies = await Promise.all([
      harness.ask(harness.handlerFor(), "/files/nothing"),
      harness.ask(harness.handlerFor(), "/elsewhere"),
      harness.ask(harness.handlerFor({ authorise: hide }), "/files/film.mp4"),
    ]);
    const texts = bodies.map(({ bytes }) => ({ ...problemOf(bytes), request_id: "" }));
    expect(new Set(texts.map((text) => JSON.stringify(text))).size).toBe(1);
  });
});
