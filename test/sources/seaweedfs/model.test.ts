/** The tests of the model: stream_prefetch_test.go (4 parts ahead unless said) and reader_at_test.go, through the engine. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDownload } from "../../../src/readahead/download.ts";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { entryJson, putObject } from "../../support/seaweedfs/objects.ts";
import { readKey } from "../../support/seaweedfs/read-object.ts";
import { until } from "../../support/until.ts";

let cluster: FakeCluster;
let source: Source;

beforeEach(async () => {
  cluster = await FakeCluster.start({ volumeServers: 1 });
  source = createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    filerFallback: false,
  });
});

afterEach(async () => {
  try {
    await until("no body is open", () => cluster.openBodies === 0);
  } finally {
    await cluster.close();
  }
});

function put(chunks: number, chunkBytes: number): number {
  putObject(cluster, "/o", { size: chunks * chunkBytes, chunkBytes });
  return chunks * chunkBytes;
}

async function expectWhole(size: number, windowParts: number): Promise<void> {
  const { bytes } = await downloadKey(source, "o", { limits: { windowParts } });
  expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
}

describe("prefetch", () => {
  it("delivers in order", async () => {
    await expectWhole(put(8, 4096), 4);
  });

  it("delivers a single chunk", async () => {
    await expectWhole(put(1, 8192), 4);
  });

  it("is sequential with a window of one", async () => {
    await expectWhole(put(4, 1024), 1);
  });

  it("takes a window larger than the object", async () => {
    await expectWhole(put(3, 1024), 10);
  });

  it("delivers exactly a range of chunks, and asks for no other", async () => {
    put(8, 4096);
    const range = { start: 8192, end: 8192 + 16_384 };
    const { bytes } = await downloadKey(source, "o", { range, limits: { windowParts: 4 } });
    expect(Buffer.compare(bytes, contentBytes(ramp, range.start, range.end))).toBe(0);
    expect(cluster.volume(0).seen).toHaveLength(4);
  });

  it("serves four downloads at the same time", async () => {
    const size = put(8, 2048);
    await Promise.all(Array.from({ length: 4 }, () => expectWhole(size, 4)));
  });

  it("ends everything when the client leaves while servers are slow", async () => {
    put(16, 1024);
    cluster.volume(0).fault = () => ({ do: "hang" });
    const client = new AbortController();
    const download = createDownload({ signal: client.signal });
    const { permits, signal, observe } = download;
    const object = await source.open("o", { permits, signal, observe, want: { start: 0 } });
    const starting = download.start(object, [{ start: 0, end: 16_384 }]);
    starting.then(undefined, () => undefined);
    await until("a server is asked", () => cluster.volume(0).seen.length > 0);
    client.abort(new Error("gone"));
    await expect(starting).rejects.toThrow("gone");
    expect((await download.closed).openAfterClose).toBe(0);
  });
});

describe("reader at", () => {
  /** Each chunk is filled with its number. */
  function putVisibles(
    size: number,
    visibles: readonly (readonly [number, number, number])[],
  ): void {
    const chunks = visibles.map(([value, start, end]) => {
      const fid = `1,${value.toString(16).padStart(2, "0")}00000001`;
      cluster.needles.set(fid, { stored: () => Buffer.alloc(end - start, value) });
      return {
        fid,
        volume: 1,
        key: BigInt(value),
        cookie: 1,
        offset: start,
        size: end - start,
        timestamp: BigInt(value),
      };
    });
    cluster.entries.set("/o", { metadata: entryJson("/o", size, chunks) });
  }

  const sparse = [
    [1, 1, 2],
    [3, 3, 4],
    [5, 5, 6],
    [7, 7, 9],
    [9, 9, 10],
  ] as const;
  it.each([
    [10, sparse, 0, 10],
    [10, sparse, 2, 10],
    [10, sparse, 3, 9],
    [
      10,
      [
        [1, 2, 5],
        [7, 7, 9],
      ] as const,
      0,
      10,
    ],
    [
      10,
      [
        [1, 2, 5],
        [7, 7, 9],
      ] as const,
      3,
      8,
    ],
    [20, [[1, 2, 5]] as const, 0, 20],
    [20, [[1, 2, 5]] as const, 1, 8],
    [20, [[1, 2, 5]] as const, 18, 20],
    [20, [[1, 2, 5]] as const, 4, 14],
    [
      9,
      [
        [1, 2, 3],
        [2, 7, 9],
      ] as const,
      0,
      9,
    ],
    [3, [] as const, 0, 3],
    [3, [] as const, 1, 3],
  ])("of %i bytes with %j reads [%i, %i)", async (size, visibles, start, end) => {
    putVisibles(size, visibles);
    const expected = new Uint8Array(size);
    for (const [value, from, to] of visibles) expected.fill(value, from, to);
    const direct = await readKey(source, "o", { start, end });
    expect(Array.from(direct)).toEqual(Array.from(expected.subarray(start, end)));
    const { bytes } = await downloadKey(source, "o", { range: { start, end } });
    expect(Array.from(bytes)).toEqual(Array.from(expected.subarray(start, end)));
  });

  it("fails when a chunk in the middle fails, after the bytes before it", async () => {
    putVisibles(12, [
      [1, 0, 4],
      [2, 4, 8],
      [3, 8, 12],
    ]);
    cluster.volume(0).fault = (seen) =>
      seen.target.startsWith("/1,02") ? { do: "reply", reply: { status: 500 } } : undefined;
    let delivered = 0;
    const limits = { attempts: 2, windowParts: 1 };
    const reading = downloadKey(source, "o", {
      limits,
      onProgress: (length) => void (delivered = length),
    });
    await expect(reading).rejects.toMatchObject({ kind: "unavailable" });
    expect(delivered).toBe(4);
  });
});
