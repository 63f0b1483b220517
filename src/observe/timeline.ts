/**
 * What became of each part, as a bounded number of small rows. Fed by the engine's events; knows nothing of HTTP.
 *
 * Memory: at most 2 x {@link TIMELINE_PARTS} finished parts, the few slowest, and the parts in flight, whatever the
 * length of the download. Beyond {@link TIMELINE_PARTS} parts it keeps every second, fourth, eighth ... part. It does
 * not judge: who was slow, and why, is read off the rows by a person (or drawn by `cli/waterfall.ts`).
 */
import type { ReadaheadEvent } from "../readahead/events.ts";
import type { ReplicaLabels } from "./replica-labels.ts";
import {
  type Again,
  choose,
  type Lookup,
  type Row,
  type Timeline,
  took,
  toTimeline,
} from "./timeline-columns.ts";

/** Rows of a timeline at most. 200 rows of seven short numbers are about 5 KB of the record's 8. */
export const TIMELINE_PARTS = 200;

/** The slowest parts are kept beside the evenly thinned ones: a waterfall of their neighbours alone hides the cause. */
const SLOWEST_PARTS = 8;

/** Parts in flight at the end that are always shown. Larger windows are thinned like the rest. */
const OPEN_PARTS = 32;

/** Second and later requests that are listed with their time; the counters of the record have them all. */
const AGAIN_ENTRIES = 24;

/** Requests other than parts' that are listed: opening the object, and the first lookups. */
const LOOKUP_ENTRIES = 12;

/** The part that took longest from its first request to its last byte. */
export interface SlowestPart {
  readonly part: number;
  /** From first request to last byte, or to the end of the download. */
  readonly ms: number;
  readonly waitMs: number | null;
  readonly attempts: number;
  readonly replica: string | null;
}

/** Collects the parts of one download. */
export interface TimelineCollector {
  onEvent(event: ReadaheadEvent): void;
  /** Milliseconds from the beginning to the first checked headers of any part. */
  firstByteMs(): number | null;
  slowest(nowMs: number): SlowestPart | null;
  /** How often parts were asked for again after a failure, by its kind; `undefined`: none was. */
  retriedFor(): Readonly<Record<string, number>> | undefined;
  /** The timeline in at most `rows` rows: the slowest parts and those in flight, the others thinned evenly. */
  snapshot(rows: number): Timeline | null;
}

/**
 * @param beganAt `performance.now()` at the beginning of the request; all times count from it
 * @param labels How replicas are called
 */
export function createTimeline(beganAt: number, labels: ReplicaLabels): TimelineCollector {
  const open = new Map<number, Row>();
  let kept: Row[] = [];
  let slowest: Row[] = [];
  let stride = 1;
  let parts = 0;
  let firstByte: number | undefined;
  let again: [number, number, Again][] = [];
  let retriedFor = new Map<string, number>();
  let lookups: Lookup[] = [];
  let closed = false;

  const since = (at: number): number => Math.max(0, at - beganAt);

  function ask(part: number, at: number): void {
    if (closed) restart();
    const row = open.get(part);
    if (row !== undefined) {
      row.attempts++;
      return;
    }
    parts = Math.max(parts, part + 1);
    open.set(part, {
      part,
      start: since(at),
      firstByte: undefined,
      end: undefined,
      delivered: undefined,
      attempts: 1,
      replica: undefined,
    });
  }

  /** A second download of the same request (facts turned out stale) numbers its parts from 0 again: the last one is told. */
  function restart(): void {
    closed = false;
    open.clear();
    kept = [];
    slowest = [];
    stride = 1;
    parts = 0;
    again = [];
    retriedFor = new Map();
    lookups = [];
  }

  function settle(row: Row): void {
    open.delete(row.part);
    if (row.part % stride === 0) {
      kept.push(row);
      if (kept.length > 2 * TIMELINE_PARTS) {
        stride *= 2;
        kept = kept.filter((each) => each.part % stride === 0);
      }
    }
    const last = slowest.at(-1);
    if (slowest.length < SLOWEST_PARTS || last === undefined || took(row) > took(last)) {
      slowest.push(row);
      slowest.sort((a, b) => took(b) - took(a));
      slowest = slowest.slice(0, SLOWEST_PARTS);
    }
  }

  function note(part: number, at: number, why: Again): void {
    if (again.length < AGAIN_ENTRIES) again.push([part, Math.round(since(at)), why]);
  }

  return {
    onEvent(event) {
      switch (event.type) {
        case "part-requested":
          ask(event.part, event.at);
          return;
        case "part-answered": {
          firstByte ??= since(event.at);
          const row = open.get(event.part);
          if (row === undefined) return;
          row.firstByte ??= since(event.at);
          row.replica = labels.label(event.replica);
          return;
        }
        case "attempt-ended": {
          const row = open.get(event.part);
          if (row === undefined) return;
          if (event.end === "complete") row.end = since(event.at);
          if (event.replica !== undefined && row.replica === undefined)
            row.replica = labels.label(event.replica);
          return;
        }
        case "part-delivered": {
          const row = open.get(event.part);
          if (row === undefined) return;
          row.delivered = since(event.at);
          row.end ??= row.delivered;
          settle(row);
          return;
        }
        case "retry":
          note(event.part, event.at, "r");
          retriedFor.set(event.kind, (retriedFor.get(event.kind) ?? 0) + 1);
          return;
        case "hedge":
          note(event.part, event.at, "h");
          return;
        case "let-go":
          note(event.part, event.at, "l");
          return;
        case "lookup-requested":
          if (closed) restart();
          if (lookups.length < LOOKUP_ENTRIES)
            lookups.push({
              id: event.id,
              purpose: event.purpose,
              start: since(event.at),
              end: undefined,
            });
          return;
        case "lookup-answered": {
          const lookup = lookups.find(({ id }) => id === event.id);
          if (lookup !== undefined) lookup.end ??= since(event.at);
          return;
        }
        case "wasted":
          return;
        case "closed":
          closed = true;
          return;
        default:
          event satisfies never;
      }
    },
    firstByteMs: () => (firstByte === undefined ? null : Math.round(firstByte)),
    slowest(nowMs) {
      let worst: Row | undefined;
      let worstMs = -1;
      for (const row of [...slowest, ...open.values()]) {
        const ms = (row.end ?? nowMs) - row.start;
        if (ms > worstMs) {
          worst = row;
          worstMs = ms;
        }
      }
      if (worst === undefined) return null;
      return {
        part: worst.part,
        ms: Math.round(worstMs),
        waitMs: worst.firstByte === undefined ? null : Math.round(worst.firstByte - worst.start),
        attempts: worst.attempts,
        replica: worst.replica ?? null,
      };
    },
    retriedFor: () => (retriedFor.size === 0 ? undefined : Object.fromEntries(retriedFor)),
    snapshot(rows) {
      if (parts + lookups.length === 0 || rows < 1) return null;
      const chosen = choose(
        rows,
        [...slowest, ...[...open.values()].slice(0, OPEN_PARTS)],
        [...kept, ...[...open.values()].slice(OPEN_PARTS)],
      );
      return toTimeline(parts, chosen, again, lookups);
    },
  };
}
