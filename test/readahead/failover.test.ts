/** Which replica a part asks after a failure, what it remembers of one, and when it gives up. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { absolve, isSuspect } from "../../src/readahead/suspects.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { KiB, MiB } from "../support/units.ts";
import { type MemoryFault, MemoryStore, type MemoryStoreOptions } from "./support/memory-store.ts";
import { readRamp } from "./support/read-stream.ts";
import { expectSettled, watchDownload } from "./support/watched-download.ts";

checkLeaks();
beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  for (const replica of ["a", "b"]) absolve(replica);
});

const limits = { windowParts: 1, stallMs: 500 };

/** Downloads a MiB of replicas `a` and `b` in one part; the n-th request has the n-th fault. */
async function download(faults: readonly MemoryFault[], more: MemoryStoreOptions = {}) {
  const store = new MemoryStore({
    size: MiB,
    known: true,
    replicas: ["a", "b"],
    faults: faults.map((fault, at) => ({ at, fault })),
    ...more,
  });
  const watched = watchDownload({ limits });
  let ended = false;
  const reading = watched
    .stream(store.source)
    .then(readRamp)
    .finally(() => {
      ended = true;
    });
  reading.catch(() => {});
  while (!ended) await vi.advanceTimersByTimeAsync(50);
  const asked = store.reads.map(({ replica }) => replica);
  const pauses = watched.ofType("retry").map(({ delayMs }) => delayMs);
  return { reading, asked, pauses, totals: expectSettled(watched) };
}

const refusal = { kind: "status", status: 500 } as const;
const brief = { kind: "short", bytes: MiB - 100 * KiB } as const;

it("a replica that refuses is left for the other, and is no suspect", async () => {
  const { reading, asked } = await download([refusal]);
  expect(await reading).toBe(MiB);
  expect(asked).toEqual(["a", "b"]);
  expect(isSuspect("a")).toBe(false);
});

it("a replica that goes silent is left at once, and is suspect", async () => {
  const { reading, asked, pauses } = await download([{ kind: "stall", after: 100 * KiB }]);
  expect(await reading).toBe(MiB);
  expect([asked, pauses]).toEqual([["a", "b"], [0]]);
  expect(isSuspect("a")).toBe(true);
});

it("a replica that refused before another brought bytes counts as never asked", async () => {
  const { reading, asked, pauses } = await download([refusal, brief], {
    replicas: ["a", "b", "c"],
  });
  expect(await reading).toBe(MiB);
  expect(asked).toEqual(["a", "b", "a"]);
  expect(pauses).toEqual([0, 0]);
});

it("a replica that was waited for counts as never asked", async () => {
  const store = new MemoryStore({ size: MiB, known: true, faults: [{ at: 0, fault: refusal }] });
  const { read, ...object } = store.object();
  const tried: boolean[] = [];
  const watched = watchDownload({ limits });
  const starting = watched.start(
    {
      ...object,
      read: (piece, range, request) => {
        tried.push(request.tried("door"));
        return read(piece, range, request);
      },
    },
    [{ start: 0, end: MiB }],
  );
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await readRamp(await starting)).toBe(MiB);
  expect(tried).toEqual([false, false]);
  expectSettled(watched);
});

it("what cannot be pinned is asked for again as long as no byte of it came", async () => {
  const facts = { unversioned: "weak ETag", pin: undefined };
  const { reading, totals } = await download([refusal, refusal], { facts });
  expect(await reading).toBe(MiB);
  expect(totals.retries).toBe(2);
  await expect((await download([brief], { facts })).reading).rejects.toThrow();
});

it("bytes that may be the text of an error are no progress", async () => {
  const faults = Array<MemoryFault>(40).fill({ kind: "short", bytes: MiB - 10 });
  const { reading, totals } = await download(faults, { suspectTailBytes: 64 });
  await expect(reading).rejects.toMatchObject({ kind: "truncated" });
  expect(totals.attempts).toBeLessThan(15);
});
