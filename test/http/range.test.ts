import * as fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import {
  maxRangeSpecs,
  maxRanges,
  parseRange,
  type RangeSpec,
  resolveRanges,
  wantOf,
} from "../../src/http/range.ts";
import { intersect } from "../../src/readahead/byte-range.ts";
import { rangeHeader } from "../../src/sources/request-headers.ts";

// Properties take their time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

const max = Number.MAX_SAFE_INTEGER;

describe("parseRange", () => {
  it("reads a field of a million blanks in one go", () => {
    // Looked through from each of them, they would take minutes.
    expect(parseRange(`bytes=0-1${" ".repeat(1_000_000)}x`)).toBeUndefined();
    expect(parseRange(`bytes= 0-1${"\t ".repeat(500_000)}`)).toEqual([{ start: 0, end: 2 }]);
  });

  it.each<[string, string | null, readonly RangeSpec[]]>([
    ["first and last position", "bytes=0-99", [{ start: 0, end: 100 }]],
    ["open end", "bytes=100-", [{ start: 100 }]],
    ["one byte", "bytes=7-7", [{ start: 7, end: 8 }]],
    ["suffix", "bytes=-5", [{ suffix: 5 }]],
    ["suffix of nothing", "bytes=-0", [{ suffix: 0 }]],
    ["unit in capitals", "BYTES=0-0", [{ start: 0, end: 1 }]],
    ["several", "bytes=0-0,2-3,-1", [{ start: 0, end: 1 }, { start: 2, end: 4 }, { suffix: 1 }]],
    [
      "spaces and tabs around the commas",
      "bytes=0-0 ,\t 2-3",
      [
        { start: 0, end: 1 },
        { start: 2, end: 4 },
      ],
    ],
    ["a space after the equals sign", "bytes= 0-0", [{ start: 0, end: 1 }]],
    [
      "empty list elements",
      "bytes=,0-0,,2-3,",
      [
        { start: 0, end: 1 },
        { start: 2, end: 4 },
      ],
    ],
    ["leading zeros", "bytes=0000-0099", [{ start: 0, end: 100 }]],
    ["last position beyond 2^53", "bytes=5-99999999999999999999", [{ start: 5, end: max }]],
    ["first position beyond 2^53", "bytes=99999999999999999999-", [{ start: max }]],
    ["last position of exactly 2^53 - 1", `bytes=0-${max}`, [{ start: 0, end: max }]],
    ["suffix beyond 2^53", "bytes=-99999999999999999999", [{ suffix: max }]],
    ["more digits than a double can hold", `bytes=0-${"9".repeat(400)}`, [{ start: 0, end: max }]],
  ])("reads %s", (_name, text, specs) => {
    expect(parseRange(text)).toEqual(specs);
  });

  it.each<[string, string | null]>([
    ["absent", null],
    ["empty", ""],
    ["an unknown unit", "lines=0-1"],
    ["no unit", "0-1"],
    ["no equals sign", "bytes 0-1"],
    ["a space before the equals sign", "bytes =0-1"],
    ["no range", "bytes="],
    ["only commas", "bytes=,,"],
    ["inverted", "bytes=5-4"],
    ["inverted beyond 2^53", "bytes=99999999999999999999-99999999999999999998"],
    ["inverted among good ones", "bytes=0-1,5-4"],
    ["a lone dash", "bytes=-"],
    ["a negative suffix", "bytes=--5"],
    ["three numbers", "bytes=1-2-3"],
    ["letters", "bytes=a-b"],
    ["hexadecimal", "bytes=0x0-0x9"],
    ["a sign", "bytes=+1-2"],
    ["a fraction", "bytes=0.5-1"],
    ["spaces inside", "bytes=0 - 1"],
    ["a no-break space around", "bytes=\u00a00-1"],
    ["digits of another script", "bytes=٠-١"],
    ["semicolons", "bytes=0-1;2-3"],
    ["one bad spec at the end", "bytes=0-1,x"],
  ])("ignores a field that is %s", (_name, text) => {
    expect(parseRange(text)).toBeUndefined();
  });

  it("reads a thousand ranges and ignores a field with one more", () => {
    const field = (count: number) =>
      `bytes=${Array.from({ length: count }, (_, n) => `${n * 10}-${n * 10}`).join()}`;
    expect(parseRange(field(maxRangeSpecs))).toHaveLength(1_000);
    expect(parseRange(field(maxRangeSpecs + 1))).toBeUndefined();
  });

  it("reads back what we ask upstreams for, one range or several", () => {
    const number = fc.integer({ min: 0, max: max - 1 });
    const spec = fc.oneof(
      number.map((start): RangeSpec => ({ start })),
      number.map((suffix): RangeSpec => ({ suffix })),
      fc
        .tuple(number, number)
        .map(([a, b]): RangeSpec => ({ start: Math.min(a, b), end: Math.max(a, b) + 1 })),
    );
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 20 }), (specs) => {
        const texts = specs.map((each) => rangeHeader(each).replace("bytes=", ""));
        expect(parseRange(`bytes=${texts.join(",")}`)).toEqual(specs);
      }),
    );
  });

  it("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseRange(text);
        parseRange(`bytes=${text}`);
      }),
    );
  });
});

