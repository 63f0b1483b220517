/** Bodies that are slow but alive, and bodies that end late or never: no byte is lost, nobody waits for ever. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkLeaks } from "../support/leak-check.ts";
import { KiB, MiB } from "../support/units.ts";
import { MemoryStore } from "./support/memory-store.ts";
import { readRamp } from "./support/read-stream.ts";
import { expectSettled, watchDownload } from "./support/watched-download.ts";

checkLeaks();
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Moves the clock until the promise has settled. */
async function passTime<T>(promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = () => {
    settled = true;
  };
  promise.then(done, done);
  while (!settled) await vi.advanceTimersByTimeAsync(50);
  return promise;
}

describe("a store that slows down and goes on", () => {
  const slow = { from: MiB, everyMs: 50 };
  const limits = { stallMs: 500 };

  it("costs one retry a part at most, however small the parts", async () => {
    const store = new MemoryStore({ size: 2 * MiB, blockBytes: 4 * KiB, slow });
    const watched = watchDownload({ limits: { ...limits, partBytes: 64 * KiB, windowParts: 4 } });
    const stream = await watched.stream(store.source);
    expect(await passTime(readRamp(stream))).toBe(2 * MiB);
    // The parts that were asked for while the store was fast; whoever comes later reads as it comes.
    expect(expectSettled(watched).retries).toBeLessThanOrEqual(4);
  });

  it("does not break an object that cannot be asked for again", async () => {
    const facts = { unversioned: "weak ETag", pin: undefined };
    const store = new MemoryStore({ size: 4 * MiB, blockBytes: 16 * KiB, slow, facts });
    const watched = watchDownload({ limits });
    const stream = await watched.stream(store.source);
    expect(await passTime(readRamp(stream))).toBe(4 * MiB);
    expect(expectSettled(watched)).toMatchObject({ retries: 0, attempts: 1 });
  });

  it("is read as it comes behind one large block that was slow", async () => {
    const trickle = { from: 14 * MiB, everyMs: 30 };
    const store = new MemoryStore({ size: 20 * MiB, slow: trickle });
    const watched = watchDownload({ limits: { windowParts: 1, partBytes: 16 * MiB } });
    const reader = (await watched.stream(store.source)).getReader();
    let position = 0;
    let longestMs = 0;
    for (;;) {
      const since = performance.now();
      const { done, value } = await passTime(reader.read());
      if (done) break;
      position += value.byteLength;
      // A MiB of such a store takes 480 ms: the first of them may, to notice it.
      if (position > 16 * MiB) longestMs = Math.max(longestMs, performance.now() - since);
    }
    expect(position).toBe(20 * MiB);
    expect(longestMs).toBeLessThanOrEqual(150);
    expectSettled(watched);
  });
});

describe("memory for a block that did not come", () => {
  it.each([
    ["breaks", { kind: "reset", after: 100 * KiB }],
    ["ends early", { kind: "short", bytes: 50 * KiB }],
    ["stalls", { kind: "stall", after: 100 * KiB }],
  ] as const)("is free again at once where a body %s", async (_how, fault) => {
    const store = new MemoryStore({ size: MiB, known: true, faults: [{ at: 0, fault }] });
    const watched = watchDownload({ limits: { partBytes: 512 * KiB, stallMs: 500 } });
    const reader = (await watched.stream(store.source)).getReader();
    await vi.advanceTimersByTimeAsync(5_000);
    const { value } = await reader.read();
    await vi.advanceTimersByTimeAsync(5_000);
    // Blocks may be a byte larger than what is in them.
    expect(watched.budget.held - MiB + (value?.byteLength ?? 0)).toBeLessThan(KiB);
    while (!(await reader.read()).done);
    expect(expectSettled(watched).retries).toBe(1);
  });
});

it("what is held back of a body that ends early, as it may be the text of an error, is wasted", async () => {
  const faults = [{ at: 0, fault: { kind: "short", bytes: 100 * KiB } as const }];
  const store = new MemoryStore({ size: MiB, known: true, suspectTailBytes: 64, faults });
  const watched = watchDownload({ limits: { windowParts: 1 } });
  const stream = await watched.stream(store.source);
  expect(await passTime(readRamp(stream))).toBe(MiB);
  expect(expectSettled(watched).bytesWasted).toBe(64);
});

it("a body that is longer than what was asked for is cancelled", async () => {
  const store = new MemoryStore({ size: MiB, facts: { size: 100_000 } });
  const { read, ...object } = store.object();
  const watched = watchDownload();
  const longer = (end: number) => end + 100_000;
  const stream = await watched.start(
    {
      ...object,
      read: (piece, { start, end }, request) => read(piece, { start, end: longer(end) }, request),
    },
    [{ start: 0, end: 100_000 }],
  );
  expect(await passTime(readRamp(stream))).toBe(100_000);
  expect(expectSettled(watched).attempts).toBe(1);
  expect(store.openBodies).toBe(0);
});

describe("a body whose end does not come", () => {
  it("is given up when every byte is here", async () => {
    const faults = [{ at: 0, fault: { kind: "stall", after: 60_000 } as const }];
    const store = new MemoryStore({ size: 60_000, faults });
    const watched = watchDownload();
    const before = performance.now();
    const stream = await watched.stream(store.source);
    expect(await passTime(readRamp(stream))).toBe(60_000);
    expect(performance.now() - before).toBeLessThan(1_500);
    expect(expectSettled(watched)).toMatchObject({ retries: 0, subrequests: 1 });
    expect(store.openBodies).toBe(0);
  });

  it("is not raced for nothing in the middle of a window", async () => {
    const size = 16 * MiB;
    const stuck = 8;
    const faults = Array.from({ length: 40 }, (_, at) => ({
      at,
      fault: { kind: "stall", after: at === stuck ? MiB : 2 * size } as const,
    }));
    const store = new MemoryStore({ size, faults });
    const watched = watchDownload({ limits: { hedge: true, partBytes: MiB } });
    const stream = await watched.stream(store.source);
    expect(await passTime(readRamp(stream))).toBe(size);
    for (const { range } of store.reads) expect(range.end).toBeGreaterThan(range.start);
    expect(expectSettled(watched).hedges).toBe(0);
  });
});

it("a body of unknown length that may end in the text of an error is handed on to its end", async () => {
  const store = new MemoryStore({
    size: 100_000,
    facts: { size: undefined },
    suspectTailBytes: 64,
  });
  const watched = watchDownload();
  const stream = await watched.stream(store.source);
  expect(await passTime(readRamp(stream))).toBe(100_000);
  expectSettled(watched);
});
