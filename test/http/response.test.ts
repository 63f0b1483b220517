import { describe, expect, it } from "vitest";
import { decide } from "../../src/http/decision.ts";
import { parseRange } from "../../src/http/range.ts";
import { notModifiedHeaders, objectHeaders } from "../../src/http/response.ts";
import type { Facts, OpenObject } from "../../src/sources/source.ts";

const facts: Facts = {
  size: 1_000,
  etag: '"v1"',
  lastModified: Date.UTC(2026, 0, 15),
  headers: { "cache-control": "max-age=60", "content-language": "en", expires: "0" },
};
type Judged = Parameters<typeof decide>[1];

function decideOn(object: Judged, fields: Readonly<Record<string, string>> = {}) {
  const headers = new Headers(fields);
  return decide(
    { headers, specs: parseRange(headers.get("range")), now: Date.UTC(2026, 1, 1) },
    object,
  );
}

describe("decide", () => {
  it.each<[string, Readonly<Record<string, string>>, Partial<OpenObject>, object]>([
    ["no range", {}, {}, { kind: "whole", range: { start: 0, end: 1_000 } }],
    ["one range", { range: "bytes=0-9" }, {}, { kind: "single", range: { start: 0, end: 10 } }],
    ["two ranges", { range: "bytes=0-9,500-" }, {}, { kind: "several" }],
    [
      "two ranges that join",
      { range: "bytes=0-9,10-19" },
      {},
      { kind: "single", range: { start: 0, end: 20 } },
    ],
    ["past the end", { range: "bytes=1000-" }, {}, { kind: "unsatisfiable", size: 1_000 }],
    [
      "304 before 416",
      { range: "bytes=1000-", "if-none-match": '"v1"' },
      {},
      { kind: "not-modified" },
    ],
    [
      "412 before 416",
      { range: "bytes=1000-", "if-match": '"v2"' },
      {},
      { kind: "precondition-failed" },
    ],
    ["If-Range failed", { range: "bytes=1000-", "if-range": '"v2"' }, {}, { kind: "whole" }],
    [
      "unknown size",
      { range: "bytes=0-9" },
      { facts: { ...facts, size: undefined } },
      { kind: "whole", range: { start: 0, end: Infinity } },
    ],
    [
      "an origin that ignores Range",
      { range: "bytes=0-9" },
      { rangeable: false },
      { kind: "whole", range: { start: 0, end: 1_000 } },
    ],
    ["the store's 304", {}, { verdict: "not-modified" }, { kind: "not-modified" }],
    [
      "the store's 304 without the tag that the question was of",
      { "if-match": '"v1"', "if-none-match": '"v1"' },
      { verdict: "not-modified", facts: { ...facts, etag: undefined, lastModified: 1_000 } },
      { kind: "not-modified" },
    ],
    ["the store's 412", {}, { verdict: "precondition-failed" }, { kind: "precondition-failed" }],
    [
      "the store's 412 of a date that it does not show, before a 304 of the tag",
      { "if-unmodified-since": "Thu, 15 Jan 2026 00:00:00 GMT", "if-none-match": '"v1"' },
      { verdict: "precondition-failed", facts: { ...facts, lastModified: undefined } },
      { kind: "precondition-failed" },
    ],
    [
      "an S3 part",
      {},
      { s3Part: { start: 10, end: 20 } },
      { kind: "single", range: { start: 10, end: 20 } },
    ],
    [
      "an empty part by its number",
      {},
      { s3Part: { start: 0, end: 0 } },
      { kind: "whole", range: { start: 0, end: 1_000 } },
    ],
    [
      "several of an encoded object",
      { range: "bytes=0-9,500-" },
      { facts: { ...facts, headers: { "content-encoding": "gzip" } } },
      { kind: "whole" },
    ],
    [
      "one of an encoded object",
      { range: "bytes=0-9" },
      { facts: { ...facts, headers: { "content-encoding": "gzip" } } },
      { kind: "single" },
    ],
  ])("%s", (_name, fields, object, expected) => {
    expect(decideOn({ facts, ...object }, fields)).toMatchObject(expected);
  });
});

