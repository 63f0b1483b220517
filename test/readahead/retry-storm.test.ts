import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import { Budget } from "../../src/readahead/budget.ts";
import { createDownload } from "../../src/readahead/download.ts";
import { openObject } from "../../src/readahead/open.ts";
import { createHttpSource } from "../../src/sources/http.ts";
import { ramp } from "../support/object-bytes.ts";
import { createStoreFetch } from "../support/store-fetch.ts";
import { StoreSpace } from "../support/store-space.ts";
import { KiB } from "../support/units.ts";
import { MemoryStore } from "./support/memory-store.ts";
import { readRamp } from "./support/read-stream.ts";
import { expectSettled, watchDownload } from "./support/watched-download.ts";

describe("a store that breaks every answer after a few bytes", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is asked with pauses: progress of ten bytes does not make a storm of requests", async () => {
    const space = new StoreSpace({ objects: { film: { content: ramp, size: 1_000_000 } } });
    space.always("film", { kind: "reset", after: 10 });
    const source = createHttpSource({
      url: "https://store.example/",
      fetch: createStoreFetch(space) as never,
    });
    const download = createDownload({ budget: new Budget(1_000_000, 96) });
    const want = { start: 0, end: 1_000_000 };
    const object = await openObject(source, "film", { want }, download);
    const stream = await download.start(object, [{ start: 0, end: 1_000_000 }]);
    const reader = stream.getReader();
    let received = 0;
    const reading = (async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        received += value.byteLength;
      }
    })();
    reading.catch(() => {});
    await vi.advanceTimersByTimeAsync(60_000);
    expect(received).toBeGreaterThan(100);
    expect(space.stats().requests).toBeLessThan(100);
    await reader.cancel();
    await reading;
    expect(vi.getTimerCount()).toBe(0);
    expect(space.stats().openBodies).toBe(0);
  });
});

describe("a store that breaks thirty answers after ten bytes", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it("is asked again within 5 s each time", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.99);
    const faults = Array.from({ length: 30 }, (_, at) => ({
      at,
      fault: { kind: "reset", after: 10 } as const,
    }));
    const store = new MemoryStore({ size: 1000, known: true, faults });
    const watched = watchDownload();
    const reading = watched.stream(store.source).then(readRamp);
    await vi.advanceTimersByTimeAsync(30 * 5_000);
    expect(await reading).toBe(1000);
    const delays = watched.ofType("retry").map(({ delayMs }) => delayMs);
    expect(Math.max(...delays)).toBe(0.99 * 5_000);
    expectSettled(watched);
  });
});

describe("a store that refuses a part behind the head", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is asked for it until its turn has come, and as often as for any head from then on", async () => {
    const refusals = (count: number) =>
      Array.from({ length: count }, (_, at) => ({
        at: at + 1,
        fault: { kind: "status", status: 503 } as const,
      }));
    const limits = { partBytes: 50_000, windowParts: 2 };
    for (const [count, completes] of [
      [15, true],
      [1_000, false],
    ] as const) {
      const store = new MemoryStore({ size: 100_000, known: true, faults: refusals(count) });
      const watched = watchDownload({ limits });
      const stream = await watched.stream(store.source);
      // The client has the head's bytes and does not want more.
      await vi.advanceTimersByTimeAsync(60_000);
      expect(store.reads.length).toBeGreaterThan(limits.windowParts + 10);
      const before = store.reads.length;
      const reading = readRamp(stream);
      reading.catch(() => {});
      await vi.advanceTimersByTimeAsync(60_000);
      if (completes) expect(await reading).toBe(100_000);
      else {
        await expect(reading).rejects.toMatchObject({ kind: "unavailable" });
        expect(store.reads.length - before).toBeLessThanOrEqual(11);
      }
      expectSettled(watched);
    }
  });
});

it("a part that was refused often behind the head may be refused again when it is the head", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const fault = { kind: "status", status: 503 } as const;
  const faults = Array.from({ length: 1_000 }, (_, at) => ({ at: at + 1, fault }));
  const store = new MemoryStore({ size: 100_000, known: true, faults });
  const watched = watchDownload({ limits: { partBytes: 50_000, windowParts: 2 } });
  const stream = await watched.stream(store.source);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(store.reads.length).toBeGreaterThan(12);
  faults.length = store.reads.length + 2;
  const reading = readRamp(stream);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await reading).toBe(100_000);
  expectSettled(watched);
});

describe("a store that refuses a part", () => {
  it("has its locations looked up once, while nothing comes of it", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    onTestFinished(() => void vi.restoreAllMocks());
    const faults = [0, 1, 2, 3].map((at) => ({
      at,
      fault: { kind: "status", status: 503 } as const,
    }));
    const store = new MemoryStore({ size: 1000, known: true, faults, refresh: "unchanged" });
    const watched = watchDownload();
    expect(await readRamp(await watched.stream(store.source))).toBe(1000);
    expect(store.refreshes).toBe(1);
    expectSettled(watched);
  });

  it.for([
    { status: 403, refresh: "unchanged", asked: 1 },
    { status: 404, refresh: "unchanged", asked: 1 },
    { status: 403, refresh: "changed", asked: 2 },
  ] as const)(
    "with $status is asked $asked times where looking again says $refresh",
    async (row) => {
      const { status, refresh, asked } = row;
      const size = 100_000;
      const faults = [{ at: 1, fault: { kind: "status", status } as const }];
      const store = new MemoryStore({ size, refresh, faults });
      const watched = watchDownload({ limits: { partBytes: 50_000, windowParts: 1 } });
      const stream = await watched.stream(store.source);
      const ended = await readRamp(stream).then(
        () => "complete",
        (error: unknown) => (error instanceof ReadaheadError ? error.kind : "another"),
      );
      expect(ended).toBe(asked === 2 ? "complete" : status === 404 ? "changed" : "denied");
      expect(store.reads.filter(({ range }) => range.start === 50_000)).toHaveLength(asked);
      expectSettled(watched);
    },
  );
});

describe("progress", () => {
  const size = 100_000;
  const limits = { partBytes: 50_000, windowParts: 1 };
  const reset = { kind: "reset", after: 20_000 } as const;

  it("of more than 64 KiB an answer costs no pause, however many break", async () => {
    const large = 1000 * KiB;
    const faults = Array.from({ length: 20 }, (_, at) => ({
      at,
      fault: { kind: "reset", after: 70 * KiB } as const,
    }));
    const store = new MemoryStore({ size: large, known: true, faults });
    const watched = watchDownload({ limits: { partBytes: large } });
    expect(await readRamp(await watched.stream(store.source))).toBe(large);
    const delays = watched.ofType("retry").map(({ delayMs }) => delayMs);
    expect(delays.length).toBeGreaterThan(12);
    expect(Math.max(...delays)).toBe(0);
    expectSettled(watched);
  });

  it("makes up for a refusal: what has lapsed once may lapse again", async () => {
    const refused = { kind: "status", status: 403 } as const;
    const faults = [refused, reset, refused].map((fault, at) => ({ at: at + 1, fault }));
    const store = new MemoryStore({ size, faults, refresh: "changed" });
    const watched = watchDownload({ limits });
    expect(await readRamp(await watched.stream(store.source))).toBe(size);
    expect(store.refreshes).toBe(2);
    expectSettled(watched);
  });
});
