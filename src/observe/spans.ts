/**
 * Spans of a download: one for the download, below it one per attempt at a part and one per other upstream request.
 * Fed by the engine's events alone; the engine does not know of it.
 *
 * The tracing object (`ctx.tracing`, the same as `tracing` of `cloudflare:workers`) is handed in, so that the library stays
 * importable everywhere; without one, or for a request that is not sampled, nothing is made and nothing is kept.
 *
 * Parentage: a span's parent is the active span of the async context that opens it, and the engine's events come from
 * contexts of many kinds (pull, signal, timers), all below the invocation's root. So one async function started inside the
 * download's span opens the others there, a microtask after their event. What is still queued when the download closes
 * is opened at once and ends at once.
 */
import type { ReadaheadEvent } from "../readahead/events.ts";
import type { SummaryRecord } from "./record.ts";
import type { ReplicaLabels } from "./replica-labels.ts";

/** Attempts with a span at most, in a download of many parts: enough to see the pattern; the record counts all. */
export const SPANNED_ATTEMPTS = 1000;

/** What a span can carry. The runtime drops undefined. */
type Attributes = Record<string, string | number | boolean | undefined>;

/** The part of the platform's span that is used here. */
export interface SpanLike {
  readonly isTraced: boolean;
  setAttributes(attributes: Attributes): unknown;
  /** Since 2026-09-25; the Local Explorer then counts the span among the errors. */
  recordException?(exception: { readonly name: string; readonly message: string }): void;
  /** For exporters, which go by the status. */
  setStatus?(status: { readonly code: "error"; readonly message: string }): unknown;
  end(): void;
}

/** The part of the platform's `tracing` that is used here. */
export interface TracingLike {
  startSpan(name: string): SpanLike;
  startActiveSpan<T>(name: string, callback: (span: SpanLike) => T): T;
}

/** The spans of one download. */
export interface DownloadSpans {
  onEvent(event: ReadaheadEvent): void;
  /** Ends every span; idempotent. */
  end(record: SummaryRecord): void;
}

const NO_SPANS: DownloadSpans = { onEvent: () => {}, end: () => {} };

/** @returns spans of a request that just began; does nothing where the request is not traced */
export function createDownloadSpans(
  tracing: TracingLike | undefined,
  labels: ReplicaLabels,
): DownloadSpans {
  if (tracing === undefined) return NO_SPANS;
  const queue = createInnerQueue();
  const root = tracing.startActiveSpan("download", (span) => {
    if (span.isTraced) queue.run();
    return span;
  });
  if (!root.isTraced) {
    root.end();
    return NO_SPANS;
  }
  const open = new Map<
    string,
    { readonly span: SpanLike; readonly name: string; readonly at: number }
  >();
  let attempts = 0;

  function start(id: string, name: string, at: number, attributes: Attributes): void {
    const span = tracing?.startSpan(name);
    if (span === undefined) return;
    span.setAttributes(attributes);
    open.set(id, { span, name, at });
  }

  function finish(id: string, attributes: Attributes, failure?: string): void {
    const entry = open.get(id);
    if (entry === undefined) return;
    open.delete(id);
    entry.span.setAttributes(attributes);
    if (failure !== undefined) fail(entry.span, failure, `${entry.name} failed`);
    entry.span.end();
  }

  function show(event: ReadaheadEvent): void {
    switch (event.type) {
      case "lookup-requested":
        start(`lookup ${event.id}`, event.purpose, event.at, {
          "readahead.replica": labels.label(event.replica),
        });
        return;
      case "lookup-answered":
        finish(
          `lookup ${event.id}`,
          { "readahead.ok": event.ok, "readahead.kind": event.kind },
          event.ok ? undefined : event.kind,
        );
        return;
      case "part-requested":
        if (attempts++ >= SPANNED_ATTEMPTS) return;
        start(attemptId(event), attemptName(event), event.at, {
          "readahead.part": event.part,
          "readahead.attempt": event.attempt,
          "readahead.range.start": event.range.start,
          "readahead.range.end": Number.isFinite(event.range.end) ? event.range.end : undefined,
          "readahead.hedge": event.hedge,
        });
        return;
      case "part-answered": {
        const entry = open.get(attemptId(event));
        entry?.span.setAttributes({
          "readahead.replica": labels.label(event.replica),
          "readahead.first_byte_ms": Math.round(event.at - entry.at),
        });
        return;
      }
      case "attempt-ended":
        finish(
          attemptId(event),
          {
            "readahead.bytes": event.bytes,
            "readahead.end": event.end,
            "readahead.kind": event.kind,
            "readahead.status": event.status,
            "readahead.replica":
              event.replica === undefined ? undefined : labels.label(event.replica),
          },
          event.end === "failed" ? (event.kind ?? "failed") : undefined,
        );
        return;
      case "retry":
      case "hedge":
      case "let-go":
      case "part-delivered":
      case "wasted":
      case "closed":
        return;
      default:
        event satisfies never;
    }
  }

  let over = false;
  return {
    onEvent(event) {
      if (!over && SHOWN.has(event.type)) queue.push(() => show(event));
    },
    end(record) {
      if (over) return;
      over = true;
      queue.end();
      for (const { span } of open.values()) span.end();
      open.clear();
      root.setAttributes(describe(record));
      // A refusal and a client's leaving are no errors: neither is to be looked for.
      if (record.outcome === "upstream-failed" || record.outcome === "failed")
        fail(root, record.error?.kind ?? record.outcome, record.error?.message ?? record.outcome);
      root.end();
    },
  };
}

