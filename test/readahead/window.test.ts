/** Promises 1 and 2: order, and what is in flight, asked for and held while a client takes its bytes. */
import fc from "fast-check";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Budget } from "../../src/readahead/budget.ts";
import { delay } from "../../src/readahead/delay.ts";
import type { ReadaheadEvent } from "../../src/readahead/events.ts";
import type { Limits } from "../../src/readahead/limits.ts";
import type { Source } from "../../src/sources/source.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { KiB, MiB } from "../support/units.ts";
import { until } from "../support/until.ts";
import { MemoryStore } from "./support/memory-store.ts";
import { rampBytes } from "./support/ramp.ts";
import { expectRamp, readRamp, settle } from "./support/read-stream.ts";
import { closedEvent, expectSettled, watchDownload } from "./support/watched-download.ts";

checkLeaks();

/** Parts from request to last delivered byte, at their most. */
function widest(events: readonly ReadaheadEvent[]): number {
  let open = 0;
  let most = 0;
  for (const event of events) {
    if (event.type === "part-requested" && event.attempt === 1) open += 1;
    if (event.type === "part-delivered") open -= 1;
    most = Math.max(most, open);
  }
  return most;
}

describe("order", () => {
  it("asks for adjoining ranges, oldest first, and hands them on in that order", async () => {
    const store = new MemoryStore({ size: 20 * MiB + 5 });
    const watched = watchDownload();
    const stream = await watched.stream(store.source);
    expect(await readRamp(stream)).toBe(20 * MiB + 5);
    let position = 0;
    for (const { range } of store.reads) {
      expect(range.start).toBe(position);
      position = range.end;
    }
    expect(position).toBe(20 * MiB + 5);
    const totals = expectSettled(watched);
    expect(totals).toMatchObject({ bytesSent: 20 * MiB + 5, bytesWasted: 0, retries: 0 });
    expect(totals.subrequests).toBe(store.seen.length);
    expect(closedEvent(watched).endedBy).toBe("done");
  });

  it("does not depend on the order of answers", async () => {
    const store = new MemoryStore({ size: 6 * 128 * KiB, manual: true, known: true });
    const watched = watchDownload({ limits: { partBytes: 128 * KiB } });
    const started = watched.stream(store.source);
    await settle();
    for (const number of [5, 4, 3, 2, 1]) store.answer(number);
    await settle();
    expect(watched.budget.held).toBeGreaterThanOrEqual(5 * 128 * KiB);
    store.answer(0);
    expect(await readRamp(await started)).toBe(6 * 128 * KiB);
    expectSettled(watched);
  });

  it("sends no headers before part 0 was answered, whatever the others say", async () => {
    const store = new MemoryStore({ manual: true, known: true });
    const watched = watchDownload({ limits: { partBytes: 128 * KiB } });
    let started = false;
    const start = watched.stream(store.source).then((stream) => {
      started = true;
      return stream;
    });
    await settle();
    for (const number of [1, 2, 3]) store.answer(number);
    await settle();
    expect(started).toBe(false);
    store.answer(0);
    await (await start).cancel();
    expectSettled(watched);
  });

  it("reports a failure of part 0 as a failure to start, though others were answered", async () => {
    const fault = { at: 0, fault: { kind: "status", status: 404 } } as const;
    const store = new MemoryStore({ known: true, faults: [fault] });
    const watched = watchDownload({ limits: { partBytes: 128 * KiB } });
    await expect(watched.stream(store.source)).rejects.toMatchObject({ kind: "not-found" });
    expect(closedEvent(watched)).toMatchObject({ endedBy: "upstream" });
    expectSettled(watched);
  });

  it("fills a reader's own buffers", async () => {
    const size = 700 * KiB + 3;
    const watched = watchDownload();
    const stream = await watched.stream(new MemoryStore({ size }).source);
    const reader = stream.getReader({ mode: "byob" });
    let position = 0;
    for (;;) {
      const { value, done } = await reader.read(new Uint8Array(10_000));
      if (done) break;
      expectRamp(value, position);
      position += value.byteLength;
    }
    expect(position).toBe(size);
    expectSettled(watched);
  });
});

