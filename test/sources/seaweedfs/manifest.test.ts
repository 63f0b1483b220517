/** Manifests: the blob, the lazy walk, and what ten million chunks cost. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Chunk } from "../../../src/sources/seaweedfs/chunk.ts";
import { ChunkList } from "../../../src/sources/seaweedfs/chunk-list.ts";
import { visibleIntervals } from "../../../src/sources/seaweedfs/intervals.ts";
import { checkSpan, parseManifest } from "../../../src/sources/seaweedfs/manifest-blob.ts";
import { createTestDownload } from "../../support/permits.ts";
import { encodeManifest, type ManifestChunk } from "../../support/seaweedfs/manifest-bytes.ts";

const vector =
  "0a1018e807200a3a09080110011d640000000a1310e80718e80720143a09080110021dc80000000a1310d00f18e807201e3a09080210031d2c010000";

function child(index: number, size: number, more: Partial<ManifestChunk> = {}): ManifestChunk {
  const fid = `1,${(index + 256).toString(16).padStart(8, "0")}00000001`;
  const timestamp = 1_790_000_000_000_000_000n + BigInt(index);
  return {
    fid,
    volume: 1,
    key: BigInt(index + 256),
    cookie: 1,
    offset: index * size,
    size,
    timestamp,
    ...more,
  };
}

describe("checkSpan", () => {
  const span = { offset: 100, size: 50 };
  const covers = (...ranges: readonly (readonly [number, number])[]) =>
    checkSpan(
      ranges.map(([offset, size]) => ({ offset, size }) as Chunk),
      span,
    );

  it("takes a list of the manifest's span, in any order, and of a longer one", () => {
    covers([100, 50]);
    covers([120, 30], [100, 10]);
    covers([100, 80]);
  });

  it.each([[[]], [[[100, 49]]], [[[101, 49]]], [[[99, 51]]], [[[0, 150]]]] as const)(
    "refuses %j: chunks are lost, or are another's",
    (ranges) => {
      expect(() => covers(...ranges)).toThrow(expect.objectContaining({ kind: "protocol" }));
    },
  );
});

describe("parseManifest", () => {
  it("reads the model's round trip", () => {
    const chunks = parseManifest(Buffer.from(vector, "hex"));
    expect(
      chunks.map(({ fid, offset, size, timestamp }) => [fid, offset, size, timestamp]),
    ).toEqual([
      ["1,0100000064", 0, 1000, 10n],
      ["1,02000000c8", 1000, 1000, 20n],
      ["2,030000012c", 2000, 1000, 30n],
    ]);
  });

  it("keeps times and keys beyond 2^53, and skips fields it does not know", () => {
    const timestamp = 1_790_000_000_000_000_001n;
    const blob = encodeManifest([child(3, 10, { key: 0xfedcba9876543210n, timestamp })]);
    const unknown = Buffer.from([0x7a, 2, 1, 2, 0x80, 1, 5]);
    const [chunk] = parseManifest(Buffer.concat([unknown, blob]));
    expect(chunk?.timestamp).toBe(timestamp);
    expect(chunk?.fid).toBe("1,fedcba987654321000000001");
  });

  it("keeps times before 1970", () => {
    const [chunk] = parseManifest(encodeManifest([child(3, 10, { timestamp: -5n })]));
    expect(chunk?.timestamp).toBe(-5n);
  });

  it("refuses a field of another type than it has", () => {
    const fid = Buffer.from("1,0100000064");
    const chunkOf = (...fields: readonly (number | Buffer)[]) => {
      const message = Buffer.concat(fields.map((f) => (typeof f === "number" ? Buffer.of(f) : f)));
      return Buffer.concat([Buffer.of(0x0a, message.length), message]);
    };
    const named = [0x0a, fid.length, fid] as const;
    expect(parseManifest(chunkOf(...named, 0x18, 5))).toMatchObject([
      { fid: "1,0100000064", size: 5 },
    ]);
    for (const blob of [
      // The id as a number that would be its length; the size as bytes, also where they end; and the cookie as a varint.
      chunkOf(0x08, fid.length, fid, 0x18, 5),
      chunkOf(...named, 0x1a, 1, 5),
      chunkOf(...named, 0x1a, 0),
      // A field that nobody knows reaches out of its chunk, and a cookie out of its id.
      Buffer.concat([chunkOf(...named, 0x7a, 3), Buffer.of(0x7a, 1, 1)]),
      chunkOf(0x3a, 7, 0x08, 1, 0x10, 1, 0x1d, 1, 2, 0x18, 5, 0x18, 5),
      chunkOf(0x3a, 9, 0x08, 1, 0x10, 1, 0x18, 1, 2, 3, 4, 0x18, 5),
    ])
      expect(() => parseManifest(blob)).toThrow(expect.objectContaining({ kind: "protocol" }));
  });

  it("refuses every blob that is cut off", () => {
    const blob = Buffer.from(vector, "hex");
    const wholeMessages = new Set([0, 18, 39]);
    for (let length = 1; length < blob.length; length++) {
      if (wholeMessages.has(length)) continue;
      expect(() => parseManifest(blob.subarray(0, length)), `${length} bytes`).toThrow(
        expect.objectContaining({ kind: "protocol" }),
      );
    }
  });

  it("refuses a last field that is cut off, though nobody knows it", () => {
    const blob = Buffer.concat([Buffer.from(vector, "hex"), Buffer.of(0x7a, 3, 1)]);
    expect(() => parseManifest(blob)).toThrow(expect.objectContaining({ kind: "protocol" }));
  });

  it("refuses numbers that a double does not hold", () => {
    const blob = encodeManifest([child(3, 10, { volume: 2 ** 53 })]);
    expect(() => parseManifest(blob)).toThrow(expect.objectContaining({ kind: "protocol" }));
  });

  it("refuses what was never written: no field has the number 0", () => {
    const blob = Buffer.from(vector, "hex");
    for (const at of [0, 2, 18, 39]) {
      const zeroed = Buffer.concat([blob.subarray(0, at), Buffer.alloc(blob.length - at)]);
      expect(() => parseManifest(zeroed), `from ${at}`).toThrow(
        expect.objectContaining({ kind: "protocol" }),
      );
    }
  });

  it("never fails otherwise than by its own error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (blob) => {
        try {
          parseManifest(blob);
        } catch (error) {
          expect(error).toMatchObject({ name: "ReadaheadError" });
        }
      }),
    );
  });
});

describe("ChunkList", () => {
  const context = createTestDownload();

  function chunkOf(one: ManifestChunk): Chunk {
    const { fid, volume, offset, size, timestamp, manifest = false } = one;
    return {
      fid,
      volume,
      offset,
      size,
      timestamp,
      manifest,
      compressed: false,
      sse: "none",
      etag: "",
    };
  }

  it("shows through any nesting of manifests what the flat list shows", async () => {
    const layer = fc.record({
      offset: fc.nat(200),
      size: fc.integer({ min: 1, max: 40 }),
      timestamp: fc.bigInt(0n, 6n),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(layer, fc.nat(3)), { minLength: 1, maxLength: 25 }),
        fc.nat(230),
        fc.nat(230),
        async (layers, a, b) => {
          const flat = layers.map(([one], index) => chunkOf(child(index, 1, one)));
          const manifests = new Map<string, Chunk[]>();
          const nest = (chunks: Chunk[], every: number, tag: number): Chunk[] => {
            const top: Chunk[] = [];
            for (let at = 0; at < chunks.length; at += every) {
              const children = chunks.slice(at, at + every);
              if (children.length < 2) {
                top.push(...children);
                continue;
              }
              const start = Math.min(...children.map((one) => one.offset));
              const end = Math.max(...children.map((one) => one.offset + one.size));
              const id = child(1000 * tag + at, 1, {
                offset: start,
                size: end - start,
                manifest: true,
              });
              manifests.set(id.fid, children);
              top.push(chunkOf(id));
            }
            return top;
          };
          const top = nest(nest(flat, (layers[0]?.[1] ?? 1) + 2, 1), 3, 2);
          const list = new ChunkList(top, async (manifest) => manifests.get(manifest.fid) ?? []);
          const range = { start: Math.min(a, b), end: Math.max(a, b) };
          const seen: [number, number, string][] = [];
          let at = range.start;
          for await (const window of list.windows(range, context)) {
            expect(window.range.start).toBe(at);
            at = window.range.end;
            for (const { start, end, chunk } of window.intervals) {
              const last = seen.at(-1);
              if (last !== undefined && last[1] === start && last[2] === chunk.fid) last[1] = end;
              else seen.push([start, end, chunk.fid]);
            }
          }
          expect(at).toBe(range.end);
          const expected = visibleIntervals(flat, range).map(({ start, end, chunk }) => [
            start,
            end,
            chunk.fid,
          ]);
          expect(seen).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  // filechunk_manifest_test.go, from the reader's side
  describe("as the model folds", () => {
    const chunks = Array.from({ length: 7 }, (_, i) => chunkOf(child(i, 10)));

    /** What a list of manifests, and of chunks behind them, shows. */
    async function shownBy(folds: readonly (readonly Chunk[])[], flat: readonly Chunk[]) {
      const lists = new Map<string, Chunk[]>();
      const manifests = folds.map((children, index) => {
        const start = Math.min(...children.map((one) => one.offset));
        const end = Math.max(...children.map((one) => one.offset + one.size));
        const id = child(9_000 + index, 1, { offset: start, size: end - start, manifest: true });
        lists.set(id.fid, [...children]);
        return chunkOf(id);
      });
      const list = new ChunkList(
        [...manifests, ...flat],
        async (manifest) => lists.get(manifest.fid) ?? [],
      );
      const seen: string[] = [];
      for await (const window of list.windows({ start: 0, end: 70 }, context))
        for (const { start, end, chunk } of window.intervals)
          seen.push(`${start}-${end} ${chunk.fid}`);
      return seen;
    }

    const byIndex = (...indexes: number[]) => indexes.flatMap((index) => chunks[index] ?? []);
    const all = chunks.map((one) => `${one.offset}-${one.offset + one.size} ${one.fid}`);

    it.each([
      [
        "seven chunks in batches of three: two manifests and one left",
        [
          [0, 1, 2],
          [3, 4, 5],
        ],
        [6],
      ],
      [
        "in batches of two, all folded but the last",
        [
          [0, 1],
          [2, 3],
          [4, 5],
        ],
        [6],
      ],
      ["a manifest first, then a pair, then one left", [[0], [1, 2]], [3, 4, 5, 6]],
      ["a manifest of the second, then a pair around it", [[1], [0, 2]], [3, 4, 5, 6]],
      ["two manifests, then a pair", [[0], [1], [2, 3]], [4, 5, 6]],
    ])("shows %s", async (_what, folds, flat) => {
      expect(
        await shownBy(
          folds.map((fold) => byIndex(...fold)),
          byIndex(...flat),
        ),
      ).toEqual(all);
    });

    function generation(number: number): Chunk[] {
      return [0, 1, 2].map((i) =>
        chunkOf(
          child(100 * number + i, 10, { offset: 10 * i, timestamp: BigInt(10 * number + i) }),
        ),
      );
    }

    it("shows of two overlapping manifests the newer one's chunks", async () => {
      const newer = generation(1);
      const expected = newer.map((one) => `${one.offset}-${one.offset + 10} ${one.fid}`);
      expect(await shownBy([generation(0), newer], [])).toEqual(expected);
      expect(await shownBy([newer, generation(0)], [])).toEqual(expected);
    });

    it("shows of five generations only the last", async () => {
      const generations = [1, 2, 3, 4, 5].map(generation);
      const expected = generation(5).map((one) => `${one.offset}-${one.offset + 10} ${one.fid}`);
      expect(await shownBy(generations, [])).toEqual(expected);
    });
  });

  it("cuts chunks at the end of a manifest that was truncated", async () => {
    const manifest = chunkOf(child(0, 100, { manifest: true }));
    const nested = chunkOf(child(1, 60, { manifest: true, fid: "1,0900000001" }));
    const list = new ChunkList([manifest], async ({ fid }) =>
      fid === nested.fid
        ? [chunkOf(child(2, 30)), chunkOf(child(3, 30))]
        : [chunkOf(child(0, 60)), nested, chunkOf(child(2, 60))],
    );
    const seen: unknown[] = [];
    for await (const { intervals } of list.windows({ start: 0, end: 200 }, context))
      for (const { start, end, chunk } of intervals) seen.push([start, end, chunk.size]);
    expect(seen).toEqual([
      [0, 60, 60],
      [60, 90, 30],
      [90, 100, 10],
    ]);
  });

  it("goes into a manifest once, however often and deep it is listed", async () => {
    const levels = [0, 1, 2, 3, 4, 5, 6].map((level) =>
      chunkOf(child(level, 100, { offset: 0, manifest: true, fid: `1,0${level}00000001` })),
    );
    const reads: string[] = [];
    const list = new ChunkList(levels.slice(0, 1), async ({ fid }) => {
      reads.push(fid);
      const next = levels[levels.findIndex((level) => level.fid === fid) + 1];
      return Array.from({ length: 30 }, () => next ?? chunkOf(child(0, 100)));
    });
    const seen: unknown[] = [];
    for await (const { intervals } of list.windows({ start: 0, end: 100 }, context))
      for (const { start, end } of intervals) seen.push([start, end]);
    expect(seen).toEqual([[0, 100]]);
    expect(reads).toEqual(levels.map(({ fid }) => fid));
  });

  it("reads two manifests a level for a range of ten million chunks, in less than 64 MiB", async () => {
    const chunkBytes = 4 * 1024 * 1024;
    const total = 10_000_000;
    const perManifest = 10_000;
    const perOuter = 100;
    const reads = { outer: 0, inner: 0 };
    const span = (index: number, count: number, level: number): Chunk =>
      chunkOf({
        ...child(0, 1),
        fid: `${level},${(index + 256).toString(16).padStart(8, "0")}00000001`,
        offset: index * count * chunkBytes,
        size: count * chunkBytes,
        timestamp: BigInt(index),
        manifest: true,
      });
    const outer = perManifest * perOuter;
    const top = Array.from({ length: total / outer }, (_, i) => span(i, outer, 3));
    const list = new ChunkList(top, async (manifest) => {
      if (manifest.fid.startsWith("3,")) {
        reads.outer += 1;
        const first = (manifest.offset / chunkBytes / outer) * perOuter;
        return Array.from({ length: perOuter }, (_, i) => span(first + i, perManifest, 2));
      }
      reads.inner += 1;
      const first = manifest.offset / chunkBytes;
      const children = Array.from({ length: perManifest }, (_, i) => child(first + i, chunkBytes));
      return parseManifest(encodeManifest(children));
    });
    const middle = (total / 2) * chunkBytes;
    const collect = Reflect.get(globalThis, "gc") as (() => void) | undefined;
    collect?.();
    const before = process.memoryUsage().heapUsed;
    let pieces = 0;
    let peak = 0;
    const range = { start: middle - 3 * chunkBytes - 1, end: middle + 5 * chunkBytes };
    expect(await list.requestCount(range, 48, () => [], context)).toBeLessThanOrEqual(45);
    for await (const window of list.windows(range, context)) {
      pieces += window.intervals.length;
      peak = Math.max(peak, process.memoryUsage().heapUsed - before);
    }
    expect(pieces).toBe(9);
    expect(reads.outer).toBeLessThanOrEqual(2);
    expect(reads.inner).toBeLessThanOrEqual(2);
    expect(peak).toBeLessThan(64 * 1024 * 1024);
  });
});
