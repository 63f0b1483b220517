/**
 * Several downloads on one budget, each with a store, a client and faults of its own: whatever they do to one another,
 * every byte that comes is right, nothing hangs, the budget's books are never wrong, and nothing is left.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import type { ByteRange } from "../../src/readahead/byte-range.ts";
import { delay } from "../../src/readahead/delay.ts";
import { createDownload } from "../../src/readahead/download.ts";
import type { Layout } from "../../src/readahead/layout.ts";
import { firstPartBytes } from "../../src/readahead/plan.ts";
import type { StoredPiece } from "../../src/sources/source.ts";
import { KiB } from "../support/units.ts";
import { WatchedBudget } from "../support/watched-budget.ts";
import { type MemoryFault, MemoryStore } from "./support/memory-store.ts";
import { isRamp, rampBytes } from "./support/ramp.ts";

/** Longer than any case can take that does not hang. */
const LONGEST_MS = 3_600_000;

const share = fc.double({ min: 0, max: 1, noNaN: true });
const never = new AbortController().signal;

const fault = fc.oneof(
  fc.record({ kind: fc.constantFrom("reset" as const, "stall" as const), after: fc.nat(200_000) }),
  fc.record({
    kind: fc.constantFrom("reset" as const, "stall" as const),
    after: fc.constant("before-headers" as const),
  }),
  fc.record({ kind: fc.constant("short" as const), bytes: fc.integer({ min: 1, max: 50_000 }) }),
  fc.record({
    kind: fc.constant("status" as const),
    status: fc.constantFrom(503, 429, 500, 403, 404),
  }),
) satisfies fc.Arbitrary<MemoryFault>;

const store = fc.record({
  size: fc.integer({ min: 1, max: 2_000 * KiB }),
  faults: fc.array(fc.record({ at: fc.nat(30), fault }), { maxLength: 6 }),
  blockBytes: fc.constantFrom(4 * KiB, 64 * KiB, 300 * KiB),
  known: fc.boolean(),
  /** Headers of the n-th answer, ms; none: at once. */
  lateMs: fc.option(fc.array(fc.nat(3_000), { minLength: 1, maxLength: 8 }), { nil: undefined }),
  slow: fc.option(
    fc.record({ from: fc.nat(2_000 * KiB), everyMs: fc.integer({ min: 1, max: 300 }) }),
    {
      nil: undefined,
    },
  ),
  replicas: fc.constantFrom(["a"], ["a", "b"], ["a", "b", "c"]),
  refresh: fc.constantFrom(undefined, "changed" as const, "unchanged" as const),
  suspectTailBytes: fc.constantFrom(undefined, 64),
  chunk: fc.option(
    fc.record({ bytes: fc.integer({ min: 20 * KiB, max: 500 * KiB }), held: fc.boolean() }),
    { nil: undefined },
  ),
});

const client = fc.record({
  manner: fc.constantFrom("reads", "is slow", "comes late", "leaves", "aborts"),
  from: share,
  to: share,
  severalRanges: fc.boolean(),
  everyMs: fc.integer({ min: 1, max: 600 }),
  leavesAfter: share,
  abortsAtMs: fc.nat(20_000),
});

const limits = fc.record({
  hedge: fc.boolean(),
  windowParts: fc.integer({ min: 1, max: 8 }),
  unanswered: fc.integer({ min: 1, max: 8 }),
  partBytes: fc.constantFrom(16 * KiB, 100 * KiB, 1024 * KiB, 4096 * KiB),
  holdMs: fc.constantFrom(10, 500, 5_000, 15_000),
  stallMs: fc.constantFrom(300, 10_000),
  firstByteMs: fc.constantFrom(500, 30_000),
  subrequests: fc.constantFrom(60, 2_000),
});

type Job = {
  store: Values<typeof store>;
  client: Values<typeof client>;
  limits: Values<typeof limits>;
};
type Values<A> = A extends fc.Arbitrary<infer T> ? T : never;

const crowd = fc.record({
  budgetBytes: fc.constantFrom(0, 100 * KiB, 600 * KiB, 4096 * KiB),
  openUpstreams: fc.constantFrom(2, 6, 96),
  jobs: fc.array(fc.record({ store, client, limits }), { minLength: 1, maxLength: 4 }),
});

function storeOf({ store: options }: Job, budgetBytes: number): MemoryStore {
  const { chunk, lateMs, ...given } = options;
  const held = chunk?.held === true ? Math.min(chunk.bytes, budgetBytes) : 0;
  const chunks = function* (range: ByteRange): Generator<StoredPiece> {
    const bytes = chunk?.bytes ?? options.size;
    for (let start = range.start; start < range.end; ) {
      const end = Math.min(range.end, (Math.floor(start / bytes) + 1) * bytes);
      yield {
        kind: "stored",
        range: { start, end },
        ...(held > 0 && { atomic: true, holdBytes: held }),
      };
      start = end;
    }
  };
  const made = new MemoryStore({
    ...given,
    manual: lateMs !== undefined,
    pieces: chunk && chunks,
    reserveBytes: held > 0 ? held : undefined,
  });
  // More answers than any case asks for; each at its time after the beginning.
  for (const [number, ms] of (lateMs ?? []).entries())
    for (let n = number; n < 4_000; n += lateMs?.length ?? 1)
      setTimeout(() => made.answer(n), ms * (1 + Math.floor(n / 8)));
  return made;
}