describe("wantOf", () => {
  const firstPart = 1_000;
  it.each<[string, readonly RangeSpec[] | undefined, ReturnType<typeof wantOf>]>([
    ["no range: the first part", undefined, { start: 0, end: 1_000 }],
    ["a short range: all of it", [{ start: 5, end: 10 }], { start: 5, end: 10 }],
    ["a long range: its first part", [{ start: 5, end: 5_000 }], { start: 5, end: 1_005 }],
    ["an open range: its first part", [{ start: 5 }], { start: 5, end: 1_005 }],
    ["a short suffix: as a suffix", [{ suffix: 1_000 }], { suffix: 1_000 }],
    ["a long suffix: facts", [{ suffix: 1_001 }], "facts"],
    ["a suffix of nothing: facts", [{ suffix: 0 }], "facts"],
    ["a start beyond 2^53: facts", [{ start: max }], "facts"],
    [
      "several: the first part of the first",
      [{ start: 5, end: 10 }, { suffix: 1 }],
      { start: 5, end: 10 },
    ],
  ])("%s", (_name, specs, want) => {
    expect(wantOf(specs, firstPart)).toEqual(want);
  });
});

describe("resolveRanges", () => {
  function ranges(...pairs: readonly (readonly [number, number])[]) {
    return { kind: "ranges", ranges: pairs.map(([start, end]) => ({ start, end })) };
  }
  function resolve(field: string, size: number) {
    const specs = parseRange(field);
    if (specs === undefined) throw new Error("The field of this test is malformed");
    return resolveRanges(specs, size);
  }

  it.each<
    [string, string, number, ReturnType<typeof resolveRanges>["kind"] | readonly [number, number][]]
  >([
    ["a range inside", "bytes=0-9", 100, [[0, 10]]],
    ["an end past the end", "bytes=90-200", 100, [[90, 100]]],
    ["an open end", "bytes=90-", 100, [[90, 100]]],
    ["the last byte", "bytes=99-99", 100, [[99, 100]]],
    ["a start at the end", "bytes=100-", 100, "unsatisfiable"],
    ["a start past the end", "bytes=101-200", 100, "unsatisfiable"],
    ["a start beyond 2^53", "bytes=99999999999999999999-", 100, "unsatisfiable"],
    ["a suffix", "bytes=-10", 100, [[90, 100]]],
    ["a suffix longer than the object", "bytes=-1000", 100, [[0, 100]]],
    ["a suffix of nothing", "bytes=-0", 100, "unsatisfiable"],
    ["an empty object, any start", "bytes=0-", 0, "unsatisfiable"],
    ["an empty object, one byte", "bytes=0-0", 0, "unsatisfiable"],
    ["an empty object, suffix of nothing", "bytes=-0", 0, "unsatisfiable"],
    ["an empty object, a suffix: satisfiable, but 206 cannot say it", "bytes=-5", 0, "whole"],
    [
      "several apart, in the order asked for",
      "bytes=500-509,0-9",
      1_000,
      [
        [500, 510],
        [0, 10],
      ],
    ],
    ["several, one of them past the end", "bytes=5000-,0-9", 1_000, [[0, 10]]],
    ["several, all past the end", "bytes=5000-,6000-", 1_000, "unsatisfiable"],
    [
      "joined ones where the first of them was asked for",
      "bytes=100-199,5000-5009,0-99",
      9_000,
      [
        [0, 200],
        [5_000, 5_010],
      ],
    ],
    ["many that touch as one", "bytes=0-9,10-19,20-29,30-39,40-49", 1_000, [[0, 50]]],
    ["touching ones as one", "bytes=0-9,10-19", 1_000, [[0, 20]]],
    ["overlapping ones as one", "bytes=0-99,50-149", 1_000, [[0, 150]]],
    ["one inside another as one", "bytes=0-99,10-19", 1_000, [[0, 100]]],
    ["a gap of 127 bytes as one", "bytes=0-0,128-128", 1_000, [[0, 129]]],
    [
      "a gap of 128 bytes as two",
      "bytes=0-0,129-129",
      1_000,
      [
        [0, 1],
        [129, 130],
      ],
    ],
    [
      "a joined range where its first member stood",
      "bytes=500-509,900-,0-9,510-519",
      1_000,
      [
        [500, 520],
        [900, 1_000],
        [0, 10],
      ],
    ],
    ["three overlaps: the whole object", "bytes=0-,0-,0-,0-", 1_000, "whole"],
    ["two overlaps: still ranges", "bytes=0-9,5-14,10-19", 1_000, [[0, 20]]],
  ])("answers %s", (_name, field, size, expected) => {
    const found = resolve(field, size);
    if (typeof expected === "string") expect(found).toEqual({ kind: expected });
    else expect(found).toEqual(ranges(...expected));
  });

  it("answers sixteen ranges and gives the whole object for seventeen", () => {
    const field = (count: number) =>
      `bytes=${Array.from({ length: count }, (_, n) => `${n * 1_000}-${n * 1_000}`).join()}`;
    expect(maxRanges).toBe(16);
    expect(resolve(field(maxRanges), 1e6)).toMatchObject({ kind: "ranges" });
    expect(resolve(field(maxRanges + 1), 1e6)).toEqual({ kind: "whole" });
    expect(resolve(field(1_000), 1e6)).toEqual({ kind: "whole" });
  });

  it("joins a thousand single bytes with tiny gaps into one range", () => {
    const field = `bytes=${Array.from({ length: 1_000 }, (_, n) => `${n * 2}-${n * 2}`).join()}`;
    expect(resolve(field, 1e6)).toEqual(ranges([0, 1_999]));
  });

  it("covers every byte asked for once, and no range leaves the object", () => {
    const position = fc.integer({ min: 0, max: 3_000 });
    const spec = fc.oneof(
      position.map((start): RangeSpec => ({ start })),
      position.map((suffix): RangeSpec => ({ suffix })),
      fc
        .tuple(position, position)
        .map(([start, length]): RangeSpec => ({ start, end: start + length + 1 })),
    );
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 6 }), position, (specs, size) => {
        const resolved = resolveRanges(specs, size);
        const asked = (byte: number) =>
          specs.some((one) =>
            "suffix" in one
              ? byte >= size - one.suffix
              : byte >= one.start && byte < (one.end ?? size),
          );
        const bytes = Array.from({ length: size }, (_, byte) => byte);
        if (resolved.kind === "unsatisfiable") {
          expect(bytes.some(asked)).toBe(false);
          return;
        }
        if (resolved.kind === "whole") return;
        for (const [index, range] of resolved.ranges.entries()) {
          expect(range.start).toBeGreaterThanOrEqual(0);
          expect(range.start).toBeLessThan(range.end);
          expect(range.end).toBeLessThanOrEqual(size);
          for (const other of resolved.ranges.slice(index + 1)) {
            expect(intersect(range, other)).toBeUndefined();
          }
        }
        const missed = bytes.filter(
          (byte) =>
            asked(byte) && !resolved.ranges.some(({ start, end }) => byte >= start && byte < end),
        );
        expect(missed).toEqual([]);
      }),
    );
  });
});
