/** Promise 2: what a download holds, and how downloads share a budget. */
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Budget } from "../../src/readahead/budget.ts";
import type { ByteRange } from "../../src/readahead/byte-range.ts";
import { GRANT_MARGIN } from "../../src/readahead/plan.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { KiB, MiB } from "../support/units.ts";
import { until } from "../support/until.ts";
import { MemoryStore } from "./support/memory-store.ts";
import { expectRamp, settle } from "./support/read-stream.ts";
import { expectSettled, watchDownload } from "./support/watched-download.ts";

checkLeaks();

describe("memory", () => {
  it("that others use up leaves every download one small block at a time", async () => {
    const budget = new Budget(MiB, 96);
    const other = budget.lease();
    expect(other.reserve(MiB)).toBe(true);
    const size = MiB + 11;
    const downloads = [0, 1, 2].map(() => watchDownload({ budget }));
    await Promise.all(
      downloads.map(async (watched) => {
        const store = new MemoryStore({ size, blockBytes: 300 * KiB });
        const reader = (await watched.stream(store.source)).getReader();
        let position = 0;
        for (let block = await reader.read(); !block.done; block = await reader.read()) {
          expect(block.value.byteLength).toBeLessThanOrEqual(64 * KiB);
          expectRamp(block.value, position);
          position += block.value.byteLength;
          expect(store.maxOpen).toBe(1);
        }
        expect(position).toBe(size);
      }),
    );
    expect(budget.held).toBe(MiB);
    other.release();
    for (const watched of downloads) expectSettled(watched);
    expectEmpty(budget);
  });

  it("is held for the parts in the window, and no longer", async () => {
    const partBytes = 64 * KiB;
    const store = new MemoryStore({ size: 10 * partBytes, known: true, manual: true });
    const watched = watchDownload({ limits: { partBytes, windowParts: 2 } });
    store.answer(0);
    store.answer(1);
    const reader = (await watched.stream(store.source)).getReader();
    for (let read = 0; read < 2 * partBytes; ) read += (await reader.read()).value?.byteLength ?? 0;
    await settle();
    expect(store.unanswered).toBe(2);
    expect(watched.budget.held).toBe(2 * (partBytes + GRANT_MARGIN));
    await reader.cancel();
    expectSettled(watched);
  });

  it("counts for the isolate no upstream that has ended, however long the download", async () => {
    const partBytes = 64 * KiB;
    const watched = watchDownload({ limits: { partBytes, windowParts: 2 } });
    const store = new MemoryStore({ size: 20 * partBytes, known: true });
    for await (const _ of await watched.stream(store.source))
      expect(watched.budget.open).toBeLessThanOrEqual(2);
    expectSettled(watched);
  });

  it("for a part includes what its store must hold to answer", async () => {
    const partBytes = 64 * KiB;
    const holdBytes = 10_000;
    const pieces = (range: ByteRange) => [{ kind: "stored", range, holdBytes } as const];
    const store = new MemoryStore({ size: 4 * partBytes, known: true, manual: true, pieces });
    const watched = watchDownload({ limits: { partBytes, windowParts: 2 } });
    const starting = watched.stream(store.source);
    await settle();
    expect(watched.budget.held).toBe(2 * (holdBytes + partBytes + GRANT_MARGIN));
    watched.download.close("stream-cancel");
    await expect(starting).rejects.toThrow();
    expectSettled(watched);
  });

  it("that the store's hold covers is the reserve, and a hold for every other part", async () => {
    const partBytes = 64 * KiB;
    const holdBytes = 100_000;
    const pieces = (range: ByteRange) => [{ kind: "stored", range, holdBytes } as const];
    const options = { known: true, manual: true, pieces, reserveBytes: holdBytes };
    const store = new MemoryStore({ size: 10 * partBytes, ...options });
    const watched = watchDownload({ limits: { partBytes, windowParts: 3 } });
    const starting = watched.stream(store.source);
    await settle();
    expect(store.unanswered).toBe(3);
    expect(watched.budget.held).toBe(3 * holdBytes);
    watched.download.close("stream-cancel");
    await expect(starting).rejects.toThrow();
    expectSettled(watched);
  });

  it("is one block of what comes in one stream, however long the client pauses", async () => {
    const facts = { pin: undefined, unversioned: "no validator" };
    const watched = watchDownload();
    const stream = await watched.stream(new MemoryStore({ size: 8 * MiB, facts }).source);
    const reader = stream.getReader();
    for (let turn = 0; turn < 10; turn += 1) {
      await reader.read();
      await settle();
      expect(watched.budget.held).toBeLessThanOrEqual(256 * KiB);
    }
    await reader.cancel();
    expectSettled(watched);
  });

  it("is taken for parts that may be asked for now, not for those that would queue", async () => {
    const store = new MemoryStore({ size: MiB, known: true, manual: true });
    const limits = { partBytes: 64 * KiB, windowParts: 6, unanswered: 2 };
    const watched = watchDownload({ limits });
    const starting = watched.stream(store.source);
    await settle();
    expect(store.unanswered).toBe(2);
    expect(watched.budget.held).toBeLessThanOrEqual(2 * 65 * KiB);
    watched.download.close("client-signal");
    await expect(starting).rejects.toThrow();
    expectSettled(watched);
  });

  it("that lies idle lends a crowd blocks of 256 KiB, half of it at most", async () => {
    const budget = new Budget(2 * MiB, 1000);
    const crowd = Array.from({ length: 50 }, () => budget.lease());
    const largest = async () => {
      const watched = watchDownload({ budget });
      const stream = await watched.stream(new MemoryStore({ size: 4 * MiB }).source);
      let most = 0;
      for await (const block of stream) most = Math.max(most, block.byteLength);
      expectSettled(watched);
      return most;
    };
    expect(await largest()).toBe(256 * KiB);
    expect(crowd[0]?.reserve(MiB)).toBe(true);
    expect(await largest()).toBe(64 * KiB);
    for (const lease of crowd) lease.release();
    expectEmpty(budget);
  });

  it("of a client that left is freed at once, not when it is collected", async () => {
    const watched = watchDownload();
    const stream = await watched.stream(new MemoryStore({ size: 4 * MiB }).source);
    await until("the window is filled", () => watched.budget.held > MiB);
    await settle();
    const freed = vi.spyOn(ArrayBuffer.prototype, "transfer");
    onTestFinished(() => {
      freed.mockRestore();
    });
    await stream.cancel();
    expect(freed).toHaveBeenCalledWith(0);
    expectSettled(watched);
  });

  it("held by fifty downloads at once is never above the budget", { timeout: 30_000 }, async () => {
    const budget = new Budget(16 * MiB, 1000);
    const size = MiB;
    let most = 0;
    const watch = () => {
      most = Math.max(most, budget.held);
      expect(budget.held).toBeLessThanOrEqual(budget.bytes);
    };
    await Promise.all(
      Array.from({ length: 50 }, async (_, turn) => {
        const watched = watchDownload({ budget });
        const stream = await watched.stream(new MemoryStore({ size }).source);
        const reader = stream.getReader();
        let position = 0;
        for (let block = await reader.read(); !block.done; block = await reader.read()) {
          expectRamp(block.value, position);
          position += block.value.byteLength;
          watch();
          if (turn % 3 === 0) await settle();
        }
        expect(position).toBe(size);
        expectSettled(watched);
      }),
    );
    expect(most).toBeGreaterThan(8 * MiB);
    expectEmpty(budget);
  });
});

function expectEmpty({ held, leases, open }: Budget): void {
  expect({ held, leases, open }).toEqual({ held: 0, leases: 0, open: 0 });
}
