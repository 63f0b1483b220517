import { describe, expect, it } from "vitest";
import { judge, quantile, summarise } from "../../bench/harness/stats.ts";
import type { Bar, RunResult } from "../../bench/harness/suite.ts";

function runs(...values: number[]): RunResult[] {
  return values.map((mbps) => ({ values: { mbps }, firstByteMs: [] }));
}

function judged(bar: Partial<Bar>, table: Readonly<Record<string, RunResult[]>>) {
  const whole: Bar = { text: "", metric: "mbps", of: "ours", ...bar };
  return judge(whole, (name) => summarise(table[name] ?? [], "mbps"));
}

describe("quantile", () => {
  it("takes the middle, between two where there are two", () => {
    expect(quantile([5, 1, 3], 0.5)).toBe(3);
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  });

  it("takes the 99th of 100 for p99", () => {
    expect(
      quantile(
        Array.from({ length: 100 }, (_, i) => i + 1),
        0.99,
      ),
    ).toBe(99);
  });
});

describe("judge", () => {
  it("compares medians, and every round with itself for the spread", () => {
    const result = judged(
      { over: "base", atLeast: 2 },
      { ours: runs(20, 30, 40), base: runs(10, 10, 10) },
    );
    expect(result).toMatchObject({ value: 3, spread: [2, 4], verdict: "pass", gross: false });
  });

  it("tolerates five per cent and not more", () => {
    const at = (value: number) => judged({ atLeast: 100 }, { ours: runs(value) }).verdict;
    expect([at(100), at(95), at(94.9)]).toEqual(["pass", "tolerated", "MISS"]);
    const above = (value: number) => judged({ atMost: 100 }, { ours: runs(value) }).verdict;
    expect([above(100), above(105), above(105.1)]).toEqual(["pass", "tolerated", "MISS"]);
  });

  it("takes the best of several peers", () => {
    const table = { ours: runs(12), slow: runs(1), fast: runs(10) };
    expect(judged({ over: ["slow", "fast"], atLeast: 1 }, table).value).toBeCloseTo(1.2);
  });

  it("says that nothing was measured when a side is missing", () => {
    const result = judged({ over: "base", atLeast: 1 }, { ours: runs(1) });
    expect(result).toMatchObject({ verdict: "not measured", gross: true });
  });

  it("tells a gross regression from a missed bar", () => {
    const gross = (value: number) => judged({ atLeast: 10 }, { ours: runs(value) }).gross;
    expect([gross(7), gross(5)]).toEqual([false, true]);
    const above = (value: number, bar: Partial<Bar>) =>
      judged({ atMost: 10, ...bar }, { ours: runs(value) }).gross;
    expect([above(20, {}), above(21, {})]).toEqual([false, true]);
    expect([above(30, { grossAbove: 30 }), above(31, { grossAbove: 30 })]).toEqual([false, true]);
  });
});
