/** A download under observation: its events, and what must hold of them at the end, whatever happened. */
import { expect } from "vitest";
import { Budget } from "../../../src/readahead/budget.ts";
import type { Download, DownloadOptions } from "../../../src/readahead/download.ts";
import { createDownload } from "../../../src/readahead/download.ts";
import type { ReadaheadEvent, Totals } from "../../../src/readahead/events.ts";
import type { Layout } from "../../../src/readahead/layout.ts";
import { resolveLimits } from "../../../src/readahead/limits.ts";
import { firstPartBytes } from "../../../src/readahead/plan.ts";
import type { OpenObject, Source } from "../../../src/sources/source.ts";
import { watchBudget } from "../../support/leak-check.ts";

export interface WatchedDownload {
  readonly download: Download;
  readonly budget: Budget;
  /** The budget was given from outside. */
  readonly shared: boolean;
  readonly events: readonly ReadaheadEvent[];
  /** Opens `[start, end)` as the handler does: the open asks for the first part. */
  open(source: Source, start?: number, end?: number): Promise<OpenObject>;
  /** Opens and starts the range, or the whole object. */
  stream(
    source: Source,
    range?: { start: number; end: number },
  ): Promise<ReadableStream<Uint8Array>>;
  start(object: OpenObject, layout: Layout): Promise<ReadableStream<Uint8Array>>;
  ofType<T extends ReadaheadEvent["type"]>(type: T): Array<Extract<ReadaheadEvent, { type: T }>>;
}

/** Has a budget of its own unless one is given; no hedges unless asked for: a pause of the machine must not start one. */
export function watchDownload(options: DownloadOptions = {}): WatchedDownload {
  const limits = resolveLimits({ hedge: false, ...options.limits });
  const budget = options.budget ?? new Budget(limits.budgetBytes, limits.openUpstreams);
  watchBudget(budget);
  const events: ReadaheadEvent[] = [];
  const download = createDownload({
    ...options,
    limits,
    budget,
    onEvent: (event) => events.push(event),
  });
  const { permits, signal, observe } = download;
  const open = (source: Source, start = 0, end = Number.POSITIVE_INFINITY) =>
    source.open("object", {
      want: { start, end: Math.min(end, start + firstPartBytes(limits)) },
      permits,
      signal,
      observe,
    });
  return {
    download,
    budget,
    shared: options.budget !== undefined,
    events,
    open,
    start: (object, layout) => download.start(object, layout),
    stream: async (source, range) => {
      const object = await open(source, range?.start, range?.end);
      const { size } = object.facts;
      return download.start(object, [range ?? { start: 0, end: size ?? Number.POSITIVE_INFINITY }]);
    },
    ofType: (type) => events.filter((event) => event.type === type) as never,
  };
}

/** The download's record, which must be its last event and the only one of its kind. */
export function closedEvent(watched: WatchedDownload) {
  const closed = watched.ofType("closed");
  expect(closed).toHaveLength(1);
  expect(watched.events.at(-1)).toBe(closed[0]);
  return closed[0] as Extract<ReadaheadEvent, { type: "closed" }>;
}

/** Everything that holds at the end of any download. @param literalBytes Bytes of the answer that no store sent */
export function expectSettled(watched: WatchedDownload, literalBytes = 0): Totals {
  const { totals } = closedEvent(watched);
  const name = (event: { part: number; attempt: number }) => `${event.part}/${event.attempt}`;
  const requested = watched.ofType("part-requested").map(name);
  const ended = watched.ofType("attempt-ended").map(name);
  expect(new Set(requested).size).toBe(requested.length);
  expect(ended.toSorted()).toEqual(requested.toSorted());
  expect(totals.attempts).toBe(requested.length);
  const asked = watched.ofType("lookup-requested").map(({ id }) => `lookup ${id}`);
  const answered = watched.ofType("lookup-answered").map(({ id }) => `lookup ${id}`);
  expect(answered.toSorted()).toEqual(asked.toSorted());
  expect(totals.openAfterClose).toBe(0);
  expect(totals.bytesFetched).toBe(totals.bytesSent - literalBytes + totals.bytesWasted);
  if (!watched.shared) expect(watched.budget.open).toBe(0);
  return totals;
}
