/** Clients that take their bytes slowly, or pause: nobody's upstream is held, no byte is lost, no retry is spent. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Budget } from "../../src/readahead/budget.ts";
import type { Limits } from "../../src/readahead/limits.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { KiB, MiB } from "../support/units.ts";
import { MemoryStore, type SeenRead } from "./support/memory-store.ts";
import { expectRamp, readRamp } from "./support/read-stream.ts";
import { closedEvent, expectSettled, watchDownload } from "./support/watched-download.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
checkLeaks();

const settle = () => vi.advanceTimersByTimeAsync(0);

/** Milliseconds for which an open body has not been drained. */
function undrained(reads: readonly SeenRead[]): number {
  const now = performance.now();
  return Math.max(
    0,
    ...reads.filter(({ state }) => state === "open").map(({ pulledAt }) => now - pulledAt),
  );
}

const storedPiece = (start: number, end: number) =>
  ({ kind: "stored", range: { start, end } }) as const;

interface Walk {
  readonly size: number;
  readonly budgetBytes: number;
  readonly bytesPerSecond: number;
  readonly limits?: Partial<Limits>;
}

/** Takes a whole object at a steady rate; the clock moves in steps of 100 ms. */
async function take({ size, budgetBytes, bytesPerSecond, limits }: Walk) {
  const store = new MemoryStore({ size });
  const watched = watchDownload({ limits: { budgetBytes, ...limits } });
  const reader = (await watched.stream(store.source)).getReader();
  let read = 0;
  let longest = 0;
  for (let block = await reader.read(); !block.done; block = await reader.read()) {
    expectRamp(block.value, read);
    read += block.value.byteLength;
    const restMs = Math.round((block.value.byteLength * 1000) / bytesPerSecond);
    for (let left = restMs; left > 0; left -= 100) {
      await vi.advanceTimersByTimeAsync(Math.min(100, left));
      longest = Math.max(longest, undrained(store.reads));
    }
  }
  return { store, watched, read, longest, totals: expectSettled(watched) };
}

describe("a client of 40 KB/s", () => {
  it.for([32 * MiB, 256 * KiB, 0])(
    "gets every byte over minutes, with a budget of %i bytes",
    async (budgetBytes) => {
      const size = 12 * MiB + 5;
      const walk = await take({ size, budgetBytes, bytesPerSecond: 40_000 });
      expect(performance.now()).toBeGreaterThan(300_000);
      expect(walk.read).toBe(size);
      // One tick of the clock that watches is 200 ms.
      expect(walk.longest).toBeLessThanOrEqual(5_000 + 400);
      expect(walk.totals).toMatchObject({ retries: 0, letGo: 0 });
      expect(walk.totals.bytesFetched).toBe(size);
      expect(walk.totals.subrequests).toBeLessThan(300);
    },
  );

  it.for([32 * MiB, 0])(
    "is asked for one part at a time once it has shown to be slow, with a budget of %i bytes",
    async (budgetBytes) => {
      const walk = await take({ size: 4 * MiB, budgetBytes, bytesPerSecond: 40_000 });
      const late = walk.watched.ofType("part-requested").filter(({ at }) => at > 60_000);
      expect(late.length).toBeGreaterThan(10);
      for (const { range } of late) expect(range.end - range.start).toBeLessThanOrEqual(64 * KiB);
      let open = 0;
      for (const event of walk.watched.events) {
        if (event.type === "part-delivered") open -= 1;
        if (event.type !== "part-requested") continue;
        if (event.attempt === 1) open += 1;
        if (event.at > 60_000) expect(open).toBe(1);
      }
    },
  );
});

it("a slow client's next part is asked for when it comes for more, not while it rests", async () => {
  const store = new MemoryStore({ size: 6 * MiB });
  const watched = watchDownload();
  const reader = (await watched.stream(store.source)).getReader();
  const ahead: number[] = [];
  let read = 0;
  for (let block = await reader.read(); !block.done; block = await reader.read()) {
    read += block.value.byteLength;
    await vi.advanceTimersByTimeAsync(1_600);
    // What was asked for while it was not known to be slow has been taken by then.
    if (read < 4 * MiB) continue;
    ahead.push(Math.max(...store.reads.map(({ range }) => range.end)) - read);
  }
  expect(ahead.length).toBeGreaterThan(10);
  expect(Math.max(...ahead)).toBe(0);
  expectSettled(watched);
});

