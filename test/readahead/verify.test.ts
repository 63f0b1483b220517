import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import type { Asked } from "../../src/readahead/verify.ts";
import { retryAfterMs, statusError, verifyAnswer } from "../../src/readahead/verify.ts";

const modified = "Tue, 03 Nov 2026 10:00:00 GMT";
const later = "Tue, 03 Nov 2026 10:00:01 GMT";

function answer(status: number, headers: Record<string, string> = {}) {
  return { status, headers: new Headers(headers) };
}

const byTag: Asked = {
  want: { start: 10, end: 20 },
  known: { size: 100, etag: '"a"', pin: { by: "etag", value: '"a"' }, headers: {} },
};
const byDate: Asked = {
  want: { start: 10, end: 20 },
  known: {
    size: 100,
    lastModified: Date.parse(modified),
    pin: { by: "last-modified", value: modified },
    headers: {},
  },
};
const trusting: Asked = {
  want: { start: 10, end: 20 },
  known: { size: 100, etag: 'W/"a"', headers: {} },
};

type Headed = Record<string, string>;

function outcome(asked: Asked, status: number, headers: Record<string, string> = {}) {
  try {
    return verifyAnswer(asked, answer(status, headers));
  } catch (error) {
    if (!(error instanceof ReadaheadError)) throw error;
    return error.size === undefined ? error.kind : { [error.kind]: error.size };
  }
}

