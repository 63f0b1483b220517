import { describe, expect, it } from "vitest";
import { askAheadBytes, mayAsk } from "../../src/readahead/ask-ahead.ts";

const MIB = 1024 * 1024;

describe("askAheadBytes", () => {
  it("starts at 1 MiB", () => {
    expect(askAheadBytes(0)).toBe(MIB);
  });

  it("grows by half of the first 8 MiB, which a kernel may have swallowed at a gulp", () => {
    expect(askAheadBytes(2 * MIB)).toBe(2 * MIB);
    expect(askAheadBytes(8 * MIB)).toBe(5 * MIB);
  });

  it("grows fast beyond, so that a long download gets its whole window", () => {
    expect(askAheadBytes(18 * MIB)).toBeGreaterThanOrEqual(6 * 4 * MIB);
  });
});

describe("mayAsk", () => {
  it("lets parts that fit be asked for at once, however many", () => {
    expect(mayAsk(15 * 64 * 1024, 0, 64 * 1024)).toBe(true);
    expect(mayAsk(16 * 64 * 1024, 0, 1)).toBe(false);
  });
});
