import { expect, it } from "vitest";
import { formatBytes, formatDuration, formatRanges, formatRate } from "../../cli/quantities.ts";

it.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.00 kB"],
  [9994, "9.99 kB"],
  [9996, "10.0 kB"],
  [99_960, "100 kB"],
  [999_499, "999 kB"],
  [999_600, "1.00 MB"],
  [5e15, "5000 TB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

it.each([
  [999, "999 ms"],
  [3450, "3.45 s"],
  [725_000, "12 min 5 s"],
  [3_599_000, "59 min 59 s"],
  [3_600_000, "1 h 0 min"],
  [10_920_000, "3 h 2 min"],
])("%d ms are %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

it("a rate needs time to pass, and a range may have no end", () => {
  expect([formatRate(2_000_000, 1000), formatRate(1, 0)]).toEqual(["2.00 MB/s", "- MB/s"]);
  expect(formatRanges([])).toBe("");
  expect(formatRanges([[5, null]])).toBe("[5, ...)");
  expect(
    formatRanges([
      [0, 1],
      [2, 3],
      [4, 5],
    ]),
  ).toBe("[0, 1) and 2 more");
});
