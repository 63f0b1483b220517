import { describe, expect, it } from "vitest";
import {
  formatContentRange,
  formatUnsatisfiedRange,
  parseContentRange,
} from "../../src/readahead/content-range.ts";

describe("parseContentRange", () => {
  const table: [string, ReturnType<typeof parseContentRange>][] = [
    ["bytes 0-4/10", { range: { start: 0, end: 5 }, size: 10 }],
    ["bytes 9-9/10", { range: { start: 9, end: 10 }, size: 10 }],
    ["Bytes 0-0/1", { range: { start: 0, end: 1 }, size: 1 }],
    ["bytes 5-9/*", { range: { start: 5, end: 10 } }],
    ["bytes */10", { size: 10 }],
    ["bytes */0", { size: 0 }],
    ["bytes */*", undefined],
    ["bytes 0-10/10", undefined],
    ["bytes 5-4/10", undefined],
    ["bytes 0-4/10, bytes 5-9/10", undefined],
    ["bytes -4/10", undefined],
    ["bytes 0-/10", undefined],
    ["bytes=0-4/10", undefined],
    ["chunks 0-4/10", undefined],
    ["bytes 0-9007199254740991/9007199254740992", undefined],
    ["bytes 0-4/99999999999999999", undefined],
    ["", undefined],
  ];
  for (const [text, expected] of table) {
    it(`reads ${JSON.stringify(text)} as ${JSON.stringify(expected) ?? "malformed"}`, () => {
      expect(parseContentRange(text)).toEqual(expected);
    });
  }
});

describe("formatContentRange", () => {
  it("writes what parseContentRange reads back", () => {
    for (const value of [
      { range: { start: 0, end: 5 }, size: 10 },
      { range: { start: 7, end: 8 }, size: undefined },
    ]) {
      const text = formatContentRange(value.range, value.size);
      expect({ size: undefined, ...parseContentRange(text) }).toEqual(value);
    }
    expect(parseContentRange(formatUnsatisfiedRange(0))).toEqual({ size: 0 });
  });
});
