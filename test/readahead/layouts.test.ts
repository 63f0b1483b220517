/** What can be laid out: literals, zeros, pieces, nothing, objects of unknown length or version, offsets beyond 2^31. */
import { describe, expect, it, vi } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import type { Layout } from "../../src/readahead/layout.ts";
import { readAll } from "../support/bodies.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { contentBytes, firstDifference, ramp } from "../support/object-bytes.ts";
import { KiB, MiB } from "../support/units.ts";
import { MemoryStore } from "./support/memory-store.ts";
import { readRamp, settle } from "./support/read-stream.ts";
import { closedEvent, expectSettled, watchDownload } from "./support/watched-download.ts";

checkLeaks();

const text = (value: string) => new TextEncoder().encode(value);

function expectedBytes(layout: Layout): Uint8Array {
  return Buffer.concat(
    layout.map((segment) =>
      segment instanceof Uint8Array ? segment : contentBytes(ramp, segment.start, segment.end),
    ),
  );
}

describe("a layout", () => {
  it("of several ranges between literals comes out in its order", async () => {
    const layout: Layout = [
      text("--boundary one\r\n"),
      { start: 3, end: 700 * KiB },
      text("--boundary two\r\n"),
      { start: 1_000_000, end: 1_000_001 },
      text("--boundary three\r\n"),
      // Ranges may overlap and go back: the client asked for them in this order.
      { start: 17, end: 300_000 },
      text("--end--"),
    ];
    const store = new MemoryStore({ size: 2 * MiB });
    const watched = watchDownload();
    const object = await watched.open(store.source, 3, 700 * KiB);
    const bytes = await readAll(await watched.start(object, layout));
    const expected = expectedBytes(layout);
    expect(bytes.byteLength).toBe(expected.byteLength);
    expect(firstDifference(bytes, expected)).toBe(-1);
    const literals = layout.reduce(
      (sum, segment) => sum + (segment instanceof Uint8Array ? segment.byteLength : 0),
      0,
    );
    expectSettled(watched, literals);
  });

  it("may hold bytes that others use too: they are never detached", async () => {
    const cached = new Uint8Array(3 * MiB).fill(7);
    const store = new MemoryStore({ size: MiB });
    for (const cancel of [false, true]) {
      const watched = watchDownload();
      const object = await watched.open(store.source);
      const stream = await watched.start(object, [cached, { start: 0, end: MiB }, cached]);
      if (cancel) {
        const reader = stream.getReader();
        await reader.read();
        await reader.cancel();
      } else {
        expect((await readAll(stream)).byteLength).toBe(7 * MiB);
        expectSettled(watched, 2 * cached.byteLength);
      }
      expect(closedEvent(watched).totals.openAfterClose).toBe(0);
      expect(cached.byteLength).toBe(3 * MiB);
      expect(Buffer.compare(cached, Buffer.alloc(3 * MiB, 7))).toBe(0);
    }
  });

  it.for<[string, Layout]>([
    ["nothing", []],
    ["an empty object", [{ start: 0, end: 0 }]],
    ["an empty literal", [new Uint8Array(0)]],
  ])("of %s ends at once", async ([, layout]) => {
    for (const mode of [undefined, "byob"] as const) {
      const store = new MemoryStore({ size: 0, known: true });
      const watched = watchDownload();
      const stream = await watched.start(await watched.open(store.source), layout);
      if (mode === undefined) expect(await readRamp(stream)).toBe(0);
      else {
        const result = await stream.getReader({ mode }).read(new Uint8Array(10));
        expect(result).toMatchObject({ done: true });
      }
      expect(store.seen).toHaveLength(0);
      expect(expectSettled(watched)).toMatchObject({ bytesSent: 0, parts: 0, subrequests: 0 });
      expect(closedEvent(watched).endedBy).toBe("done");
    }
  });

  it("that begins with a literal has its first part's retry go before all others", async () => {
    vi.useFakeTimers();
    vi.spyOn(Math, "random").mockReturnValue(0.9);
    try {
      const error = new ReadaheadError("unavailable", "Upstream answered 500", { status: 500 });
      const faults = [{ at: 0, fault: { kind: "error", error } as const }];
      const store = new MemoryStore({ size: 4 * MiB, known: true, manual: true, faults });
      const watched = watchDownload({ limits: { unanswered: 4, windowParts: 8 } });
      const object = await watched.open(store.source);
      const layout = Array.from({ length: 6 }, (_, n) => [
        text("--boundary\r\n"),
        { start: n * 64 * KiB, end: n * 64 * KiB + 1000 },
      ]).flat();
      let started = false;
      const starting = watched.start(object, layout).finally(() => {
        started = true;
      });
      await vi.advanceTimersByTimeAsync(5);
      store.answer(0);
      await vi.advanceTimersByTimeAsync(5);
      // Its place and that of the first go to parts that stay silent, as two others do.
      store.answer(1);
      await vi.advanceTimersByTimeAsync(10);
      for (let n = 6; n < 40; n += 1) store.answer(n);
      // Far from any deadline: the answer to the retry is all that headers wait for.
      await vi.advanceTimersByTimeAsync(1_000);
      expect(started).toBe(true);
      await (await starting).cancel();
      expect(closedEvent(watched).totals.retries).toBe(1);
    } finally {
      vi.restoreAllMocks();
      vi.useRealTimers();
    }
  });

  it("of literals alone asks no store", async () => {
    const store = new MemoryStore({ known: true });
    const watched = watchDownload();
    const stream = await watched.start(await watched.open(store.source), [text("a"), text("bc")]);
    expect(new TextDecoder().decode(await readAll(stream))).toBe("abc");
    expect(store.seen).toHaveLength(0);
    expectSettled(watched, 3);
  });

  it("that needs more requests than are left is refused before headers", async () => {
    const options = { pieceCount: () => 91, known: true };
    const store = new MemoryStore(options);
    const watched = watchDownload({ limits: { subrequests: 100 } });
    const start = watched.stream(store.source);
    await expect(start).rejects.toMatchObject({ kind: "too-many-parts" });
    expect(store.seen).toHaveLength(0);
    expect(closedEvent(watched).endedBy).toBe("upstream");
  });
});

