/** How two attempts for the same bytes can end in each other's way: every byte comes once, and the download goes on. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import type { ByteRange } from "../../src/readahead/byte-range.ts";
import { delay } from "../../src/readahead/delay.ts";
import type { Answer, Source } from "../../src/sources/source.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { KiB } from "../support/units.ts";
import { MemoryStore } from "./support/memory-store.ts";
import { rampBytes } from "./support/ramp.ts";
import { expectRamp } from "./support/read-stream.ts";
import { expectSettled, type WatchedDownload, watchDownload } from "./support/watched-download.ts";

const partBytes = 128 * KiB;
const parts = 40;
const size = parts * partBytes;
/** The part whose first two attempts are scripted: by then enough others have shown what is normal. */
const scripted = 30;
/** By then as many bytes were sent as pay for two hedges. */
const scriptedLate = 36;

checkLeaks();
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Body = ReadableStream<Uint8Array>;
type Script = (range: ByteRange, signal: AbortSignal) => Promise<Body>;

/** Answers every part after 5 ms, the scripted one's attempts as the scripts say. */
function sourceOf(...scripts: Script[]): Source {
  return sourceWith(scripted, scripts);
}

function sourceWith(part: number, scripts: Script[]): Source {
  const read = async (range: ByteRange, signal: AbortSignal): Promise<Answer> => {
    await delay(5, signal);
    const script = Math.floor(range.start / partBytes) === part ? scripts.shift() : undefined;
    return { replica: "r", body: await (script ?? whole)(range, signal) };
  };
  return {
    open: async () => ({
      facts: { size, etag: '"1"', pin: { by: "etag", value: '"1"' }, headers: {} },
      read: (_piece, range, { permits }) =>
        permits.request({ replica: "r", purpose: "read" }, (signal) => read(range, signal)),
    }),
  };
}

const whole: Script = async ({ start, end }) => bodyOf((send) => send(rampBytes(start, end), true));

/** A body that is fed by hand; feeding one that was cancelled does nothing. */
function bodyOf(
  feed: (send: (bytes: Uint8Array<ArrayBuffer>, last?: boolean) => void) => void,
): Body {
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      let open = true;
      feed((bytes, last = false) => {
        if (!open) return;
        try {
          controller.enqueue(bytes);
          if (last) controller.close();
        } catch {
          open = false;
        }
      });
    },
  });
}

/** Reads all of it at a pace, checks every byte, and moves the clock until it is over. */
async function readAll(
  watched: WatchedDownload,
  source: Source,
  pauseMs: (position: number) => number = (position) => (position < scripted * partBytes ? 6 : 0),
): Promise<number> {
  const reading = (async () => {
    const reader = (await watched.stream(source)).getReader();
    let position = 0;
    for (let block = await reader.read(); !block.done; block = await reader.read()) {
      expectRamp(block.value, position);
      position += block.value.byteLength;
      const pause = pauseMs(position);
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    }
    return position;
  })();
  let settled = false;
  const done = () => {
    settled = true;
  };
  reading.then(done, done);
  while (!settled) await vi.advanceTimersByTimeAsync(5);
  return reading;
}

function afterMicrotasks(count: number, act: () => void): void {
  if (count === 0) act();
  else queueMicrotask(() => afterMicrotasks(count - 1, act));
}

const limits = { hedge: true, partBytes, windowParts: 4 };

describe("an attempt that fails while its hedge is behind", () => {
  const lateHedge: Script = async ({ start, end }) =>
    bodyOf((send) => setTimeout(() => send(rampBytes(start, end), true), 700));
  const beforeHeaders: Script = async (_range, signal) => {
    await delay(400, signal);
    throw new ReadaheadError("unavailable", "Upstream answered 503", { replica: "r" });
  };
  const midBody: Script = async () =>
    new ReadableStream({
      type: "bytes",
      start: (controller) => void setTimeout(() => controller.error(new Error("reset")), 400),
    });

  it.each([
    ["before headers", beforeHeaders],
    ["in the body", midBody],
  ])("%s leaves the part to the hedge", async (_what, original) => {
    const watched = watchDownload({ limits });
    expect(await readAll(watched, sourceOf(original, lateHedge))).toBe(size);
    expect(expectSettled(watched).hedges).toBe(1);
    const ends = watched.ofType("attempt-ended").filter(({ part }) => part === scripted);
    expect(ends.map(({ end }) => end)).toEqual(["failed", "complete"]);
  });
});

const never: Script = async () => bodyOf(() => {});

it("a hedge that lags as well makes way for a third attempt", async () => {
  const watched = watchDownload({ limits });
  expect(await readAll(watched, sourceWith(scriptedLate, [never, never, whole]))).toBe(size);
  expect(expectSettled(watched).hedges).toBe(2);
  const ends = watched.ofType("attempt-ended").filter(({ part }) => part === scriptedLate);
  expect(ends.map(({ attempt, end }) => [attempt, end])).toEqual([
    [2, "outrun"],
    [1, "outrun"],
    [3, "complete"],
  ]);
});