describe("a slow client of few subrequests", () => {
  it.for([32 * MiB, 0])(
    "gets every byte all the same, with a budget of %i bytes",
    async (budgetBytes) => {
      const size = 40 * MiB;
      const limits = { subrequests: 50 };
      const walk = await take({ size, budgetBytes, bytesPerSecond: 200_000, limits });
      expect(walk.read).toBe(size);
      expect(walk.totals.subrequests).toBeLessThanOrEqual(50);
    },
  );
});

it("pausing, with few subrequests and no memory, is let go while there are requests to spare", async () => {
  const size = 16 * MiB;
  const store = new MemoryStore({ size });
  const watched = watchDownload({ limits: { budgetBytes: 0, subrequests: 50 } });
  const reader = (await watched.stream(store.source)).getReader();
  let read = 0;
  for (let block = await reader.read(); !block.done; block = await reader.read()) {
    expectRamp(block.value, read);
    read += block.value.byteLength;
    await vi.advanceTimersByTimeAsync(11_000);
  }
  expect(read).toBe(size);
  const { letGo, subrequests } = expectSettled(watched);
  expect(letGo).toBeGreaterThan(10);
  expect(subrequests).toBeLessThanOrEqual(50);
});

it("a client that takes its time gets small blocks, each in memory of its own", async () => {
  const watched = watchDownload();
  const reader = (await watched.stream(new MemoryStore({ size: 16 * MiB }).source)).getReader();
  const blocks: Uint8Array[] = [];
  for (let block = await reader.read(); !block.done; block = await reader.read()) {
    blocks.push(block.value);
    await vi.advanceTimersByTimeAsync(blocks.length < 40 ? 1 : 100);
  }
  expect(Math.max(...blocks.map(({ byteLength }) => byteLength))).toBeGreaterThan(256 * KiB);
  for (const { byteLength, buffer } of blocks.slice(45)) {
    expect(byteLength).toBeLessThanOrEqual(128 * KiB);
    expect(buffer.byteLength).toBeLessThanOrEqual(2 * byteLength + 1);
  }
  expectSettled(watched);
});

it("a client that waits for a slow store is not taken for a slow one", async () => {
  const partBytes = 128 * KiB;
  const store = new MemoryStore({ size: 40 * partBytes, slow: { from: 0, everyMs: 8_000 } });
  const watched = watchDownload({ limits: { partBytes, windowParts: 2 } });
  const reading = watched.stream(store.source).then(readRamp);
  await vi.advanceTimersByTimeAsync(800_000);
  expect(await reading).toBe(40 * partBytes);
  expect(store.reads).toHaveLength(40);
  expectSettled(watched);
});

