/** What is held of whole chunks is taken from the budget before headers, whatever way the object was opened. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHandler } from "../../../src/http/handler.ts";
import { Budget } from "../../../src/readahead/budget.ts";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { createTestDownload } from "../../support/permits.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { MiB } from "../../support/units.ts";
import { WatchedBudget } from "../../support/watched-budget.ts";

interface Metadata {
  readonly chunks: readonly Readonly<Record<string, unknown>>[];
}

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start();
});
afterEach(() => endCluster(cluster));

function sourceOf(options: Partial<SeaweedfsOptions> = {}): Source {
  return createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    ...options,
  });
}

describe("verify = true", () => {
  it("reserves twice the largest chunk, and so many downloads go on as fit", async () => {
    const size = 5 * MiB;
    putObject(cluster, "/o", { size, chunkBytes: 2 * MiB });
    const budget = new WatchedBudget(8 * MiB, 96);
    const source = sourceOf({ verify: true });
    const downloads = Array.from({ length: 6 }, () => downloadKey(source, "o", { budget }));
    for (const { bytes } of await Promise.all(downloads))
      expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
    expect(budget.reserved).toEqual(Array.from({ length: 6 }, () => 4 * MiB));
    expect(budget.mostHeld).toBeLessThanOrEqual(8 * MiB);
    expect(budget.held).toBe(0);
  });

  it("refuses a chunk that cannot be held, before headers", async () => {
    putObject(cluster, "/o", { size: 5 * MiB, chunkBytes: 5 * MiB });
    const budget = new Budget(8 * MiB, 96);
    const reading = downloadKey(sourceOf({ verify: true }), "o", { budget });
    await expect(reading).rejects.toMatchObject({ kind: "unsupported" });
    expect((await downloadKey(sourceOf(), "o", { budget })).bytes.byteLength).toBe(5 * MiB);
  });
});

it("is reserved for the chunks that an answer meets, and not at all where none is held whole", async () => {
  const size = 2 * MiB + 1000;
  putObject(cluster, "/ciphered", { size, chunkBytes: 2 * MiB, form: "cipher" });
  putObject(cluster, "/plain", { size });
  const reserved = async (key: string, start: number, end: number) => {
    const object = await sourceOf().open(key, { ...createTestDownload(), want: { start, end } });
    return object.reserve?.([new Uint8Array(3), { start, end }])?.bytes;
  };
  expect(await reserved("ciphered", 0, size)).toBe(4 * MiB);
  expect(await reserved("ciphered", 2 * MiB - 1, 2 * MiB)).toBe(4 * MiB);
  expect(await reserved("ciphered", 2 * MiB, size)).toBe(2000);
  expect(await reserved("plain", 0, size)).toBeUndefined();
});

it("is told of a ciphered chunk however little of it is wanted: it is read whole, once", async () => {
  putObject(cluster, "/o", { size: 1000, form: "cipher" });
  const download = createTestDownload();
  const object = await sourceOf().open("o", { ...download, want: { start: 10, end: 20 } });
  const pieces = [];
  for await (const piece of object.pieces?.({ start: 10, end: 20 }, download) ?? [])
    pieces.push(piece);
  expect(pieces).toMatchObject([{ kind: "stored", atomic: true, holdBytes: 2000 }]);
});

describe("chunks under manifests", () => {
  it("that are verified are reserved for", async () => {
    const size = 3 * MiB;
    putObject(cluster, "/o", { size, foldEvery: 3 });
    const budget = new WatchedBudget(8 * MiB, 96);
    const { bytes } = await downloadKey(sourceOf({ verify: true }), "o", { budget });
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
    expect(budget.reserved).toEqual([2 * MiB]);
    expect(cluster.volumes.flatMap((server) => server.seen)).toHaveLength(4);
  });

  it("are reserved for where the manifest is plain and a small chunk beside it is ciphered", async () => {
    const size = 3 * MiB;
    const whole = putObject(cluster, "/whole", {
      size,
      foldEvery: 3,
      form: "cipher",
      cipherManifests: false,
    });
    const tail = putObject(cluster, "/tail", { size: 1000, chunkBytes: 1000, form: "cipher" });
    const folded = JSON.parse(cluster.entries.get(whole.path)?.metadata ?? "") as Metadata;
    const short = JSON.parse(cluster.entries.get(tail.path)?.metadata ?? "") as Metadata;
    const chunks = [...folded.chunks, ...short.chunks.map((chunk) => ({ ...chunk, offset: size }))];
    const metadata = JSON.stringify({ ...folded, FullPath: "/o", FileSize: size + 1000, chunks });
    cluster.entries.set("/o", { metadata });
    const budget = new WatchedBudget(8 * MiB, 96);
    const range = { start: 0, end: size };
    const { bytes } = await downloadKey(sourceOf(), "o", { budget, range });
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
    expect(budget.reserved).toEqual([2 * MiB]);
  });

  it("are reserved for in a large suffix that is asked for again", async () => {
    const size = 3 * MiB;
    putObject(cluster, "/o", { size, foldEvery: 3, form: "cipher" });
    const budget = new WatchedBudget(8 * MiB, 96);
    const handle = createHandler({
      mounts: [{ name: "weed", prefix: "/", source: sourceOf() }],
      budget,
    });
    for (let times = 0; times < 2; times++) {
      const waiting: Promise<unknown>[] = [];
      const request = new Request("http://edge.example/o", {
        headers: { range: `bytes=-${2 * MiB}` },
      });
      const answer = await handle(request, { waitUntil: (promise) => void waiting.push(promise) });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      expect(Buffer.compare(bytes, contentBytes(ramp, MiB, size))).toBe(0);
      await Promise.all(waiting);
    }
    expect(budget.reserved).toEqual([2 * MiB, 2 * MiB]);
  });

  it("are reserved for whatever was opened before, and in a suffix longer than the object", async () => {
    const size = 3 * MiB;
    putObject(cluster, "/o", { size, foldEvery: 3, form: "cipher" });
    const source = sourceOf();
    for (const want of [{ start: 0 }, { suffix: 2 * size }]) {
      const download = createTestDownload();
      await source.open("o", { ...download, want: "facts" });
      const object = await source.open("o", { ...download, want });
      expect(object.reserve?.([{ start: 0, end: size }])?.bytes).toBe(2 * MiB);
    }
  });

  it("cost nothing where only facts are wanted", async () => {
    putObject(cluster, "/o", { size: 3 * MiB, foldEvery: 3, form: "cipher" });
    await sourceOf().open("o", { ...createTestDownload(), want: "facts" });
    expect(cluster.requests).toBe(1);
  });
});
