/**
 * Draws one download as a staircase: a row per part, time from left to right. Pure: a record in, lines of text out.
 *
 *     part  from        0 ms                                     240 ms
 *           open        ░░░░
 *        0  r1          ░░░░████
 *        1  r1          ░░░░█████····
 *        2  r2 x2       ░░░░░░r░░░░████
 *
 * Waiting for headers, receiving, and received but not yet sent on (earlier parts or the client are behind) are told apart
 * by sign as well as by shade, replicas by colour and by name, so nothing is lost without colours.
 */
import type { SummaryRecord } from "../src/observe/record.ts";
import type { Timeline } from "../src/observe/timeline-columns.ts";
import { type Paint, printable } from "./download-line.ts";
import { formatBytes, formatDuration, formatRate } from "./quantities.ts";

const WAITING = "░";
const RECEIVING = "█";
const HELD = "·";
const CUT = "×";

/** Ten are told apart by eye with difficulty; more replicas share colours and still have their names. */
const REPLICA_STYLES = ["cyan", "yellow", "magenta", "green", "blue", "red"] as const;

/** Longer names of replicas are cut, how often one was asked never. */
const NAME_WIDTH = 24;

/** Options of {@link formatWaterfall}. */
export interface WaterfallOptions {
  /** Columns of the terminal. Below 40 the lines are 40 wide. */
  readonly width: number;
  readonly paint: Paint;
  /** Rows of parts at most; up to half of them are kept for the slowest part and the repeated ones. Default 64. */
  readonly rows?: number;
}

interface Row {
  readonly part: number;
  readonly start: number;
  readonly wait: number | null;
  readonly receive: number | null;
  readonly held: number | null;
  readonly attempts: number;
  readonly replica: number | null;
}

/** @returns lines without a line break, none wider than `width` */
export function formatWaterfall(record: SummaryRecord, options: WaterfallOptions): string[] {
  const { timeline } = record;
  if (timeline === undefined) return ["  no store was asked", ...verdict(record)];
  const { paint } = options;
  const { lookups } = timeline;
  const all = rowsOf(timeline);
  const rows = choose(all, options.rows ?? 64, record);
  const names = rows.map((row) => nameOf(row, timeline));
  const partWidth = Math.max(4, String(rows.at(-1)?.part ?? 0).length);
  const nameWidth = Math.min(
    NAME_WIDTH,
    Math.max(4, ...names.map((name) => name.length), ...lookups.map(([purpose]) => purpose.length)),
  );
  const barWidth = Math.max(40, options.width) - partWidth - nameWidth - 6;
  const totalMs = all.reduce(
    (most, row) => Math.max(most, endOf(row)),
    Math.max(1, record.totalMs),
  );
  const column = (ms: number): number => Math.min(barWidth, Math.round((ms / totalMs) * barWidth));

  const lines = [header(partWidth, nameWidth, barWidth, totalMs)];
  for (const [purpose, start, ms] of lookups) {
    const lookup: Row = {
      part: -1,
      start,
      wait: ms,
      receive: 0,
      held: null,
      attempts: 1,
      replica: null,
    };
    const bar = drawBar(lookup, [], column, barWidth).replaceAll(RECEIVING, "");
    lines.push(`  ${" ".repeat(partWidth)}  ${purpose.padEnd(nameWidth)}  ${bar}`.trimEnd());
  }
  rows.forEach((row, i) => {
    const style = REPLICA_STYLES[(row.replica ?? 0) % REPLICA_STYLES.length] ?? "cyan";
    const name = (names[i] ?? "").padEnd(nameWidth);
    const marks = timeline.again.filter(([part]) => part === row.part);
    const bar = drawBar(row, marks, column, barWidth);
    lines.push(
      `  ${String(row.part).padStart(partWidth)}  ${paint(style, name)}  ${paintBar(bar, style, paint)}`.trimEnd(),
    );
  });
  const hidden = timeline.of - rows.length;
  if (hidden > 0) lines.push(`  ${hidden} of ${timeline.of} parts are not drawn`);
  lines.push(
    `  ${WAITING} waiting  ${RECEIVING} receiving  ${HELD} held  r retry  h hedge  l let go  ${CUT} cut off`,
  );
  lines.push(...verdict(record));
  return lines;
}