describe("the window", () => {
  it("holds at most windowParts parts and `unanswered` requests, for any sizes and any order of answers", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          windowParts: fc.integer({ min: 1, max: 8 }),
          unanswered: fc.integer({ min: 1, max: 8 }),
          partBytes: fc.integer({ min: 1024, max: 40_000 }),
          budgetBytes: fc.constantFrom(0, 30_000, 200_000, 8 * MiB),
        }),
        fc.integer({ min: 0, max: 100_000 }),
        fc.integer({ min: 700, max: 20_000 }),
        fc.boolean(),
        fc.infiniteStream(fc.nat({ max: 1000 })),
        expectBounded,
      ),
      { numRuns: 80 },
    );
  });

  it("of one part is strictly sequential", async () => {
    const store = new MemoryStore({ size: 3 * MiB });
    const watched = watchDownload({ limits: { windowParts: 1 } });
    expect(await readRamp(await watched.stream(store.source))).toBe(3 * MiB);
    expect(store.maxOpen).toBe(1);
    const turns = watched.events.flatMap((event) =>
      event.type === "part-requested" || event.type === "part-delivered"
        ? [`${event.type} ${event.part}`]
        : [],
    );
    const { parts } = expectSettled(watched);
    expect(parts).toBeGreaterThan(1);
    expect(turns).toEqual(
      Array.from({ length: parts }, (_, part) => [
        `part-requested ${part}`,
        `part-delivered ${part}`,
      ]).flat(),
    );
  });

  it("is full after the first answer where the parts fit what may be asked for", async () => {
    const store = new MemoryStore({ size: 20 * 128 * KiB, manual: true });
    const watched = watchDownload({ limits: { partBytes: 128 * KiB } });
    store.answer(0);
    const stream = await watched.stream(store.source);
    await settle();
    expect(store.reads).toHaveLength(6);
    expect(store.unanswered).toBe(5);
    await stream.cancel();
    expectSettled(watched);
  });

  it("of large parts opens 2 ms behind the first answer: its first byte goes ahead", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const store = new MemoryStore({ size: 20 * MiB });
    const watched = watchDownload();
    const stream = await watched.stream(store.source);
    await vi.advanceTimersByTimeAsync(1);
    expect(store.reads).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(store.reads).toHaveLength(4);
    await stream.cancel();
    expectSettled(watched);
  });

  it("is full before any answer where the facts were known", async () => {
    const store = new MemoryStore({ size: 20 * 128 * KiB, manual: true, known: true });
    const watched = watchDownload({ limits: { partBytes: 128 * KiB } });
    const started = watched.stream(store.source);
    await settle();
    expect(store.unanswered).toBe(6);
    store.answer(0);
    await (await started).cancel();
    expectSettled(watched);
  });

  it("has width 1 while the isolate has too many upstreams open", async () => {
    const budget = new Budget(32 * MiB, 2);
    const other = budget.lease();
    other.opened();
    other.opened();
    const store = new MemoryStore({ size: 2 * MiB });
    const watched = watchDownload({ budget });
    expect(await readRamp(await watched.stream(store.source))).toBe(2 * MiB);
    expect(widest(watched.events)).toBe(1);
    other.release();
    expectSettled(watched);
  });

  it("gives the head the place of the youngest at the cap, and spends no retry on that", async () => {
    const store = new MemoryStore({
      size: 640 * KiB,
      manual: true,
      faults: [{ at: 0, fault: { kind: "reset", after: 70 * KiB } }],
    });
    const watched = watchDownload({ limits: { partBytes: 128 * KiB, unanswered: 2 } });
    store.answer(0);
    const stream = await watched.stream(store.source);
    await settle();
    const ended = watched.ofType("attempt-ended");
    expect(ended.map(({ part, end }) => [part, end])).toEqual([
      [0, "failed"],
      [2, "put-back"],
    ]);
    for (let number = 1; number < 20; number += 1) store.answer(number);
    expect(await readRamp(stream)).toBe(640 * KiB);
    expect(store.maxUnanswered).toBe(2);
    expect(expectSettled(watched).retries).toBe(1);
  });
});

it("gives a later part that has become the head the place of the youngest too", async () => {
  const faults = [{ at: 1, fault: { kind: "reset", after: 70 * KiB } }] as const;
  const store = new MemoryStore({ size: 640 * KiB, manual: true, faults });
  const watched = watchDownload({ limits: { partBytes: 128 * KiB, unanswered: 2 } });
  store.answer(0);
  const reader = (await watched.stream(store.source)).getReader();
  for (let read = 0; read < 128 * KiB; ) read += (await reader.read()).value?.byteLength ?? 0;
  store.answer(1);
  const next = reader.read();
  await settle();
  const ended = watched.ofType("attempt-ended");
  expect(ended.map(({ part, end }) => [part, end])).toEqual([
    [0, "complete"],
    [1, "failed"],
    [3, "put-back"],
  ]);
  await reader.cancel();
  await next;
  expectSettled(watched);
});