describe("a first answer that is not where the layout starts", () => {
  it("is cancelled at the end, also when its request takes no signal", async () => {
    const store = new MemoryStore({ size: MiB, known: true });
    const watched = watchDownload();
    const cancel = vi.fn();
    const first = {
      range: { start: 0, end: 10 },
      body: new ReadableStream<Uint8Array>({ cancel }),
      replica: "door",
    };
    const object = { ...store.object(), first };
    const stream = await watched.start(object, [{ start: 500_000, end: MiB }]);
    expect(await readRamp(stream, 500_000)).toBe(MiB - 500_000);
    expect(cancel).toHaveBeenCalledTimes(1);
    expectSettled(watched);
  });
});

it("an object that comes only whole is not asked for again when its stream breaks", async () => {
  const fault = { at: 0, fault: { kind: "reset", after: 100 * KiB } } as const;
  const store = new MemoryStore({ size: 256 * KiB, faults: [fault] });
  const watched = watchDownload();
  const object = { ...(await watched.open(store.source)), rangeable: false };
  const stream = await watched.start(object, [{ start: 0, end: 256 * KiB }]);
  await expect(readRamp(stream)).rejects.toMatchObject({ kind: "unavailable" });
  expect(store.reads).toHaveLength(1);
  expectSettled(watched);
});

it("a first answer is cancelled where there will never be the memory for the rest", async () => {
  const store = new MemoryStore({ size: MiB, known: true, reserveBytes: 2 * MiB });
  const watched = watchDownload({ limits: { budgetBytes: MiB } });
  const cancel = vi.fn();
  const body = new ReadableStream<Uint8Array>({ cancel });
  const object = {
    ...store.object(),
    first: { range: { start: 0, end: 10 }, body, replica: "door" },
  };
  const start = watched.start(object, [{ start: 0, end: MiB }]);
  await expect(start).rejects.toMatchObject({ kind: "unsupported" });
  expect(cancel).toHaveBeenCalledTimes(1);
});

describe("an object of unknown length", () => {
  const facts = { size: undefined, pin: undefined, unversioned: "no length" };

  it("ends with a clean end of its stream", async () => {
    const store = new MemoryStore({ size: 777_777, facts });
    const watched = watchDownload();
    expect(await readRamp(await watched.stream(store.source))).toBe(777_777);
    expect(closedEvent(watched).endedBy).toBe("done");
    expectSettled(watched);
  });

  it("fails when its stream breaks", async () => {
    const fault = { at: 0, fault: { kind: "reset", after: 300 * KiB } } as const;
    const store = new MemoryStore({ size: 777_777, facts, faults: [fault] });
    const watched = watchDownload();
    const stream = await watched.stream(store.source);
    await expect(readRamp(stream)).rejects.toMatchObject({ kind: "unavailable" });
    expectSettled(watched);
  });

  it("may be empty", async () => {
    const watched = watchDownload();
    const stream = await watched.stream(new MemoryStore({ size: 0, facts }).source);
    expect(await readRamp(stream)).toBe(0);
    expectSettled(watched);
  });
});

describe("a store that may end a broken body with the text of its error", () => {
  it("has the last bytes held back until more has come, and asked for again when the body breaks", async () => {
    const store = new MemoryStore({
      size: 300 * KiB,
      suspectTailBytes: 20,
      faults: [{ at: 0, fault: { kind: "short", bytes: 100_000 } }],
    });
    const watched = watchDownload();
    expect(await readRamp(await watched.stream(store.source))).toBe(300 * KiB);
    const given = Math.min(256 * KiB, 300 * KiB) - 100_000;
    expect(watched.ofType("retry")).toMatchObject([{ part: 0, from: given - 20 }]);
    expect(expectSettled(watched).bytesWasted).toBe(20);
  });

  it("keeps them where the length is unknown and the end was clean", async () => {
    const facts = { size: undefined, pin: undefined, unversioned: "no length" };
    const store = new MemoryStore({ size: 300 * KiB + 7, suspectTailBytes: 20, facts });
    const watched = watchDownload();
    expect(await readRamp(await watched.stream(store.source))).toBe(300 * KiB + 7);
    expectSettled(watched);
  });

  it("counts them as waste when the client leaves", async () => {
    const store = new MemoryStore({
      size: 300 * KiB,
      suspectTailBytes: 20,
      faults: [{ at: 0, fault: { kind: "stall", after: 64 * KiB } }],
    });
    const watched = watchDownload();
    const stream = await watched.stream(store.source);
    await settle();
    await stream.cancel();
    expectSettled(watched);
  });
});