/** What the picture shows, in words: the slowest part, and the cost. */
function verdict(record: SummaryRecord): string[] {
  const lines: string[] = [];
  const { slowest } = record;
  if (slowest !== null) {
    const waited =
      slowest.waitMs === null ? "no headers" : `${formatDuration(slowest.waitMs)} waiting`;
    const from = slowest.replica === null ? "" : ` from ${printable(slowest.replica)}`;
    const tries = slowest.attempts === 1 ? "" : `, ${slowest.attempts} attempts`;
    lines.push(
      `  slowest: part ${slowest.part}${from}, ${formatDuration(slowest.ms)} (${waited}${tries})`,
    );
  }
  const reasons = Object.entries(record.retriedFor ?? {}).map(([kind, n]) => `${n} ${kind}`);
  if (reasons.length > 0) lines.push(`  retried: ${printable(reasons.join(", "))}`);
  lines.push(
    `  ${record.subrequests} upstream requests, ${formatBytes(record.bytesFetched)} fetched, ` +
      `${formatBytes(record.bytesSent)} sent, ${formatRate(record.bytesSent, record.totalMs)}`,
  );
  if (record.unversioned !== undefined)
    lines.push(`  one stream without resume: ${printable(record.unversioned)}`);
  if (record.error !== undefined)
    lines.push(`  ${printable(`${record.error.kind ?? "error"}: ${record.error.message}`)}`);
  return lines;
}

function rowsOf(timeline: Timeline): Row[] {
  return timeline.part.map((part, i) => ({
    part,
    start: timeline.start[i] ?? 0,
    wait: timeline.wait[i] ?? null,
    receive: timeline.receive[i] ?? null,
    held: timeline.held[i] ?? null,
    attempts: timeline.attempts[i] ?? 1,
    replica: timeline.replica[i] ?? null,
  }));
}

/** Evenly spread rows, the slowest part, and the repeated ones: the first of those that would fill over half. */
function choose(all: readonly Row[], limit: number, record: SummaryRecord): Row[] {
  if (all.length <= limit) return [...all];
  const slowest = all.filter((row) => row.part === record.slowest?.part);
  const repeated = all.filter((row) => row.attempts > 1);
  const chosen = new Set([...slowest, ...repeated].slice(0, Math.floor(limit / 2)));
  const rest = all.filter((row) => !chosen.has(row));
  const room = limit - chosen.size;
  for (let i = 0; i < room; i++) {
    const row = rest[Math.floor((i * rest.length) / room)];
    if (row !== undefined) chosen.add(row);
  }
  return [...chosen].toSorted((a, b) => a.part - b.part);
}

function nameOf(row: Row, timeline: Timeline): string {
  const replica = row.replica === null ? "-" : (timeline.replicas[row.replica] ?? "-");
  const tries = row.attempts > 1 ? ` x${row.attempts}` : "";
  return printable(replica).slice(0, NAME_WIDTH - tries.length) + tries;
}

function endOf(row: Row): number {
  return row.start + (row.wait ?? 0) + (row.receive ?? 0) + (row.held ?? 0);
}

function header(partWidth: number, nameWidth: number, barWidth: number, totalMs: number): string {
  const end = formatDuration(totalMs);
  return `  ${"part".padStart(partWidth)}  ${"from".padEnd(nameWidth)}  0 ms${end.padStart(Math.max(0, barWidth - 4))}`;
}

type Mark = Timeline["again"][number];

/** The bar as one sign a column. A stretch that took any time gets a column at least. */
function drawBar(
  row: Row,
  marks: readonly Mark[],
  column: (ms: number) => number,
  width: number,
): string {
  const from = Math.min(column(row.start), width - 1);
  const cells: string[] = Array.from({ length: from }, () => " ");
  const extend = (sign: string, untilMs: number, took: boolean): void => {
    const until = Math.max(column(untilMs), took ? cells.length + 1 : 0);
    while (cells.length < Math.min(until, width)) cells.push(sign);
  };
  const answered = row.wait === null ? undefined : row.start + row.wait;
  extend(WAITING, answered ?? Number.POSITIVE_INFINITY, true);
  if (answered !== undefined) {
    const received = row.receive === null ? undefined : answered + row.receive;
    extend(RECEIVING, received ?? Number.POSITIVE_INFINITY, true);
    if (received !== undefined && row.held !== null) extend(HELD, received + row.held, false);
  }
  if (row.wait === null || row.receive === null) cells[cells.length - 1] = CUT;
  for (const [, atMs, why] of marks) {
    const at = Math.max(from, Math.min(column(atMs), cells.length - 1));
    cells[at] = why;
  }
  return cells.join("");
}

/** Colours runs, not signs: an escape sequence for each column would treble the output. */
function paintBar(bar: string, style: (typeof REPLICA_STYLES)[number], paint: Paint): string {
  return bar.replaceAll(/[rhl×]+|[^ rhl×]+/g, (run) =>
    /^[rhl×]/.test(run) ? paint(["bold", "red"], run) : paint(style, run),
  );
}