describe("objectHeaders", () => {
  function headersOf(
    object: Judged,
    fields: Readonly<Record<string, string>> = {},
    more: Partial<Parameters<typeof objectHeaders>[2]> = {},
  ) {
    const acceptEncoding = fields["accept-encoding"] ?? null;
    return Object.fromEntries(
      objectHeaders(object, decideOn(object, fields), {
        key: "a/b.txt",
        acceptEncoding,
        length: 7,
        ...more,
      }),
    );
  }

  it("has the validators, the length, and what the store passes on", () => {
    expect(headersOf({ facts })).toEqual({
      "accept-ranges": "bytes",
      "cache-control": "max-age=60",
      "content-language": "en",
      "content-length": "7",
      "content-type": "text/plain; charset=utf-8",
      etag: '"v1"',
      expires: "0",
      "last-modified": "Thu, 15 Jan 2026 00:00:00 GMT",
      "x-content-type-options": "nosniff",
    });
  });

  it("names the range of a 206", () => {
    expect(headersOf({ facts }, { range: "bytes=-10" })["content-range"]).toBe(
      "bytes 990-999/1000",
    );
  });

  it("keeps the store's Content-Type", () => {
    const typed = { ...facts, headers: { "content-type": "video/x-own" } };
    expect(headersOf({ facts: typed })).toMatchObject({ "content-type": "video/x-own" });
    expect(headersOf({ facts: typed })).not.toHaveProperty("x-content-type-options");
  });

  it("promises no ranges where there are none", () => {
    expect(headersOf({ facts, rangeable: false })).not.toHaveProperty("accept-ranges");
    const sizeless = headersOf({ facts: { ...facts, size: undefined } }, {}, { length: undefined });
    expect(sizeless).not.toHaveProperty("accept-ranges");
    expect(sizeless).not.toHaveProperty("content-length");
  });

  it("lets the mount overrule Cache-Control, and the client the disposition", () => {
    const headers = headersOf({ facts }, {}, { cacheControl: "no-store", attachment: "" });
    expect(headers["cache-control"]).toBe("no-store");
    expect(headers["content-disposition"]).toBe('attachment; filename="b.txt"');
  });

  it("passes Age on, but not beside a Cache-Control of the mount's", () => {
    const aged = { ...facts, headers: { "cache-control": "max-age=86400", age: "80000" } };
    const own = { cacheControl: "max-age=60" };
    expect(headersOf({ facts: aged })["age"]).toBe("80000");
    expect(headersOf({ facts: aged }, {}, own)).not.toHaveProperty("age");
    expect(notModifiedHeaders(aged, {}).get("age")).toBe("80000");
    expect(notModifiedHeaders(aged, own).get("age")).toBeNull();
  });

  it("names a coding only where something on the way would add one", () => {
    const gzip = { "accept-encoding": "gzip, br" };
    expect(headersOf({ facts }, gzip)["content-encoding"]).toBe("identity");
    expect(headersOf({ facts }, { "accept-encoding": "identity" })).not.toHaveProperty(
      "content-encoding",
    );
    expect(headersOf({ facts }, gzip, { key: "film.mp4" })).not.toHaveProperty("content-encoding");
    const stored = { ...facts, headers: { "content-encoding": "gzip" } };
    expect(headersOf({ facts: stored }, gzip)["content-encoding"]).toBe("gzip");
    expect(headersOf({ facts: stored })["content-encoding"]).toBe("gzip");
    const film = { key: "film.mp4" };
    const plain = { "accept-encoding": "identity" };
    expect(headersOf({ facts: stored }, plain, film)["content-encoding"]).toBe("gzip");
  });

  it.each([
    ["gzip", "gzip", "gzip"],
    ["gzip", "gzip, deflate, br, zstd", "gzip"],
    ["gzip", "br;q=0.5, gzip", "gzip"],
    ["gzip", "br, gzip", "GZIP"],
    ["gzip", "gzip;q=0.5, identity", "GZIP"],
    ["gzip", "identity", "GZIP"],
    ["gzip", "gzip;q=0", "GZIP"],
    ["gzip", "*", "GZIP"],
    ["br", "gzip, br", "BR"],
    ["br", "br", "br"],
    ["zstd", "gzip", "zstd"],
  ])("names the stored coding %s to a client that accepts %s as %s", (coding, accept, named) => {
    const stored = { ...facts, headers: { "content-encoding": coding } };
    const headers = headersOf({ facts: stored }, { "accept-encoding": accept });
    expect(headers["content-encoding"]).toBe(named);
  });
});

describe("notModifiedHeaders", () => {
  it("repeats what a cache must update and nothing about a body", () => {
    expect(Object.fromEntries(notModifiedHeaders(facts, {}))).toEqual({
      "cache-control": "max-age=60",
      etag: '"v1"',
      expires: "0",
      "last-modified": "Thu, 15 Jan 2026 00:00:00 GMT",
    });
    expect(notModifiedHeaders(facts, { cacheControl: "no-cache" }).get("cache-control")).toBe(
      "no-cache",
    );
  });
});
