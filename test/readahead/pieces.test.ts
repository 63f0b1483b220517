/** Objects that a store keeps in pieces: borders, holes, offsets beyond 2^31, versions that cannot be pinned. */
import { describe, expect, it, vi } from "vitest";
import type { KnownPiece, StoredPiece } from "../../src/sources/source.ts";
import { readAll } from "../support/bodies.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { contentBytes, firstDifference, ramp } from "../support/object-bytes.ts";
import { GiB, KiB, MiB } from "../support/units.ts";
import { MemoryStore, type MemoryStoreOptions } from "./support/memory-store.ts";
import { readRamp, settle } from "./support/read-stream.ts";
import { closedEvent, expectSettled, watchDownload } from "./support/watched-download.ts";

checkLeaks();

describe("offsets", () => {
  it.for([2 ** 31 - 300_001, 2 ** 32 - 300_001, 5 * 1024 * GiB - 1_500_000])(
    "from %i on are exact",
    async (start) => {
      const store = new MemoryStore({ size: 5 * 1024 * GiB });
      const watched = watchDownload();
      const range = { start, end: start + 1_400_000 };
      expect(await readRamp(await watched.stream(store.source, range), start)).toBe(1_400_000);
      expectSettled(watched);
    },
  );
});

describe("pieces", () => {
  const pieceBytes = 100_000;
  /** Every third piece a hole, every fifth bytes at hand. */
  const mixed: MemoryStoreOptions["pieces"] = function* (range) {
    for (let turn = 0; turn * pieceBytes < range.end; turn += 1) {
      const own = { start: turn * pieceBytes, end: (turn + 1) * pieceBytes };
      if (own.end <= range.start) continue;
      yield pieceOf(turn, own);
    }
  };
  function pieceOf(turn: number, range: StoredPiece["range"]): StoredPiece | KnownPiece {
    if (turn % 3 === 2) return { kind: "zeros", range };
    if (turn % 5 !== 4) return { kind: "stored", range };
    return { kind: "literal", range, bytes: contentBytes(ramp, range.start, range.end) };
  }

  it("of every kind join without a seam, for a range that starts and ends inside them", async () => {
    const range = { start: 30_001, end: 2_970_003 };
    const store = new MemoryStore({ size: 3_000_000, pieces: mixed });
    const watched = watchDownload();
    const object = await watched.open(store.source, range.start, 100_000);
    const bytes = await readAll(await watched.start(object, [range]));
    const expected = contentBytes(ramp, range.start, range.end);
    for (let turn = 2; turn * pieceBytes < range.end; turn += 3) {
      const at = turn * pieceBytes - range.start;
      expected.fill(0, at, Math.min(at + pieceBytes, expected.byteLength));
    }
    expect(bytes.byteLength).toBe(expected.byteLength);
    expect(firstDifference(bytes, expected)).toBe(-1);
    const { totals } = closedEvent(watched);
    expect(totals.bytesFetched).toBeLessThan(totals.bytesSent);
    // No request crosses a piece.
    for (const { range: asked } of store.reads) {
      expect(Math.floor(asked.start / pieceBytes)).toBe(Math.floor((asked.end - 1) / pieceBytes));
    }
  });

  it("that are zeros for gigabytes are handed on in small blocks and cost no request", async () => {
    const size = 1.5 * GiB;
    const pieces = (range: StoredPiece["range"]) => [{ kind: "zeros", range } as const];
    const store = new MemoryStore({ size, pieces, known: true });
    const watched = watchDownload();
    const reader = (await watched.stream(store.source)).getReader();
    const nothing = Buffer.alloc(MiB);
    for (let turn = 0; turn < 20; turn += 1) {
      const { value = nothing } = await reader.read();
      expect(value.byteLength).toBeLessThanOrEqual(MiB);
      expect(Buffer.compare(value, nothing.subarray(0, value.byteLength))).toBe(0);
    }
    await reader.cancel();
    expect(store.seen).toHaveLength(0);
  });

  it("that are zeros are handed on before the next one is found", async () => {
    const found = Promise.withResolvers<void>();
    const store = new MemoryStore({ size: 3000, known: true });
    const object = {
      ...store.object(),
      async *pieces() {
        yield { kind: "stored", range: { start: 0, end: 1000 } } as const;
        await settle();
        yield { kind: "zeros", range: { start: 1000, end: 2000 } } as const;
        await found.promise;
      },
    };
    const watched = watchDownload();
    const reader = (await watched.start(object, [{ start: 0, end: 3000 }])).getReader();
    expect((await reader.read()).value).toHaveLength(1000);
    expect((await reader.read()).value).toEqual(new Uint8Array(1000));
    await reader.cancel();
    found.resolve();
    expectSettled(watched, 1000);
  });

  it("are walked no longer when the client has left", async () => {
    const ended = vi.fn();
    const pieces = function* () {
      try {
        for (let at = 0; ; at += KiB)
          yield { kind: "stored", range: { start: at, end: at + KiB } } as const;
      } finally {
        ended();
      }
    };
    const store = new MemoryStore({ size: GiB, pieces, known: true });
    const watched = watchDownload();
    const stream = await watched.stream(store.source);
    await stream.cancel();
    await settle();
    expect(ended).toHaveBeenCalledTimes(1);
    expectSettled(watched);
  });

  it("are walked no farther than the window needs", async () => {
    let walked = 0;
    const pieces = function* () {
      for (let turn = 0; ; turn += 1) {
        walked += 1;
        const range = { start: turn * KiB, end: (turn + 1) * KiB };
        yield turn % 2 === 0
          ? ({ kind: "stored", range } as const)
          : ({ kind: "zeros", range } as const);
      }
    };
    const store = new MemoryStore({ size: 5 * 1024 * GiB, pieces, known: true });
    const watched = watchDownload();
    const stream = await watched.stream(store.source);
    await settle();
    expect(walked).toBeLessThanOrEqual(2 * 6 + 1);
    await stream.cancel();
    expectSettled(watched);
  });
});

