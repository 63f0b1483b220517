/** The charts of the README, drawn from whatever cases there are results of. */
import { cellName, seaweedfsFigures } from "../cases/model.ts";
import { barChart, lineChart, type Series } from "./chart.ts";
import type { CaseResult } from "./runner.ts";
import type { Metric } from "./suite.ts";

/** File name and SVG text of every chart that can be drawn. */
export function drawCharts(results: readonly CaseResult[]): ReadonlyMap<string, string> {
  const charts = new Map<string, string>();
  const draw = (file: string, name: string, chart: (result: CaseResult) => string) => {
    const result = results.find((candidate) => candidate.name === name);
    if (result !== undefined) charts.set(file, chart(result));
  };
  draw("throughput-over-latency.svg", "model", drawThroughput);
  draw("cpu-per-gib.svg", "cpu", drawCpu);
  draw("memory-over-clients.svg", "slow-clients", drawMemory);
  draw("stalled-part.svg", "slow-tail", drawStall);
  return charts;
}

function median(result: CaseResult, variant: string, metric: Metric): number | undefined {
  return result.variants.find(({ name }) => name === variant)?.figures[metric]?.median;
}

function seaweedfs(name: string, figures: Readonly<Record<number, number>>): Series {
  const points = Object.entries(figures).map(([ms, value]) => [Number(ms), value] as const);
  return { name: `SeaweedFS (its own run), ${name}`, points, dashed: true };
}

function drawThroughput(result: CaseResult): string {
  const latencies = [0, 5, 10, 20];
  const series = [8, 4, 2, 1].map(
    (window): Series => ({
      name: `ours, window ${window}${window === 8 ? " (8 unanswered)" : ""}`,
      points: latencies.flatMap((latencyMs) => {
        const value = median(result, cellName(64, latencyMs, window, true), "mbps");
        return value === undefined ? [] : [[latencyMs, value] as const];
      }),
    }),
  );
  return lineChart({
    title: "64 chunks of 64 KiB: throughput over the store's latency",
    xLabel: "latency before each answer, ms",
    yLabel: "MB/s (logarithmic)",
    logarithmic: true,
    series: [
      ...series,
      seaweedfs("prefetch 4", seaweedfsFigures.asRun.prefetch4),
      seaweedfs("sequential", seaweedfsFigures.asRun.sequential),
    ],
  });
}

function drawCpu(result: CaseResult): string {
  return barChart({
    title: "CPU of the serving process for each GiB",
    xLabel: "CPU seconds for each GiB delivered",
    bars: result.variants.flatMap(({ name, figures }) =>
      figures.cpuPerGiB === undefined
        ? []
        : [{ name, value: figures.cpuPerGiB.median, ours: name.startsWith("ours") }],
    ),
  });
}

function drawMemory(result: CaseResult): string {
  const line = (who: string): Series => ({
    name: who,
    points: result.variants
      .flatMap(({ name, figures }) => {
        const clients = /^(.*), (\d+) clients$/.exec(name);
        if (clients?.[1] !== who || figures.rssGrowthMiB === undefined) return [];
        return [[Number(clients[2]), figures.rssGrowthMiB.median] as const];
      })
      .toSorted((a, b) => a[0] - b[0]),
  });
  return lineChart({
    title: "Memory over clients that read 64 KiB/s each",
    xLabel: "clients",
    yLabel: "growth of resident memory, MiB",
    series: [line("ours"), line("pass-through")],
  });
}

function drawStall(result: CaseResult): string {
  const series = result.variants.flatMap(({ name, samples, figures }): Series[] => {
    if (samples === undefined) return [];
    const end = figures.seconds?.rounds[0];
    // The chart shows the first stall and what follows: three times the time of the run without faults.
    const limit = 3 * (median(result, "without faults", "seconds") ?? 3);
    const points = samples.map(([ms, bytes]) => [ms / 1000, bytes / 1e6] as const);
    const last = points.at(-1);
    if (end !== undefined && last !== undefined) points.push([end, last[1]]);
    return [{ name, points: points.filter(([seconds]) => seconds <= limit) }];
  });
  return lineChart({
    title: "Bytes received while some parts stall or trickle",
    xLabel: "seconds",
    yLabel: "MB received",
    series,
    markers: false,
  });
}
