/** Downloads whose store holds whole chunks: the memory is reserved first, and idle ones make room for it. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Budget } from "../../src/readahead/budget.ts";
import type { ByteRange } from "../../src/readahead/byte-range.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { MiB } from "../support/units.ts";
import { MemoryStore } from "./support/memory-store.ts";
import { readRamp } from "./support/read-stream.ts";
import { closedEvent, expectSettled, watchDownload } from "./support/watched-download.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
checkLeaks();

describe("the reserve of a download whose store holds whole chunks", () => {
  const reserveBytes = 3 * MiB;
  const pieces = (range: ByteRange) =>
    [{ kind: "stored", range, atomic: true, holdBytes: reserveBytes }] as const;
  const held = () => new MemoryStore({ size: MiB, known: true, pieces, reserveBytes });

  it("is taken from a client that reads nothing for long, once another waits for it", async () => {
    const budget = new Budget(4 * MiB, 96);
    const idle = watchDownload({ budget });
    const reader = (await idle.stream(held().source)).getReader();
    await reader.read();
    // A pause hurts nobody as long as nobody waits.
    await vi.advanceTimersByTimeAsync(900_000);
    expect(idle.ofType("closed")).toHaveLength(0);
    const other = watchDownload({ budget });
    const starting = other.stream(held().source);
    await vi.advanceTimersByTimeAsync(31_000);
    await expect(drain(reader)).rejects.toMatchObject({ kind: "overloaded" });
    expectSettled(idle);
    expect(await readRamp(await starting)).toBe(MiB);
    expectSettled(other);
  });

  it("is kept out neither by a plain download whose client pauses nor by the next one", async () => {
    const budget = new Budget(8 * MiB, 96);
    const pause = async () => {
      const plain = watchDownload({ budget });
      const store = new MemoryStore({ size: 64 * MiB, known: true });
      const reader = (await plain.stream(store.source)).getReader();
      for (let read = 0; read < 32 * MiB; ) {
        read += (await reader.read()).value?.byteLength ?? Infinity;
        await vi.advanceTimersByTimeAsync(2);
      }
      await vi.advanceTimersByTimeAsync(1_000);
      return { plain, reader };
    };
    const first = await pause();
    expect(budget.held).toBeGreaterThan(8 * MiB - reserveBytes);
    await vi.advanceTimersByTimeAsync(220_000);
    const other = watchDownload({ budget });
    const starting = other.stream(held().source);
    await vi.advanceTimersByTimeAsync(10_000);
    // What a kernel took in lasts a slow client for minutes.
    expect(first.plain.ofType("closed")).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(49_000);
    expect(await readRamp(await starting)).toBe(MiB);
    await expect(drain(first.reader)).rejects.toMatchObject({ kind: "overloaded" });
    expectSettled(first.plain);
    expectSettled(other);
    const next = await pause();
    expect(budget.held).toBeGreaterThan(MiB);
    expect(budget.held).toBeLessThanOrEqual(8 * MiB - reserveBytes);
    await next.reader.cancel();
    expectSettled(next.plain);
  });

  it("stays with a client that reads on, however slowly: the other is told to come back", async () => {
    const budget = new Budget(4 * MiB, 96);
    const slow = watchDownload({ budget });
    const reader = (await slow.stream(held().source)).getReader();
    await reader.read();
    const other = watchDownload({ budget });
    const refused = expect(other.stream(held().source)).rejects.toMatchObject({
      kind: "overloaded",
      retryAfterMs: 5_000,
    });
    for (let pauses = 0; pauses < 3; pauses += 1) {
      await vi.advanceTimersByTimeAsync(30_000);
      await reader.read();
    }
    await refused;
    await drain(reader);
    expectSettled(slow);
    expectSettled(other);
  });

  it("is no matter of the store, for who waited in vain and for who is broken off", async () => {
    const budget = new Budget(4 * MiB, 96);
    const idle = watchDownload({ budget });
    const reader = (await idle.stream(held().source)).getReader();
    await reader.read();
    const waiting = [0, 60_000, 120_000, 180_000].map(async (ms) => {
      await new Promise((done) => setTimeout(done, ms));
      const other = watchDownload({ budget });
      const stream = await other.stream(held().source).catch(() => undefined);
      if (stream !== undefined) await readRamp(stream);
      return other;
    });
    await vi.advanceTimersByTimeAsync(270_000);
    await expect(drain(reader)).rejects.toThrow("Client took nothing while others waited");
    const [first] = await Promise.all(waiting);
    for (const ended of [first, idle])
      expect(ended && closedEvent(ended)).toMatchObject({ endedBy: "exception" });
  });

  it("stays with a client that waits for its store, however long", async () => {
    const budget = new Budget(4 * MiB, 96);
    const half = MiB / 2;
    const halves = () =>
      [0, half].map((start) => {
        const range = { start, end: start + half };
        return { kind: "stored", range, atomic: true, holdBytes: reserveBytes } as const;
      });
    const store = new MemoryStore({
      size: MiB,
      known: true,
      manual: true,
      pieces: halves,
      reserveBytes,
    });
    store.answer(0);
    const waiting = watchDownload({ budget, limits: { firstByteMs: 600_000 } });
    const reading = readRamp(await waiting.stream(store.source));
    const other = watchDownload({ budget });
    const refused = expect(other.stream(held().source)).rejects.toMatchObject({
      kind: "overloaded",
    });
    await vi.advanceTimersByTimeAsync(90_000);
    await refused;
    store.answer(1);
    expect(await reading).toBe(MiB);
    expectSettled(waiting);
    expectSettled(other);
  });
});

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}
