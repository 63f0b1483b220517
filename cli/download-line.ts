/** One line per download, per invocation that broke without a record, and per fault or notice of the tail. Pure. */
import { styleText } from "node:util";
import type { SummaryRecord } from "../src/observe/record.ts";
import { formatBytes, formatDuration, formatRanges, formatRate } from "./quantities.ts";
import type { Told } from "./trace-items.ts";

type Style = Parameters<typeof styleText>[0];

/** Colours text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** @param color False: text without escape sequences, whatever the terminal can do */
export function createPaint(color: boolean): Paint {
  return color
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text;
}

const OUTCOME_STYLES: Readonly<Record<string, Style>> = {
  complete: "green",
  "not-modified": "green",
  refused: "yellow",
  "client-left": "magenta",
  "upstream-failed": "red",
  failed: "red",
};

/** `12:00:03.120 206 complete  files/a.bin [0, 4096) 4.10 kB 1.20 MB/s first byte 12 ms ...`; undefined: nothing to tell. */
export function formatLine(told: Told, paint: Paint): string | undefined {
  if (told.kind === "broken")
    return [
      clock(told.atMs),
      "---",
      paint("red", printable(told.invocation).padEnd(15)),
      printable(`${told.method} ${told.path}`),
      "(no record: the runtime ended it)",
    ].join(" ");
  if (told.kind === "note") return `${clock(told.atMs)} --- ${paint("red", printable(told.text))}`;
  if (told.kind !== "download") return undefined;
  const { record } = told;
  const cost = [
    counted(record.retries, "retry", "retries"),
    counted(record.hedges, "hedge", "hedges"),
    counted(record.letGo, "let go", "let go"),
    record.bytesWasted > 0 ? `${formatBytes(record.bytesWasted)} wasted` : "",
    record.openAfterClose > 0 ? paint("red", `${record.openAfterClose} left open`) : "",
  ].filter((text) => text !== "");
  return [
    clock(told.atMs),
    String(record.status ?? "---"),
    paint(OUTCOME_STYLES[record.outcome] ?? "red", record.outcome.padEnd(15)),
    printable(`${askedFor(record)}${record.mount}/${record.key ?? "?"}`),
    formatRanges(record.ranges),
    formatBytes(record.bytesSent),
    `in ${formatDuration(record.totalMs)}`,
    formatRate(record.bytesSent, record.totalMs),
    record.firstByteMs === null ? "" : `first byte ${formatDuration(record.firstByteMs)}`,
    ...cost,
    record.error === undefined ? "" : paint("red", formatError(record.error)),
    paint("dim", printable(record.request)),
  ]
    .filter((text) => text !== "")
    .join("  ");
}

/** What was asked for, where it is no download: `HEAD `, `explain `. */
function askedFor({ method, explain }: SummaryRecord): string {
  return `${method === "GET" ? "" : `${method} `}${explain === true ? "explain " : ""}`;
}

/** Kind and message: `denied` alone is a link that has expired as well as an origin that does not know our key. */
function formatError({ kind, message }: NonNullable<SummaryRecord["error"]>): string {
  return printable(kind === null ? message : `${kind}: ${message}`);
}

/** Keys come from clients: control characters would let one write into the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, "\u{FFFD}");
}

function counted(count: number, one: string, many: string): string {
  return count === 0 ? "" : `${count} ${count === 1 ? one : many}`;
}

/** Hours to milliseconds, UTC; dashes for a time that is unknown, or none that a date can have. */
function clock(atMs: number | null): string {
  const date = new Date(atMs ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? "--:--:--.---" : date.toISOString().slice(-13, -1);
}
