/** Medians and spreads of rounds, ratios of medians, and whether a bar is met. */
import type { Bar, Metric, RunResult } from "./suite.ts";

/** A bar missed by less than this is within the noise of two shared cores, 5 %. */
const tolerance = 0.05;

export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: readonly number[];
}

export type Verdict = "pass" | "tolerated" | "MISS" | "not measured";

export interface BarResult {
  readonly text: string;
  readonly required: string;
  readonly value: number | undefined;
  /** Lowest and highest over the rounds, each round against itself. */
  readonly spread: readonly [number, number] | undefined;
  readonly verdict: Verdict;
  /** True when even 0.6 of the bar (or twice, for an upper one) is not kept. */
  readonly gross: boolean;
}

/** @param share 0 to 1. Nearest rank: a p99 of 100 values is the 99th. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  if (share === 0.5 && Number.isInteger(middle))
    return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The figure of one metric over the rounds, or `undefined` when no round yielded it. */
export function summarise(runs: readonly RunResult[], metric: Metric): Figure | undefined {
  const rounds = runs.map((run) => run.values[metric]).filter((value) => value !== undefined);
  if (rounds.length === 0) return undefined;
  const pooled = runs.flatMap((run) => run.firstByteMs);
  const median =
    metric === "firstByteP50Ms"
      ? quantile(pooled, 0.5)
      : metric === "firstByteP99Ms"
        ? quantile(pooled, 0.99)
        : quantile(rounds, 0.5);
  return { median, min: Math.min(...rounds), max: Math.max(...rounds), rounds };
}

/** Judges one bar on the figures of its case. */
export function judge(bar: Bar, figures: (variant: string) => Figure | undefined): BarResult {
  const required =
    bar.atLeast !== undefined ? `at least ${bar.atLeast}` : `at most ${bar.atMost ?? "?"}`;
  const base = { text: bar.text, required };
  const of = figures(bar.of);
  const names = bar.over === undefined ? [] : typeof bar.over === "string" ? [bar.over] : bar.over;
  const others = names.map(figures).filter((figure) => figure !== undefined);
  if (of === undefined || others.length < names.length)
    return { ...base, value: undefined, spread: undefined, verdict: "not measured", gross: true };
  const best = others.toSorted((a, b) =>
    bar.atLeast !== undefined ? b.median - a.median : a.median - b.median,
  )[0];
  const { times = 1, plus = 0 } = bar;
  const compare = (a: number, b: number) =>
    bar.by === "difference" ? a - (b * times + plus) : a / (b * times + plus);
  const value = best === undefined ? of.median : compare(of.median, best.median);
  const perRound =
    best === undefined
      ? of.rounds
      : of.rounds.slice(0, best.rounds.length).map((v, i) => compare(v, best.rounds[i] ?? 1));
  const spread = [Math.min(...perRound), Math.max(...perRound)] as const;
  return { ...base, value, spread, verdict: verdictOf(bar, value), gross: isGross(bar, value) };
}

function verdictOf({ atLeast, atMost }: Bar, value: number): Verdict {
  if (atLeast !== undefined && value < atLeast)
    return value >= atLeast * (1 - tolerance) ? "tolerated" : "MISS";
  if (atMost !== undefined && value > atMost)
    return atMost !== 0 && value <= atMost * (1 + tolerance) ? "tolerated" : "MISS";
  return Number.isFinite(value) ? "pass" : "MISS";
}

function isGross({ atLeast, atMost, grossAbove }: Bar, value: number): boolean {
  if (!Number.isFinite(value)) return true;
  if (atLeast !== undefined) return value < atLeast * 0.6;
  return atMost !== undefined && value > (grossAbove ?? Math.max(atMost * 2, atMost + 0.01));
}