describe.each([
  ["503", new ReadaheadError("unavailable", "Upstream answered 503", { status: 503 })],
  ["429", new ReadaheadError("throttled", "Upstream answered 429", { status: 429 })],
])("a store that answered %s", (_status, refusal) => {
  const late: Script = async ({ start, end }) =>
    bodyOf((send) => setTimeout(() => send(rampBytes(start, end), true), 700));
  const refused: Script = () => Promise.reject(refusal);

  it("to a hedge is asked for none again", async () => {
    const watched = watchDownload({ limits });
    expect(await readAll(watched, sourceWith(scriptedLate, [late, refused]))).toBe(size);
    expect(expectSettled(watched)).toMatchObject({ hedges: 1, retries: 0 });
    const ends = watched.ofType("attempt-ended").filter(({ part }) => part === scriptedLate);
    expect(ends.map(({ end }) => end)).toEqual(["failed", "complete"]);
  });

  it("to a part is asked for no hedge", async () => {
    const watched = watchDownload({ limits });
    expect(await readAll(watched, sourceWith(scriptedLate, [refused, late]))).toBe(size);
    expect(expectSettled(watched)).toMatchObject({ hedges: 0, retries: 1 });
  });
});

it("a part that comes whole or not at all is not asked for twice", async () => {
  const pieces = () =>
    Array.from({ length: parts }, (_, part) => {
      const range = { start: part * partBytes, end: (part + 1) * partBytes };
      return { kind: "stored", range, atomic: true } as const;
    });
  const faults = [{ at: scripted, fault: { kind: "stall", after: 0 } as const }];
  const store = new MemoryStore({ size, known: true, faults, pieces });
  const watched = watchDownload({ limits });
  expect(await readAll(watched, store.source)).toBe(size);
  expect(expectSettled(watched)).toMatchObject({ hedges: 0, retries: 1 });
});

it("a hedge goes to another replica than the one that lags", async () => {
  const faults = [{ at: scripted, fault: { kind: "stall", after: 0 } as const }];
  const replicas = ["lagging.example:1", "other.example:1"];
  const store = new MemoryStore({ size, known: true, faults, replicas });
  const watched = watchDownload({ limits });
  expect(await readAll(watched, store.source)).toBe(size);
  expect(expectSettled(watched).hedges).toBe(1);
  const asked = store.reads.filter(({ replica }) => replica === replicas[1]);
  expect(asked.map(({ range }) => range.start)).toEqual([scripted * partBytes]);
});

it.each([0, 1, 2, 3])(
  "bytes that both bring in one turn, %i microtasks apart, are delivered once",
  async (gap) => {
    let original: (bytes: Uint8Array<ArrayBuffer>) => void = () => {};
    const silent: Script = async () =>
      bodyOf((send) => {
        original = send;
      });
    const hedge: Script = async ({ start, end }) =>
      bodyOf((send) => {
        setTimeout(() => {
          send(rampBytes(start, start + 1000));
          afterMicrotasks(gap, () => original(rampBytes(start, start + 1000)));
          setTimeout(() => send(rampBytes(start + 1000, end), true), 50);
        }, 50);
      });
    const watched = watchDownload({ limits });
    expect(await readAll(watched, sourceOf(silent, hedge))).toBe(size);
    expect(expectSettled(watched)).toMatchObject({ hedges: 1, bytesSent: size });
  },
);

it("a hedge that overtakes an attempt parked for a slow client is let go like any other", async () => {
  const from = scripted * partBytes;
  const inSteps: Script = async ({ start, end }) => {
    let position = start;
    return new ReadableStream({
      type: "bytes",
      async pull(controller) {
        if (position === start) await new Promise((resolve) => setTimeout(resolve, 100));
        const next = Math.min(end, position + 16 * KiB);
        controller.enqueue(rampBytes(position, next));
        position = next;
        if (position === end) controller.close();
      },
    });
  };
  const watched = watchDownload({ limits });
  const other = watched.budget.lease();
  const taking = () => {
    while (other.take(16 * KiB));
    while (other.reserve(16 * KiB));
  };
  const total = await readAll(watched, sourceOf(inSteps, inSteps), (position) => {
    if (position > (scripted - 8) * partBytes) taking();
    if (position === from + 16 * KiB) return 60_000;
    return position < from ? 6 : 1;
  });
  other.release();
  expect(total).toBe(size);
  const settled = expectSettled(watched);
  expect(settled.hedges).toBe(1);
  expect(settled.letGo).toBeGreaterThan(0);
});