describe("verifyAnswer when opening", () => {
  const open = (want: Asked["want"]): Asked => ({ want });
  const range = (text: string) => ({ "content-range": text });
  const table: [string, Asked["want"], number, Headed, unknown][] = [
    [
      "the exact range",
      { start: 0, end: 10 },
      206,
      { ...range("bytes 0-9/100"), "content-length": "10" },
      { kind: "part", range: { start: 0, end: 10 }, size: 100 },
    ],
    [
      "a range clipped at the size",
      { start: 5, end: 500 },
      206,
      range("bytes 5-99/100"),
      { kind: "part", range: { start: 5, end: 100 }, size: 100 },
    ],
    [
      "an open end",
      { start: 5 },
      206,
      range("bytes 5-99/100"),
      { kind: "part", range: { start: 5, end: 100 }, size: 100 },
    ],
    [
      "a suffix",
      { suffix: 7 },
      206,
      range("bytes 93-99/100"),
      { kind: "part", range: { start: 93, end: 100 }, size: 100 },
    ],
    [
      "a suffix longer than the object",
      { suffix: 700 },
      206,
      range("bytes 0-99/100"),
      { kind: "part", range: { start: 0, end: 100 }, size: 100 },
    ],
    [
      "an unknown size with the exact range",
      { start: 0, end: 10 },
      206,
      range("bytes 0-9/*"),
      { kind: "part", range: { start: 0, end: 10 }, size: undefined },
    ],
    ...(
      [
        ["less", { start: 0, end: 10 }, { start: 0, end: 9 }],
        ["an open end", { start: 3 }, { start: 3, end: 9 }],
        ["a suffix", { suffix: 5 }, { start: 4, end: 9 }],
        ["a suffix longer than the object", { suffix: 10 }, { start: 0, end: 9 }],
      ] as const
    ).map(([what, want, answered]): [string, Asked["want"], number, Headed, unknown] => [
      `an unknown size, ${what}: the source has to settle it`,
      want,
      206,
      range(`bytes ${answered.start}-8/*`),
      { kind: "part", range: answered, size: undefined },
    ]),
    ["an unknown size with more", { start: 0, end: 8 }, 206, range("bytes 0-8/*"), "protocol"],
    ["an unknown size, another start", { start: 1 }, 206, range("bytes 0-8/*"), "protocol"],
    ["an unknown size, a short suffix", { suffix: 6 }, 206, range("bytes 4-8/*"), "protocol"],
    ["an unknown size, a long suffix", { suffix: 4 }, 206, range("bytes 4-8/*"), "protocol"],
    ["another start", { start: 1, end: 10 }, 206, range("bytes 0-9/100"), "protocol"],
    ["an end short of the size", { start: 0, end: 10 }, 206, range("bytes 0-8/100"), "protocol"],
    ["more than asked", { start: 0, end: 10 }, 206, range("bytes 0-10/100"), "protocol"],
    ["no Content-Range", { start: 0, end: 10 }, 206, {}, "protocol"],
    ["a malformed Content-Range", { start: 0, end: 10 }, 206, range("bytes 0-9"), "protocol"],
    [
      "multipart/byteranges",
      { start: 0, end: 10 },
      206,
      { ...range("bytes 0-9/100"), "content-type": "multipart/byteranges; boundary=x" },
      "protocol",
    ],
    [
      "a length that is not of the range",
      { start: 0, end: 10 },
      206,
      { ...range("bytes 0-9/100"), "content-length": "11" },
      "protocol",
    ],
    [
      "a gzip body",
      { start: 0, end: 10 },
      206,
      { ...range("bytes 0-9/100"), "content-encoding": "gzip" },
      "protocol",
    ],
    [
      "an encoding called identity",
      { start: 0, end: 10 },
      206,
      { ...range("bytes 0-9/100"), "content-encoding": "identity" },
      { kind: "part", range: { start: 0, end: 10 }, size: 100 },
    ],
    [
      "200 with a length",
      { start: 0, end: 9 },
      200,
      { "content-length": "77" },
      { kind: "whole", size: 77 },
    ],
    ["200 without a length", { start: 0, end: 9 }, 200, {}, { kind: "whole", size: undefined }],
    ["200 with a gzip body", { start: 0 }, 200, { "content-encoding": "gzip" }, "protocol"],
    [
      "416 of an empty object",
      { start: 0, end: 9 },
      416,
      range("bytes */0"),
      { kind: "refused", size: 0 },
    ],
    [
      "416 to a suffix of an empty object",
      { suffix: 9 },
      416,
      range("bytes */0"),
      { kind: "refused", size: 0 },
    ],
    [
      "416 past the end of an empty object",
      { start: 1 },
      416,
      range("bytes */0"),
      { kind: "refused", size: 0 },
    ],
    ["416 past the end", { start: 100 }, 416, range("bytes */100"), { kind: "refused", size: 100 }],
    ["416 that names no size", { start: 100 }, 416, {}, { kind: "refused" }],
    ["416 without a size from the start", { start: 0, end: 9 }, 416, {}, { kind: "refused" }],
    ["304", { start: 0 }, 304, {}, { kind: "judged" }],
    ["412", { start: 0 }, 412, {}, { kind: "judged" }],
    ["401", { start: 0 }, 401, {}, "denied"],
    ["403", { start: 0 }, 403, {}, "denied"],
    ["404", { start: 0 }, 404, {}, "not-found"],
    ["410", { start: 0 }, 410, {}, "not-found"],
    ["408", { start: 0 }, 408, {}, "unavailable"],
    ["429", { start: 0 }, 429, {}, "throttled"],
    ["500", { start: 0 }, 500, {}, "unavailable"],
    ["503", { start: 0 }, 503, {}, "unavailable"],
    ["503 with Retry-After", { start: 0 }, 503, { "retry-after": "1" }, "throttled"],
    [
      "204, as hapi answers what is empty",
      { start: 0 },
      204,
      {},
      { kind: "whole", size: undefined },
    ],
    [
      "a 206 of nothing, as Go answers it",
      { suffix: 5 },
      206,
      { "content-range": "bytes 0--1/0" },
      { kind: "refused", size: 0 },
    ],
    ["302", { start: 0 }, 302, {}, "protocol"],
    ["400", { start: 0 }, 400, {}, "protocol"],
  ];
  for (const [what, want, status, headers, expected] of table) {
    it(`judges ${what}: ${JSON.stringify(expected)}`, () => {
      expect(outcome(open(want), status, headers)).toEqual(expected);
    });
  }

  it("lets a stored encoding pass where the source says it arrives as stored", () => {
    const asked: Asked = { want: { start: 0, end: 10 }, storedEncoding: true };
    const headers = { "content-range": "bytes 0-9/100", "content-encoding": "gzip" };
    expect(outcome(asked, 206, headers)).toMatchObject({ kind: "part" });
  });
});

