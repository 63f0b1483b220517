import { describe, expect, it } from "vitest";
import { byteLength, intersect } from "../../src/readahead/byte-range.ts";

describe("intersect", () => {
  it("keeps the bytes of both ranges", () => {
    expect(intersect({ start: 0, end: 4 }, { start: 2, end: 9 })).toEqual({ start: 2, end: 4 });
  });

  it("is nothing where ranges only touch", () => {
    expect(intersect({ start: 0, end: 4 }, { start: 4, end: 9 })).toBeUndefined();
  });
});

describe("byteLength", () => {
  it("counts the bytes of a half-open range", () => {
    expect(byteLength({ start: 3, end: 3 })).toBe(0);
    expect(byteLength({ start: 3, end: 10 })).toBe(7);
  });
});
