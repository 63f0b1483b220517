/**
 * The event stream of a download that never took place: parts of equal size through a window, on a clock of its own.
 * For tests of what is made of events; how the engine makes them is tested with the engine.
 */
import { ReadaheadError } from "../../../src/errors.ts";
import type { Finish } from "../../../src/http/observer.ts";
import {
  type EndedBy,
  noTotals,
  type ReadaheadEvent,
  type Totals,
} from "../../../src/readahead/events.ts";

export interface SyntheticOptions {
  readonly parts: number;
  readonly window?: number;
  readonly partBytes?: number;
  /** Milliseconds to headers, for an attempt at a part. */
  readonly wait?: (part: number, attempt: number) => number;
  /** Milliseconds from headers to the last byte. */
  readonly receive?: (part: number) => number;
  readonly replica?: (part: number, attempt: number) => string;
  /** Attempts of a part that fail before one succeeds. */
  readonly failures?: (part: number) => number;
  /** Milliseconds between one part's delivery and the next one's, at least: the client's pace. */
  readonly clientMs?: number;
  /** Part at whose delivery the download is closed instead. */
  readonly leaveAt?: number;
  readonly endedBy?: EndedBy;
  readonly error?: unknown;
  readonly beganAt?: number;
}

/** Events in the order of their times. */
export function syntheticDownload(options: SyntheticOptions): ReadaheadEvent[] {
  const {
    parts,
    window = 6,
    partBytes = 1000,
    wait = () => 20,
    receive = () => 30,
    replica = () => "10.0.0.1:8080",
    failures = () => 0,
    clientMs = 0,
    leaveAt = parts,
    beganAt = 1000,
  } = options;
  const events: ReadaheadEvent[] = [
    { type: "lookup-requested", at: beganAt, id: 1, purpose: "lookup", replica: "10.0.0.9:9333" },
    { type: "lookup-answered", at: beganAt + 4, id: 1, ok: true },
  ];
  const deliveredAt: number[] = [];
  const received: number[] = [];
  let attempts = 0;
  let retries = 0;
  for (let part = 0; part < parts; part++) {
    const range = { start: part * partBytes, end: (part + 1) * partBytes };
    let at = part < window ? beganAt + 5 : (deliveredAt[part - window] ?? beganAt);
    const fails = failures(part);
    for (let attempt = 1; attempt <= fails; attempt++) {
      attempts++;
      retries++;
      events.push({ type: "part-requested", at, part, attempt, range, hedge: false });
      at += wait(part, attempt);
      events.push({
        type: "attempt-ended",
        at,
        part,
        attempt,
        bytes: 0,
        end: "failed",
        kind: "unavailable",
        status: 503,
        replica: replica(part, attempt),
      });
      events.push({ type: "retry", at, part, kind: "unavailable", delayMs: 0, from: range.start });
    }
    const attempt = fails + 1;
    attempts++;
    events.push({ type: "part-requested", at, part, attempt, range, hedge: false });
    at += wait(part, attempt);
    events.push({ type: "part-answered", at, part, attempt, replica: replica(part, attempt) });
    at += receive(part);
    received.push(at);
    events.push({ type: "attempt-ended", at, part, attempt, bytes: partBytes, end: "complete" });
    at = Math.max(at, (deliveredAt[part - 1] ?? 0) + clientMs);
    deliveredAt.push(at);
    events.push({ type: "part-delivered", at, part });
  }
  const sorted = events.toSorted((a, b) => a.at - b.at);
  const left = leaveAt < parts;
  const closedAt = (left ? deliveredAt[leaveAt] : deliveredAt.at(-1)) ?? beganAt;
  const seen = left ? sorted.filter((event) => event.at <= closedAt) : sorted;
  const count = (type: ReadaheadEvent["type"]): number =>
    seen.filter((event) => event.type === type).length;
  const delivered = count("part-delivered");
  const totals: Totals = {
    bytesSent: delivered * partBytes,
    bytesFetched: received.filter((at) => at <= closedAt).length * partBytes,
    bytesWasted: 0,
    parts: new Set(seen.flatMap((event) => (event.type === "part-requested" ? [event.part] : [])))
      .size,
    attempts: left ? count("part-requested") : attempts,
    retries: left ? count("retry") : retries,
    hedges: 0,
    letGo: 0,
    subrequests: count("part-requested") + 1,
    openAfterClose: 0,
    abortMs: 0,
  };
  const running = new Set<string>();
  for (const event of seen) {
    if (event.type === "part-requested") running.add(`${event.part}/${event.attempt}`);
    if (event.type === "attempt-ended") running.delete(`${event.part}/${event.attempt}`);
  }
  for (const id of running) {
    const [part = 0, attempt = 0] = id.split("/").map(Number);
    seen.push({ type: "attempt-ended", at: closedAt, part, attempt, bytes: 0, end: "aborted" });
  }
  const endedBy = options.endedBy ?? (left ? "client-signal" : "done");
  seen.push({
    type: "closed",
    at: closedAt,
    endedBy,
    ...("error" in options ? { error: options.error } : {}),
    totals,
  });
  return seen;
}

/** An upstream failure as the engine reports it. */
export const upstreamFailure = new ReadaheadError(
  "unavailable",
  "Could not read part 3, 5 attempts failed",
);

/** What the handler would say at the end of such a download. */
export function finishOf(events: readonly ReadaheadEvent[], more: Partial<Finish> = {}): Finish {
  const closed = events.findLast((event) => event.type === "closed");
  const endedBy = closed?.endedBy ?? "done";
  return {
    status: 200,
    endedBy,
    ...(closed?.error === undefined ? {} : { error: closed.error }),
    ranges: [],
    size: null,
    totals: closed?.totals ?? noTotals,
    ...more,
  };
}