it.each([
  [new DOMException("The client has left", "AbortError"), "stream-cancel"],
  [undefined, "stream-cancel"],
  [new Error("Broken pipe"), "write-failed"],
])("cancelled with %o ended by %s", async (reason, endedBy) => {
  const watched = watchDownload();
  await (await watched.stream(new MemoryStore().source)).cancel(reason);
  expect(closedEvent(watched).endedBy).toBe(endedBy);
});

it("looks no further along a list that costs lookups while the window is full", async () => {
  const pieceBytes = 32 * KiB;
  const count = 30;
  const piece = (at: number) => ({ start: at * pieceBytes, end: (at + 1) * pieceBytes });
  const source: Source = {
    open: async () => ({
      facts: { size: count * pieceBytes, headers: {} },
      async *pieces(_range, { permits }) {
        for (let at = 0; at < count; at++) {
          await permits.request({ replica: "list", purpose: "manifest" }, (signal) =>
            delay(1, signal),
          );
          yield { kind: "stored", range: piece(at) };
        }
      },
      read: async (_piece, range, { permits }) =>
        permits.request({ replica: "r", purpose: "read" }, async (signal) => {
          await delay(20, signal);
          return { replica: "r", body: rampBytes(range.start, range.end) };
        }),
    }),
  };
  const watched = watchDownload({ limits: { partBytes: pieceBytes } });
  expect(await readRamp(await watched.stream(source))).toBe(count * pieceBytes);
  expectSettled(watched);
  expect(watched.ofType("attempt-ended").filter(({ end }) => end === "put-back")).toEqual([]);
});

describe("waste", () => {
  it("asked and not delivered is at most 1 MiB, and grows with what was delivered", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const began = performance.now();
    const store = new MemoryStore({ size: 40 * MiB });
    const watched = watchDownload();
    const reader = (await watched.stream(store.source)).getReader();
    let read = 0;
    let farthest = 0;
    for (let done = false; !done; ) {
      await settle();
      const asked = store.reads.reduce((sum, { range }) => sum + range.end - range.start, 0);
      // In the first 100 ms a kernel's gulp may be all that was taken.
      const gulp = performance.now() - began <= 100;
      const staked = gulp ? 0 : read > 8 * MiB ? 3 : 1;
      expect(asked - read).toBeLessThanOrEqual(MiB + staked * read);
      farthest = Math.max(farthest, asked - read);
      const block = await reader.read();
      vi.advanceTimersByTime(5);
      done = block.done;
      read += block.value?.byteLength ?? 0;
    }
    expect(read).toBe(40 * MiB);
    // And the bound is used: long downloads get their window.
    expect(farthest).toBeGreaterThan(12 * MiB);
    expectSettled(watched);
  });

  it("of a client that takes nothing is nothing beyond the first 1 MiB", async () => {
    const store = new MemoryStore({ size: 400 * MiB });
    const watched = watchDownload();
    const stream = await watched.stream(store.source);
    await until("the window is open", () => store.reads.length > 1);
    const asked = store.reads.reduce((sum, { range }) => sum + range.end - range.start, 0);
    expect(asked).toBe(MiB);
    await stream.cancel();
    expect(expectSettled(watched).bytesWasted).toBe(MiB);
  });
});

async function expectBounded(
  limits: Partial<Limits>,
  size: number,
  blockBytes: number,
  known: boolean,
  choices: fc.Stream<number>,
): Promise<void> {
  const store = new MemoryStore({ size, blockBytes, known, manual: true });
  const watched = watchDownload({ limits });
  let done = false;
  const reading = watched
    .stream(store.source)
    .then(readRamp)
    .finally(() => {
      done = true;
    });
  reading.catch(() => undefined);
  while (!done) {
    const waiting = store.reads.flatMap(({ state }, number) =>
      state === "unanswered" ? [number] : [],
    );
    const chosen = waiting[(choices.next().value ?? 0) % Math.max(1, waiting.length)];
    if (chosen !== undefined) store.answer(chosen);
    expect(watched.budget.held).toBeLessThanOrEqual(watched.budget.bytes);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await reading).toBe(size);
  expect(widest(watched.events)).toBeLessThanOrEqual(limits.windowParts ?? 0);
  expect(store.maxUnanswered).toBeLessThanOrEqual(limits.unanswered ?? 0);
  expect(expectSettled(watched).bytesSent).toBe(size);
  expect(watched.budget).toMatchObject({ held: 0, leases: 0, open: 0 });
}