describe("holes without end", () => {
  it("are not walked to theirs before the client has come for them", async () => {
    let walked = 0;
    const pieces = function* (range: StoredPiece["range"]) {
      for (; walked < 100_000; walked += 1) {
        yield { kind: "zeros", range: { start: walked, end: walked + 1 } } as const;
      }
      yield { kind: "stored", range: { start: walked, end: range.end } } as const;
    };
    const store = new MemoryStore({ size: GiB, pieces, known: true });
    const watched = watchDownload();
    const object = await watched.open(store.source);
    const reader = (await watched.start(object, [{ start: 0, end: GiB }])).getReader();
    await settle();
    expect(walked).toBeLessThan(300);
    watched.download.close("client-signal");
    await expect(reader.read()).rejects.toThrow("The download has ended");
  });
});

describe("a version that cannot be pinned", () => {
  const facts = { pin: undefined, unversioned: "no validator" };

  it("comes from one stream", async () => {
    const store = new MemoryStore({ size: 3 * MiB, facts });
    const watched = watchDownload();
    expect(await readRamp(await watched.stream(store.source))).toBe(3 * MiB);
    expect(store.reads).toHaveLength(1);
    expectSettled(watched);
  });

  it("is not put together from a first answer that is too short and another", async () => {
    const store = new MemoryStore({ size: 5000, facts, known: true });
    const watched = watchDownload();
    const cancel = vi.fn();
    const body = new ReadableStream<Uint8Array>({ cancel });
    const first = { range: { start: 0, end: 1000 }, body, replica: "door" };
    const stream = await watched.start({ ...store.object(), first }, [{ start: 0, end: 5000 }]);
    expect(await readRamp(stream)).toBe(5000);
    expect(cancel).toHaveBeenCalledTimes(1);
    expect(store.reads.map(({ range }) => range)).toEqual([{ start: 0, end: 5000 }]);
    expectSettled(watched);
  });

  it("breaks visibly when that stream breaks: no second version is spliced in", async () => {
    const fault = { at: 0, fault: { kind: "reset", after: 100 * KiB } } as const;
    const store = new MemoryStore({ size: 3 * MiB, facts, faults: [fault] });
    const watched = watchDownload();
    const stream = await watched.stream(store.source);
    await expect(readRamp(stream)).rejects.toMatchObject({ kind: "unavailable" });
    expect(store.reads).toHaveLength(1);
    expect(closedEvent(watched).endedBy).toBe("upstream");
    expectSettled(watched);
  });

  it("is asked for again as long as no byte of it was used", async () => {
    const fault = { at: 0, fault: { kind: "reset", after: 0 } } as const;
    const store = new MemoryStore({ size: MiB, facts, faults: [fault] });
    const watched = watchDownload();
    expect(await readRamp(await watched.stream(store.source))).toBe(MiB);
    expect(store.reads).toHaveLength(2);
    expect(expectSettled(watched).retries).toBe(1);
  });
});
