/** Tables of results, for a terminal and for Markdown. */
import type { Setting } from "./machine.ts";
import type { CaseResult } from "./runner.ts";
import type { BarResult, Figure } from "./stats.ts";
import type { Metric } from "./suite.ts";

const headings: Readonly<Record<Metric, string>> = {
  mbps: "MB/s",
  seconds: "s",
  firstByteP50Ms: "first byte p50 ms",
  firstByteP99Ms: "first byte p99 ms",
  cpuPerGiB: "CPU s/GiB",
  rssGrowthMiB: "RSS growth MiB",
  rssAfterMiB: "RSS kept MiB",
  originMiB: "origin wrote MiB",
  originRequests: "origin requests",
  lookups: "lookups",
  wasteShare: "waste share",
  hedges: "hedges",
  fairness: "min/max",
  paceShare: "slowest/pace",
  starved: "starved clients",
  heldShare: "held/budget",
  heldAfterMiB: "held after MiB",
  closeMs: "close ms",
  openAfter: "open after",
  lateRequests: "late requests",
};

/** Three significant digits, without an exponent. */
function formatNumber(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "-";
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 4));
}

function formatFigure(figure: Figure | undefined): string {
  if (figure === undefined) return "-";
  const median = formatNumber(figure.median);
  if (figure.rounds.length < 2 || figure.min === figure.max) return median;
  return `${median} (${formatNumber(figure.min)}-${formatNumber(figure.max)})`;
}

function figureRows(result: CaseResult): string[][] {
  const rows = [["", ...result.shows.map((metric) => headings[metric])]];
  for (const { name, figures, problems } of result.variants) {
    const row = [name, ...result.shows.map((metric) => formatFigure(figures[metric]))];
    if (problems.length > 0) row.push(`${problems.length} failed: ${problems[0] ?? ""}`);
    rows.push(row);
  }
  return rows;
}

function barCells({ text, required, value, spread, verdict }: BarResult): string[] {
  const measured =
    spread === undefined
      ? formatNumber(value)
      : `${formatNumber(value)} (${formatNumber(spread[0])}-${formatNumber(spread[1])})`;
  return [verdict, text, measured, required];
}

function align(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd())
    .join("\n");
}

/** One case for a terminal. */
export function formatCase(result: CaseResult): string {
  const lines = [
    `\n${result.name}: ${result.title} (${result.rounds} rounds, ${result.seconds.toFixed(0)} s)`,
    align(figureRows(result)),
  ];
  if (result.note !== undefined) lines.push(`  ${result.note}`);
  if (result.bars.length > 0) lines.push("", align(result.bars.map(barCells)));
  return lines.join("\n");
}

/** All bars in one table, and how many are met. */
export function formatBars(results: readonly CaseResult[]): string {
  const bars = results.flatMap((result) => result.bars);
  const count = (verdict: string) => bars.filter((bar) => bar.verdict === verdict).length;
  return [
    "\nBars: ratio of medians (lowest-highest round against itself)",
    align(bars.map(barCells)),
    `\n${count("pass")} met, ${count("tolerated")} within 5 %, ${count("MISS")} missed, ${count("not measured")} not measured`,
  ].join("\n");
}

function markdownRow(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = rows;
  return [head, head.map(() => "---"), ...rest].map(markdownRow).join("\n");
}

/** The whole result as a Markdown document for `bench/results/`. */
export function formatMarkdown(results: readonly CaseResult[], setting: Setting): string {
  const versions = Object.entries(setting.versions).map(([name, version]) => `${name} ${version}`);
  const bars = results.flatMap((result) => result.bars.map(barCells));
  const cases = results.flatMap((result) => [
    `\n### ${result.name}: ${result.title}\n`,
    `Measured ${result.date.slice(0, 10)}, ${result.rounds} rounds${elsewhere(result, setting)}${result.note === undefined ? "." : `. ${result.note}`}\n`,
    markdownTable(figureRows({ ...result, variants: result.variants.map(withoutProblems) })),
    ...result.variants.flatMap(({ name, problems }) =>
      problems.map((problem) => `\n${name}: ${problem}`),
    ),
  ]);
  return `# Benchmark results

Written by \`npm run bench\`; do not edit. Method: see [bench/README.md](../README.md).

Machine: ${setting.machine}. Versions: ${versions.join(", ")}.

## Bars

The ratio of the medians, and the lowest and highest ratio of one round. "tolerated" is within 5 % of the bar.

${markdownTable([["", "case", "measured", "required"], ...bars])}

## Figures

Median of the rounds (lowest-highest). MB/s are 10^6 bytes a second.
${cases.join("\n")}
`;
}

/** Where a case that was kept was measured, if not as the head of the document says. */
function elsewhere({ setting }: CaseResult, head: Setting): string {
  if (setting === undefined || JSON.stringify(setting) === JSON.stringify(head)) return "";
  return `, on ${setting.machine}, workerd ${setting.versions["workerd"] ?? "unknown"}`;
}

function withoutProblems(variant: CaseResult["variants"][number]): CaseResult["variants"][number] {
  return { ...variant, problems: [] };
}
