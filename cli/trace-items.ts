/**
 * Finds the summary records in what a tail brings: items of `wrangler tail --format json`, items of a local Tail
 * Worker (whose messages begin with the Worker's name), log lines of a bare workerd, or records by themselves (`--json`
 * of this tool, exported logs).
 *
 * Fields of an item: workerd src/workerd/api/trace.h. Nothing is required of one: an item is known by having an
 * `outcome`, a record by its marker; everything else has a fallback, because a newer Worker may write more or less.
 */
import * as v from "valibot";
import { RECORD_MARKER, type SummaryRecord } from "../src/observe/record.ts";

/** One thing that a tail told. */
export type Told =
  | {
      readonly kind: "download";
      readonly record: SummaryRecord;
      readonly atMs: number | null;
      readonly invocation: string | null;
    }
  /** An invocation that wrote no record and did not end well: killed before it could, or never ours. */
  | {
      readonly kind: "broken";
      readonly invocation: string;
      readonly atMs: number | null;
      readonly method: string;
      readonly path: string;
    }
  /** What a person must read: a fault that keeps requests from being answered, or records that the tail left out. */
  | { readonly kind: "note"; readonly atMs: number | null; readonly text: string }
  /** An invocation that had nothing to do with a mount. */
  | { readonly kind: "other" }
  | { readonly kind: "unknown" };

/** How the Worker's error logs begin (`worker.ts`, `http/problem.ts`). */
const FAULT_PREFIX = `${RECORD_MARKER} `;

const count = v.fallback(v.number(), 0);
const orNull = v.fallback(v.nullable(v.number()), null);
const numbers = v.array(v.nullable(v.number()));

const timeline = v.object({
  of: v.number(),
  part: v.array(v.number()),
  start: v.array(v.number()),
  wait: numbers,
  receive: numbers,
  held: v.fallback(numbers, []),
  attempts: v.fallback(v.array(v.number()), []),
  replica: v.fallback(numbers, []),
  replicas: v.fallback(v.array(v.string()), []),
  again: v.fallback(v.array(v.tuple([v.number(), v.number(), v.picklist(["r", "h", "l"])])), []),
  lookups: v.fallback(
    v.array(
      v.tuple([
        v.picklist(["open", "read", "facts", "lookup", "manifest", "key", "list"]),
        v.number(),
        v.nullable(v.number()),
      ]),
    ),
    [],
  ),
});

const record = v.object({
  record: v.literal(RECORD_MARKER),
  version: v.literal(1),
  request: v.fallback(v.string(), ""),
  mount: v.fallback(v.string(), ""),
  key: v.fallback(v.nullable(v.string()), null),
  method: v.fallback(v.string(), "GET"),
  explain: v.exactOptional(v.literal(true)),
  status: orNull,
  outcome: v.picklist([
    "complete",
    "not-modified",
    "refused",
    "client-left",
    "upstream-failed",
    "failed",
  ]),
  endedBy: v.picklist([
    "done",
    "client-signal",
    "stream-cancel",
    "write-failed",
    "upstream",
    "exception",
  ]),
  ranges: v.fallback(v.array(v.tuple([v.number(), v.nullable(v.number())])), []),
  size: orNull,
  bytesSent: count,
  bytesFetched: count,
  bytesWasted: count,
  parts: count,
  attempts: count,
  retries: count,
  retriedFor: v.exactOptional(v.fallback(v.record(v.string(), v.number()), {})),
  hedges: count,
  letGo: count,
  subrequests: count,
  openAfterClose: count,
  abortMs: count,
  firstByteMs: orNull,
  totalMs: count,
  slowest: v.fallback(
    v.nullable(
      v.object({
        part: v.number(),
        ms: v.number(),
        waitMs: orNull,
        attempts: count,
        replica: v.nullable(v.string()),
      }),
    ),
    null,
  ),
  unversioned: v.exactOptional(v.string()),
  error: v.exactOptional(v.object({ kind: v.nullable(v.string()), message: v.string() })),
  timeline: v.exactOptional(timeline),
});

const item = v.object({
  outcome: v.string(),
  eventTimestamp: orNull,
  logs: v.fallback(v.array(v.object({ message: v.unknown(), timestamp: orNull })), []),
  event: v.fallback(
    v.nullable(
      v.union([
        v.object({ request: v.object({ method: v.string(), url: v.string() }) }),
        // Of the tail itself: `overload`, `overload-stop` (wrangler 4.155, tail/createTail.ts).
        v.object({ type: v.string(), message: v.string() }),
      ]),
    ),
    null,
  ),
});

const logLine = v.object({ message: v.string(), timestamp: orNull });

/**
 * What one JSON document of a tail tells; several things where it is a list or an invocation logged several records.
 * Never throws.
 */
export function parseTold(value: unknown): Told[] {
  if (Array.isArray(value)) return value.flatMap(parseTold);
  const alone = parseRecord(value);
  if (alone !== undefined)
    return [{ kind: "download", record: alone, atMs: null, invocation: null }];
  const parsed = v.safeParse(item, value);
  if (!parsed.success) return toldByLine(value);
  const { outcome, eventTimestamp, logs, event } = parsed.output;
  const told = logs.flatMap(({ message, timestamp }) =>
    toldByLog(message, timestamp ?? eventTimestamp, outcome),
  );
  if (told.length > 0) return told;
  if (event !== null && "message" in event)
    return [{ kind: "note", atMs: eventTimestamp, text: `wrangler tail: ${event.message}` }];
  if (outcome === "ok" || event === null) return [{ kind: "other" }];
  const { method, url } = event.request;
  return [{ kind: "broken", invocation: outcome, atMs: eventTimestamp, method, path: pathOf(url) }];
}

/** A line of a bare workerd with `structuredLogging`. */
function toldByLine(value: unknown): Told[] {
  const parsed = v.safeParse(logLine, value);
  const told = parsed.success
    ? toldByLog(parsed.output.message, parsed.output.timestamp, null)
    : [];
  return told.length > 0 ? told : [{ kind: "unknown" }];
}

/**
 * What the arguments of one `console` call tell: records, else a fault in our own words. A local message starts with the
 * name of the Worker.
 */
export function toldByLog(
  message: unknown,
  atMs: number | null,
  invocation: string | null,
): Told[] {
  const values: unknown[] = Array.isArray(message) ? message : [message];
  const told = values.flatMap((value): Told[] => {
    const found = parseRecord(typeof value === "string" ? parseText(value) : value);
    return found === undefined ? [] : [{ kind: "download", record: found, atMs, invocation }];
  });
  if (told.length > 0) return told;
  const texts = values.filter((value) => typeof value === "string");
  const ours = texts.findIndex((text) => text.startsWith(FAULT_PREFIX));
  return ours < 0 ? [] : [{ kind: "note", atMs, text: texts.slice(ours).join(" ") }];
}

/** The record, when `value` is one of this version; unknown fields are left out. */
function parseRecord(value: unknown): SummaryRecord | undefined {
  const parsed = v.safeParse(record, value);
  return parsed.success ? parsed.output : undefined;
}

function parseText(text: string): unknown {
  if (!text.includes(RECORD_MARKER)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The path alone: a query may hold a signature. */
function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname : "";
}