/** Events that open, change or end a span; the others are counted in the record. */
const SHOWN: ReadonlySet<ReadaheadEvent["type"]> = new Set([
  "lookup-requested",
  "lookup-answered",
  "part-requested",
  "part-answered",
  "attempt-ended",
]);

function fail(span: SpanLike, name: string, message: string): void {
  span.recordException?.({ name, message });
  span.setStatus?.({ code: "error", message: name });
}

function attemptId(event: { readonly part: number; readonly attempt: number }): string {
  return `${event.part}/${event.attempt}`;
}

/** At most 64 bytes, where the platform cuts names. */
function attemptName(event: Extract<ReadaheadEvent, { type: "part-requested" }>): string {
  const again = event.hedge ? ", hedge" : event.attempt > 1 ? `, attempt ${event.attempt}` : "";
  return `part ${event.part}${again}`;
}

function describe(record: SummaryRecord): Attributes {
  return {
    "readahead.request": record.request,
    "readahead.mount": record.mount,
    "readahead.key": record.key ?? undefined,
    "readahead.ranges": record.ranges.map(([start, end]) => `${start}-${end ?? ""}`).join(","),
    "readahead.size": record.size ?? undefined,
    "readahead.status": record.status ?? undefined,
    "readahead.outcome": record.outcome,
    "readahead.ended_by": record.endedBy,
    "readahead.bytes_sent": record.bytesSent,
    "readahead.bytes_fetched": record.bytesFetched,
    "readahead.bytes_wasted": record.bytesWasted,
    "readahead.parts": record.parts,
    "readahead.attempts": record.attempts,
    "readahead.retries": record.retries,
    "readahead.hedges": record.hedges,
    "readahead.first_byte_ms": record.firstByteMs ?? undefined,
    "readahead.error": record.error?.kind ?? undefined,
  };
}

/** Tasks that run, in order, in the async context in which `run()` was called. */
function createInnerQueue(): {
  run(): void;
  push(task: () => void): void;
  end(): void;
} {
  const tasks: (() => void)[] = [];
  let over = false;
  let wake: (() => void) | undefined;
  const drain = (): void => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      try {
        task();
      } catch {
        // Tracing must never cost a download: a span that the runtime refuses is left out.
      }
    }
  };
  async function pump(): Promise<void> {
    for (;;) {
      if (tasks.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      drain();
      if (over) return;
    }
  }
  return {
    run() {
      pump().catch(() => {});
    },
    push(task) {
      tasks.push(task);
      wake?.();
    },
    end() {
      over = true;
      drain();
      wake?.();
    },
  };
}
