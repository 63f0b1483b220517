import { describe, expect, it } from "vitest";
import { askAheadBytes } from "../../src/readahead/ask-ahead.ts";
import { MiB } from "../support/units.ts";

describe("askAheadBytes", () => {
  it("starts at 1 MiB", () => {
    expect(askAheadBytes(0, 0)).toBe(MiB);
    expect(askAheadBytes(0, 1_000)).toBe(MiB);
  });

  it("does not grow while a kernel may be swallowing at a gulp", () => {
    expect(askAheadBytes(16 * MiB, 99)).toBe(MiB);
  });

  it("grows by half of the first 8 MiB, which a kernel may have swallowed", () => {
    expect(askAheadBytes(2 * MiB, 100)).toBe(2 * MiB);
    expect(askAheadBytes(8 * MiB, 100)).toBe(5 * MiB);
  });

  it("is no bound beyond, so that a long download gets its whole window", () => {
    expect(askAheadBytes(8 * MiB + 1, 100)).toBe(Number.POSITIVE_INFINITY);
  });
});
