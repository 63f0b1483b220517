/**
 * What became of each part, as a bounded number of small rows. Fed by the engine's events; knows nothing of HTTP.
 *
 * Memory: at most 2 x {@link TIMELINE_PARTS} finished parts, the few slowest, and the parts in flight, whatever the
 * length of the download. Beyond {@link TIMELINE_PARTS} parts it keeps every second, fourth, eighth ... part. It does
 * not judge: who was slow, and why, is read off the rows by a person (or drawn by `cli/waterfall.ts`).
 */
import type { ReadaheadEvent } from "../readahead/events.ts";
import type { ReplicaLabels } from "./replica-labels.ts";

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

/** Why a part was asked for again: r(etry), h(edge), l(et go). */
export type Again = "r" | "h" | "l";

/** What a request that is not a part's was for. */
export type Purpose = Extract<ReadaheadEvent, { type: "lookup-requested" }>["purpose"];

/** Columns of equal length, one row a part, in the order of the parts. Times are whole milliseconds; null: never got there. */
export interface Timeline {
  /** Parts of the download; more than rows where it was thinned. */
  readonly of: number;
  readonly part: readonly number[];
  /** First request sent, since the beginning of the download. */
  readonly start: readonly number[];
  /** From `start` to the first checked headers. */
  readonly wait: readonly (number | null)[];
  /** From there to the last byte. */
  readonly receive: readonly (number | null)[];
  /** From there to the moment the last byte was handed on: how long the part waited for its turn and for the client. */
  readonly held: readonly (number | null)[];
  readonly attempts: readonly number[];
  /** Index into `replicas` of the last one that answered. */
  readonly replica: readonly (number | null)[];
  readonly replicas: readonly string[];
  /** [part, milliseconds since the beginning, why]: the first few second requests. */
  readonly again: readonly (readonly [number, number, Again])[];
  /** [what for, start, milliseconds to the answer]: opening the object and the first lookups. */
  readonly lookups: readonly (readonly [Purpose, number, number | null])[];
}

/** The part that took longest from its first request to its last byte. */
export interface SlowestPart {
  readonly part: number;
  /** From first request to last byte, or to the end of the download. */
  readonly ms: number;
  readonly waitMs: number | null;
  readonly attempts: number;
  readonly replica: string | null;
}

interface Row {
  readonly part: number;
  readonly start: number;
  firstByte: number | undefined;
  end: number | undefined;
  delivered: number | undefined;
  attempts: number;
  replica: string | undefined;
}

interface Lookup {
  readonly id: number;
  readonly purpose: Purpose;
  readonly start: number;
  end: number | undefined;
}

/** Collects the parts of one download. */
export interface TimelineCollector {
  onEvent(event: ReadaheadEvent): void;
  /** Milliseconds from the beginning to the first checked headers of any part. */
  firstByteMs(): number | null;
  slowest(nowMs: number): SlowestPart | null;
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
    snapshot(rows) {
      if (parts === 0 || rows < 1) return null;
      const chosen = choose(
        rows,
        [...slowest, ...[...open.values()].slice(0, OPEN_PARTS)],
        [...kept, ...[...open.values()].slice(OPEN_PARTS)],
      );
      return columns(parts, chosen, again, lookups);
    },
  };
}

function took(row: Row): number {
  return (row.end ?? row.start) - row.start;
}

/** The first rows of `always`, and as many of `others`, spread evenly, as there is room for. */
function choose(rows: number, always: readonly Row[], others: readonly Row[]): Row[] {
  const chosen = new Set(always.slice(0, rows));
  const rest = others.filter((row) => !chosen.has(row)).toSorted((a, b) => a.part - b.part);
  const room = Math.min(rows - chosen.size, rest.length);
  for (let i = 0; i < room; i++) {
    const row = rest[Math.floor((i * rest.length) / room)];
    if (row !== undefined) chosen.add(row);
  }
  return [...chosen].toSorted((a, b) => a.part - b.part);
}

function columns(
  parts: number,
  rows: readonly Row[],
  again: readonly (readonly [number, number, Again])[],
  lookups: readonly Lookup[],
): Timeline {
  const replicas: string[] = [];
  const index = new Map<string, number>();
  const replica = rows.map((row) => {
    if (row.replica === undefined) return null;
    let at = index.get(row.replica);
    if (at === undefined) {
      at = replicas.push(row.replica) - 1;
      index.set(row.replica, at);
    }
    return at;
  });
  return {
    of: parts,
    part: rows.map((row) => row.part),
    start: rows.map((row) => Math.round(row.start)),
    wait: rows.map((row) => between(row.start, row.firstByte)),
    receive: rows.map((row) => between(row.firstByte, row.end)),
    held: rows.map((row) => between(row.end, row.delivered)),
    attempts: rows.map((row) => row.attempts),
    replica,
    replicas,
    again,
    lookups: lookups.map(({ purpose, start, end }) => [
      purpose,
      Math.round(start),
      between(start, end),
    ]),
  };
}

/** Difference of the rounded times, so that the columns add up to whole milliseconds without drifting. */
function between(from: number | undefined, to: number | undefined): number | null {
  if (from === undefined || to === undefined) return null;
  return Math.max(0, Math.round(to) - Math.round(from));
}
