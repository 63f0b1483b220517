/** The tests of the model: stream_prefetch_test.go (4 parts ahead unless said) and reader_at_test.go, through the engine. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHandler } from "../../../src/http/handler.ts";
import { createDownload } from "../../../src/readahead/download.ts";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
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

afterEach(() => endCluster(cluster));

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
    const chunks = visibles.map(([value, start, end], index) => {
      // Two visible stretches may have the same value: their cookies differ.
      const cookie = index + 1;
      const fid = `1,${value.toString(16).padStart(2, "0")}${cookie.toString(16).padStart(8, "0")}`;
      cluster.needles.set(fid, { stored: () => Buffer.alloc(end - start, value) });
      return {
        fid,
        volume: 1,
        key: BigInt(value),
        cookie,
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

  // The model's reads by offset and length, also past the end; each is a Range of as many bytes.
  const two = [
    [1, 2, 5],
    [2, 7, 9],
  ] as const;
  const same = [
    [1, 2, 3],
    [1, 7, 9],
  ] as const;
  it.each([
    [10, sparse, 0, 10, 10],
    [10, sparse, 0, 12, 10],
    [10, sparse, 2, 8, 8],
    [10, sparse, 3, 6, 6],
    [10, two, 0, 10, 10],
    [10, two, 3, 16, 7],
    [10, two, 3, 5, 5],
    [10, two, 11, 5, 0],
    [10, two, 10, 5, 0],
    [20, [[1, 2, 5]] as const, 0, 20, 20],
    [20, [[1, 2, 5]] as const, 1, 7, 7],
    [20, [[1, 2, 5]] as const, 0, 1, 1],
    [20, [[1, 2, 5]] as const, 18, 4, 2],
    [20, [[1, 2, 5]] as const, 12, 4, 4],
    [20, [[1, 2, 5]] as const, 4, 20, 16],
    [20, [[1, 2, 5]] as const, 4, 10, 10],
    [20, [[1, 2, 5]] as const, 1, 10, 10],
    [9, same, 0, 9, 9],
    [9, same, 1, 8, 8],
    [3, [] as const, 0, 3, 3],
    [3, [] as const, 1, 2, 2],
  ])(
    "of %i bytes with %j from %i for %i reads %i",
    async (size, visibles, offset, length, count) => {
      putVisibles(size, visibles);
      const expected = new Uint8Array(size);
      for (const [value, from, to] of visibles) expected.fill(value, from, to);
      const handle = createHandler({ mounts: [{ name: "weed", prefix: "/", source }], factsMs: 0 });
      const waiting: Promise<unknown>[] = [];
      const range = `bytes=${offset}-${offset + length - 1}`;
      const answer = await handle(new Request("http://edge.example/o", { headers: { range } }), {
        waitUntil: (promise) => void waiting.push(promise),
      });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      await Promise.all(waiting);
      if (count === 0) {
        expect(answer.status).toBe(416);
        expect(answer.headers.get("content-range")).toBe(`bytes */${size}`);
        return;
      }
      expect(answer.status).toBe(206);
      expect(Array.from(bytes)).toEqual(Array.from(expected.subarray(offset, offset + length)));
      expect(bytes).toHaveLength(count);
    },
  );

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