describe("a client that pauses", () => {
  it("costs the store nothing but the bytes asked for, which are read and held", async () => {
    const store = new MemoryStore({ size: 40 * MiB });
    const watched = watchDownload();
    const stream = await watched.stream(store.source);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(store.openBodies).toBe(0);
    expect(store.reads).toHaveLength(4);
    expect(watched.events.filter(({ type }) => type === "let-go")).toEqual([]);
    await stream.cancel();
    expectSettled(watched);
  });

  it("keeps what is held for it, however many want it", async () => {
    const watched = watchDownload();
    const stream = await watched.stream(new MemoryStore({ size: 40 * MiB }).source);
    await vi.advanceTimersByTimeAsync(1_000);
    const { held, bytes } = watched.budget;
    const other = watched.budget.lease();
    for (let turn = 0; turn < 30; turn += 1) {
      await vi.advanceTimersByTimeAsync(10_000);
      other.touch();
      expect(other.reserve(bytes)).toBe(false);
      expect(watched.budget.held).toBe(held);
    }
    other.release();
    await stream.cancel();
    expectSettled(watched);
  });

  it("for four minutes while another download waits for memory ends, and not before", async () => {
    const budget = new Budget(8 * MiB, 96);
    const watched = watchDownload({ budget });
    const stream = await watched.stream(new MemoryStore({ size: 32 * MiB }).source);
    const reader = stream.getReader();
    await reader.read();
    const other = budget.lease();
    const wait = async (seconds: number) => {
      for (let quarter = 0; quarter < seconds * 4; quarter += 1) {
        other.reserve(8 * MiB);
        other.touch();
        await vi.advanceTimersByTimeAsync(250);
      }
    };
    await wait(238);
    expect(watched.ofType("closed")).toEqual([]);
    await wait(33);
    const { endedBy, error } = closedEvent(watched);
    expect([endedBy, error]).toEqual([
      "exception",
      expect.objectContaining({ kind: "overloaded" }),
    ]);
    await expect(reader.read()).rejects.toBe(error);
    expect(budget.held).toBe(8 * MiB);
    other.release();
  });

  it("without memory holds its head's upstream for holdMs, then asks again from its offset when it is back", async () => {
    const store = new MemoryStore({ size: 512 * KiB });
    const watched = watchDownload({ limits: { budgetBytes: 0, partBytes: 512 * KiB } });
    const reader = (await watched.stream(store.source)).getReader();
    const { value } = await reader.read();
    const read = value?.byteLength ?? 0;
    await vi.advanceTimersByTimeAsync(4_900);
    expect(store.openBodies).toBe(1);
    await vi.advanceTimersByTimeAsync(500);
    expect(store.openBodies).toBe(0);
    expect(watched.ofType("let-go")).toMatchObject([{ part: 0, from: read }]);

    await vi.advanceTimersByTimeAsync(300_000);
    expect(store.reads).toHaveLength(1);
    let position = read;
    for (let block = await reader.read(); !block.done; block = await reader.read()) {
      expectRamp(block.value, position);
      position += block.value.byteLength;
    }
    expect(store.reads[1]?.range.start).toBe(read);
    expect(position).toBe(512 * KiB);
    expect(expectSettled(watched)).toMatchObject({ retries: 0, letGo: 1, bytesWasted: 0 });
  });

  it("is let go at most once in ten seconds", async () => {
    // Blocks smaller than a slice: the rest of the slice lies undrained again.
    const store = new MemoryStore({ size: 512 * KiB, blockBytes: 10 * KiB });
    const watched = watchDownload({ limits: { budgetBytes: 0, partBytes: 512 * KiB } });
    const reader = (await watched.stream(store.source)).getReader();
    await reader.read();
    await vi.advanceTimersByTimeAsync(5_400);
    expect(watched.ofType("let-go")).toHaveLength(1);
    await reader.read();
    await vi.advanceTimersByTimeAsync(8_000);
    expect(watched.ofType("let-go")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(watched.ofType("let-go")).toHaveLength(2);
    expect(store.openBodies).toBe(0);
    await reader.cancel();
    expectSettled(watched);
  });

  it.for([false, true])(
    "before its first byte, and without memory, gets every byte when it comes (facts known: %s)",
    async (known) => {
      const store = new MemoryStore({ size: 512 * KiB, known });
      const watched = watchDownload({ limits: { budgetBytes: 0, holdMs: 15_000 } });
      const stream = await watched.stream(store.source);
      await vi.advanceTimersByTimeAsync(16_000);
      expect(watched.ofType("let-go")).toHaveLength(1);
      expect(await readRamp(stream)).toBe(512 * KiB);
      expect(expectSettled(watched)).toMatchObject({ retries: 0 });
      expect(store.reads.length).toBeLessThan(20);
    },
  );

  it("of a version that cannot be pinned keeps its upstream: it could not be resumed", async () => {
    const facts = { pin: undefined, unversioned: "no validator" };
    const store = new MemoryStore({ size: 512 * KiB, facts });
    const watched = watchDownload();
    const reader = (await watched.stream(store.source)).getReader();
    await reader.read();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.openBodies).toBe(1);
    let read = 0;
    for (let block = await reader.read(); !block.done; block = await reader.read()) {
      read += block.value.byteLength;
    }
    expect(read).toBeGreaterThan(0);
    expect(expectSettled(watched)).toMatchObject({ bytesSent: 512 * KiB, letGo: 0 });
  });
});

