/**
 * The rows of a timeline as columns: which of them are told, and how. Pure; `timeline.ts` collects them.
 */
import type { ReadaheadEvent } from "../readahead/events.ts";

/** Why a part was asked for again: r(etry), h(edge), l(et go). */
export type Again = "r" | "h" | "l";

/** What a request that is not a part's was for. */
export type Purpose = Extract<ReadaheadEvent, { type: "lookup-requested" }>["purpose"];

/** Columns of equal length, one row a part, in the order of the parts. Times are whole milliseconds; null: never got there. */
export interface Timeline {
  /** Parts of the download; more than rows where it was thinned. */
  readonly of: number;
  readonly part: readonly number[];
  /** First request sent, since the beginning of the client's request. */
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

/** One part, as it is collected. Times count from the beginning of the client's request, ms. */
export interface Row {
  readonly part: number;
  readonly start: number;
  firstByte: number | undefined;
  end: number | undefined;
  delivered: number | undefined;
  attempts: number;
  replica: string | undefined;
}

/** One request that is not a part's. */
export interface Lookup {
  readonly id: number;
  readonly purpose: Purpose;
  readonly start: number;
  end: number | undefined;
}

/** From the first request to the last byte. */
export function took(row: Row): number {
  return (row.end ?? row.start) - row.start;
}

/** The first rows of `always`, and as many of `others`, spread evenly, as there is room for. */
export function choose(rows: number, always: readonly Row[], others: readonly Row[]): Row[] {
  const chosen = new Set(always.slice(0, rows));
  const rest = others.filter((row) => !chosen.has(row)).toSorted((a, b) => a.part - b.part);
  const room = Math.min(rows - chosen.size, rest.length);
  for (let i = 0; i < room; i++) {
    const row = rest[Math.floor((i * rest.length) / room)];
    if (row !== undefined) chosen.add(row);
  }
  return [...chosen].toSorted((a, b) => a.part - b.part);
}

/** Whole milliseconds, in the order of the rows. */
export function toTimeline(
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