describe("verifyAnswer on a later read", () => {
  const good = { "content-range": "bytes 10-19/100", etag: '"a"' };
  const dated = { "content-range": "bytes 10-19/100", "last-modified": modified };
  const part = { kind: "part", range: { start: 10, end: 20 }, size: 100 };
  const table: [string, Asked, number, Record<string, string>, unknown][] = [
    ["the same tag", byTag, 206, good, part],
    ["a star for the size", byTag, 206, { ...good, "content-range": "bytes 10-19/*" }, part],
    ["less", byTag, 206, { ...good, "content-range": "bytes 10-18/*" }, "protocol"],
    ["another tag", byTag, 206, { ...good, etag: '"b"' }, "changed"],
    ["the tag made weak", byTag, 206, { ...good, etag: 'W/"a"' }, "changed"],
    ["no tag", byTag, 206, { "content-range": "bytes 10-19/100" }, "protocol"],
    ["another size", byTag, 206, { ...good, "content-range": "bytes 10-19/99" }, "changed"],
    ["the same tag, another date", byTag, 206, { ...good, "last-modified": later }, part],
    [
      "an encoding all of a sudden",
      byTag,
      206,
      { ...good, "content-encoding": "gzip" },
      "protocol",
    ],
    ["412", byTag, 412, {}, "changed"],
    ["200", byTag, 200, { etag: '"a"' }, "protocol"],
    ["204", byTag, 204, { etag: '"a"' }, "protocol"],
    ["a 206 of nothing", byTag, 206, { "content-range": "bytes 0--1/0" }, "protocol"],
    ["200 of another version", byTag, 200, { etag: '"b"' }, "changed"],
    ["416 of a shorter object", byTag, 416, { "content-range": "bytes */5" }, "changed"],
    ["416 of another version", byTag, 416, { etag: '"b"' }, "changed"],
    ["416 for no reason", byTag, 416, { "content-range": "bytes */100" }, "protocol"],
    ["304", byTag, 304, {}, "protocol"],
    ["404", byTag, 404, {}, "not-found"],
    ["the same date and size", byDate, 206, dated, part],
    ["another date", byDate, 206, { ...dated, "last-modified": later }, "changed"],
    ["no date", byDate, 206, { "content-range": "bytes 10-19/100" }, "protocol"],
    [
      "the date without a size",
      byDate,
      206,
      { ...dated, "content-range": "bytes 10-19/*" },
      "protocol",
    ],
    ["a weak tag that agrees", trusting, 206, { ...good, etag: 'W/"a"' }, part],
    ["a weak tag that differs", trusting, 206, { ...good, etag: 'W/"b"' }, "changed"],
    ["no validators where none pin", trusting, 206, { "content-range": "bytes 10-19/100" }, part],
  ];
  for (const [what, asked, status, headers, expected] of table) {
    it(`judges ${what}: ${JSON.stringify(expected)}`, () => {
      expect(outcome(asked, status, headers)).toEqual(expected);
    });
  }

  it("takes no less where no size was ever known", () => {
    const asked: Asked = { want: { start: 10, end: 20 }, known: { size: undefined, headers: {} } };
    const star = (text: string) => ({ "content-range": `bytes ${text}/*` });
    expect(outcome(asked, 206, star("10-18"))).toBe("protocol");
    expect(outcome(asked, 206, star("10-19"))).toEqual({ ...part, size: undefined });
  });

  it("requires the stored encoding on every answer", () => {
    const asked: Asked = {
      want: { start: 10, end: 20 },
      known: {
        size: 100,
        etag: '"a"',
        pin: { by: "etag", value: '"a"' },
        headers: { "content-encoding": "gzip" },
      },
    };
    expect(outcome(asked, 206, { ...good, "content-encoding": "gzip" })).toEqual(part);
    expect(outcome(asked, 206, good)).toBe("protocol");
  });
});

describe("retryAfterMs", () => {
  const now = Date.parse(modified);
  it("reads seconds", () => {
    expect(retryAfterMs(new Headers({ "retry-after": "7" }), now)).toBe(7000);
  });
  it("counts a date from the answer's Date, else from now", () => {
    expect(retryAfterMs(new Headers({ "retry-after": later }), now)).toBe(1000);
    const skewed = new Headers({ "retry-after": later, date: later });
    expect(retryAfterMs(skewed, now)).toBe(0);
  });
  it("ignores nonsense", () => {
    expect(retryAfterMs(new Headers({ "retry-after": "soon" }), now)).toBeUndefined();
    expect(retryAfterMs(new Headers(), now)).toBeUndefined();
  });
});

describe("statusError", () => {
  it("carries status, replica and the wait that was asked for", () => {
    const error = statusError(answer(429, { "retry-after": "2" }), { replica: "a" });
    expect(error).toMatchObject({
      kind: "throttled",
      status: 429,
      replica: "a",
      retryAfterMs: 2000,
    });
  });
});