function layoutOf({ store: { size }, client: { from, to, severalRanges } }: Job): Layout {
  const start = Math.floor(Math.min(from, to) * (size - 1));
  const end = Math.max(start + 1, Math.ceil(Math.max(from, to) * size));
  if (!severalRanges) return [{ start, end }];
  const text = rampBytes(0, 37);
  return [text, { start: 0, end }, text, { start, end: size }, text];
}

/** Where each byte of the answer lies: checks a block against it. */
function checkerOf(layout: Layout): (block: Uint8Array, position: number) => boolean {
  return (block, position) => {
    let at = 0;
    for (const segment of layout) {
      const [start, length] =
        segment instanceof Uint8Array
          ? [0, segment.byteLength]
          : [segment.start, segment.end - segment.start];
      const first = Math.max(position, at);
      const last = Math.min(position + block.byteLength, at + length);
      if (
        first < last &&
        !isRamp(block.subarray(first - position, last - position), start + first - at)
      )
        return false;
      at += length;
    }
    return true;
  };
}

/** Runs one download to its end. @returns what was wrong */
async function runJob(job: Job, budget: WatchedBudget): Promise<string | undefined> {
  const {
    client: how,
    store: { size },
  } = job;
  const memory = storeOf(job, budget.bytes);
  const layout = layoutOf(job);
  const isRight = checkerOf(layout);
  const length = layout.reduce(
    (sum, part) => sum + (part instanceof Uint8Array ? part.byteLength : part.end - part.start),
    0,
  );
  const leaving = new AbortController();
  const all = { ...job.limits, budgetBytes: budget.bytes, openUpstreams: budget.openUpstreams };
  const download = createDownload({ budget, limits: all, signal: leaving.signal });
  if (how.manner === "aborts") setTimeout(() => leaving.abort(), how.abortsAtMs);
  let received = 0;
  let complete = false;
  try {
    const { permits, signal, observe } = download;
    const first = layout.find((part): part is ByteRange => !(part instanceof Uint8Array)) ?? {
      start: 0,
      end: size,
    };
    const end = Math.min(first.end, first.start + firstPartBytes({ partBytes: all.partBytes }));
    const want = { start: first.start, end };
    const object = await memory.source.open("object", { want, permits, signal, observe });
    const stream = await download.start(object, layout);
    if (how.manner === "comes late") await delay(how.everyMs * 60, never);
    const reader = stream.getReader();
    while (!complete) {
      if (how.manner === "leaves" && received >= how.leavesAfter * length) {
        await reader.cancel();
        break;
      }
      const { done, value } = await reader.read();
      complete = done;
      if (value === undefined) continue;
      if (!isRight(value, received)) return `wrong bytes after ${received}`;
      received += value.byteLength;
      if (how.manner === "is slow") await delay(how.everyMs, never);
    }
  } catch (error) {
    const expected = error instanceof ReadaheadError || leaving.signal.aborted;
    if (!expected) return `failed with ${String(error)}`;
    download.close("upstream", error);
  }
  const totals = await download.closed;
  await delay(1, never);
  if (complete && received !== length) return `ended after ${received} of ${length} bytes`;
  if (totals.openAfterClose > 0 || memory.openBodies > 0 || memory.unanswered > 0)
    return "left something open";
  if (memory.maxUnanswered > all.unanswered)
    return `${memory.maxUnanswered} requests waited for headers`;
  return undefined;
}

describe("downloads on one budget", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("leave one another whole, whatever befalls each", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(crowd, async ({ budgetBytes, openUpstreams, jobs }) => {
        const budget = new WatchedBudget(budgetBytes, openUpstreams);
        let wrong: (string | undefined)[] | undefined;
        const running = Promise.all(jobs.map((job) => runJob(job, budget))).then((found) => {
          wrong = found;
        });
        for (let ms = 0; wrong === undefined; ) {
          const step = ms < 10_000 ? 20 : 500;
          await vi.advanceTimersByTimeAsync(step);
          ms += step;
          expect(budget.held).toBeGreaterThanOrEqual(0);
          expect(ms, "hangs").toBeLessThan(LONGEST_MS);
        }
        await running;
        expect(wrong.filter((found) => found !== undefined)).toEqual([]);
        expect(budget.mostHeld).toBeLessThanOrEqual(budgetBytes);
        expect([budget.held, budget.open, budget.leases]).toEqual([0, 0, 0]);
        vi.clearAllTimers();
      }),
      { numRuns: 60 },
    );
  });
});