it("a slow client gets each piece of a version that cannot be pinned from one answer", async () => {
  const half = 512 * KiB;
  const pieces = () => [0, half].map((start) => storedPiece(start, start + half));
  const facts = { pin: undefined, unversioned: "no validator" };
  const store = new MemoryStore({ size: 2 * half, pieces, facts, known: true });
  const watched = watchDownload();
  const reader = (await watched.stream(store.source)).getReader();
  let read = 0;
  for (let block = await reader.read(); !block.done; block = await reader.read()) {
    expectRamp(block.value, read);
    read += block.value.byteLength;
    await vi.advanceTimersByTimeAsync(block.value.byteLength / 40);
  }
  expect(read).toBe(2 * half);
  expect(store.reads.map(({ range }) => range)).toEqual(pieces().map(({ range }) => range));
  expect(store.maxOpen).toBe(1);
  expectSettled(watched);
});

describe("a store that goes silent", () => {
  it("before headers is given up at the first-byte deadline and asked again", async () => {
    const fault = { at: 1, fault: { kind: "stall", after: "before-headers" } } as const;
    const store = new MemoryStore({ size: 512 * KiB, faults: [fault] });
    const watched = watchDownload({ limits: { firstByteMs: 4_000 } });
    const reader = (await watched.stream(store.source)).getReader();
    await vi.advanceTimersByTimeAsync(3_900);
    expect(watched.ofType("retry")).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(400);
    expect(watched.ofType("retry")).toMatchObject([{ part: 1, kind: "unavailable" }]);
    await vi.advanceTimersByTimeAsync(1_000);
    for (let block = await reader.read(); !block.done; ) block = await reader.read();
    expect(expectSettled(watched)).toMatchObject({ retries: 1, bytesSent: 512 * KiB });
  });

  it("before headers is given up after 3 s where another replica can be asked, at once", async () => {
    const fault = { at: 0, fault: { kind: "stall", after: "before-headers" } } as const;
    const replicas = ["silent.example:1", "well.example:1"];
    const store = new MemoryStore({ size: 64 * KiB, faults: [fault], replicas, known: true });
    const watched = watchDownload();
    const started = watched.stream(store.source);
    await vi.advanceTimersByTimeAsync(2_900);
    expect(store.reads).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(300);
    expect(store.reads.map(({ replica }) => replica)).toEqual(replicas);
    await (await started).cancel();
    expectSettled(watched);
  });

  it("in a body is given up at the stall deadline and resumed at the byte reached", async () => {
    const fault = { at: 0, fault: { kind: "stall", after: 64 * KiB } } as const;
    const store = new MemoryStore({ size: 256 * KiB, faults: [fault] });
    const watched = watchDownload({ limits: { stallMs: 2_000 } });
    const reader = (await watched.stream(store.source)).getReader();
    await vi.advanceTimersByTimeAsync(1_900);
    expect(store.reads).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(store.reads.map(({ range }) => range.start)).toEqual([0, 64 * KiB]);
    let position = 0;
    for (let block = await reader.read(); !block.done; block = await reader.read()) {
      expectRamp(block.value, position);
      position += block.value.byteLength;
    }
    expect(position).toBe(256 * KiB);
    expect(expectSettled(watched).retries).toBe(1);
  });

  it("while the client reads nothing more is no stall: the body waits for the client", async () => {
    const store = new MemoryStore({ size: 256 * KiB });
    const limits = { budgetBytes: 0, stallMs: 100, holdMs: 60_000 };
    const watched = watchDownload({ limits });
    const stream = await watched.stream(store.source);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(store.openBodies).toBe(1);
    await settle();
    await stream.cancel();
    expect(expectSettled(watched)).toMatchObject({ retries: 0, letGo: 0 });
  });
});
