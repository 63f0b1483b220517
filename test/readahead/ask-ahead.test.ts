import { describe, expect, it } from "vitest";
import { askAheadBytes } from "../../src/readahead/ask-ahead.ts";

const MIB = 1024 * 1024;

describe("askAheadBytes", () => {
  it("starts at 1 MiB", () => {
    expect(askAheadBytes(0, 0)).toBe(MIB);
    expect(askAheadBytes(0, 1_000)).toBe(MIB);
  });

  it("does not grow while a kernel may be swallowing at a gulp", () => {
    expect(askAheadBytes(16 * MIB, 99)).toBe(MIB);
  });

  it("grows by half of the first 8 MiB, which a kernel may have swallowed", () => {
    expect(askAheadBytes(2 * MIB, 100)).toBe(2 * MIB);
    expect(askAheadBytes(8 * MIB, 100)).toBe(5 * MIB);
  });

  it("is no bound beyond, so that a long download gets its whole window", () => {
    expect(askAheadBytes(8 * MIB + 1, 100)).toBe(Number.POSITIVE_INFINITY);
  });
});
