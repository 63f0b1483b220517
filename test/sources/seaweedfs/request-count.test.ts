/** What a download may cost is known before its first byte: one that cannot end is refused, never broken off. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Chunk } from "../../../src/sources/seaweedfs/chunk.ts";
import { countRequests } from "../../../src/sources/seaweedfs/request-count.ts";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { cook } from "../../support/seaweedfs/recipe.ts";
import { addRecording, loadRecordings } from "../../support/seaweedfs/recordings.ts";
import { MiB } from "../../support/units.ts";

describe("a download with the 50 subrequests of the smallest plan", () => {
  const limits = { subrequests: 50 };
  let cluster: FakeCluster;

  beforeEach(async () => {
    cluster = await FakeCluster.start({ volumeServers: 1 });
  });
  afterEach(() => cluster.close());

  function sourceOf(options: Partial<SeaweedfsOptions> = {}): Source {
    return createSeaweedfsSource({
      filer: cluster.filerUrl,
      master: cluster.masterUrl,
      filerFallback: false,
      ...options,
    });
  }

  async function expectRefused(source: Source, range?: { start: number; end: number }) {
    let delivered = 0;
    const reading = downloadKey(source, "o", {
      limits,
      ...(range === undefined ? {} : { range }),
      onProgress: (bytes) => void (delivered = bytes),
    });
    await expect(reading).rejects.toMatchObject({ kind: "too-many-parts" });
    expect(delivered).toBe(0);
  }

  async function expectRead(source: Source, size: number) {
    const { bytes } = await downloadKey(source, "o", { limits });
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
  }

  it("is refused for more volumes than can be looked up beside the reads", async () => {
    putObject(cluster, "/o", { size: 40_000, chunkBytes: 1_000, volumes: 40 });
    await expectRefused(sourceOf());
    expect(cluster.volume(0).seen).toHaveLength(0);
  });

  it("is read over few volumes, over known ones, and through the filer, which looks up itself", async () => {
    const size = 40_000;
    putObject(cluster, "/o", { size, chunkBytes: 1_000, volumes: 4 });
    await expectRead(sourceOf(), size);
    putObject(cluster, "/o", { size, chunkBytes: 1_000, volumes: 40 });
    await expectRead(sourceOf({ volumeAccess: "filer" }), size);
    const warm = sourceOf();
    await downloadKey(warm, "o");
    await expectRead(warm, size);
  });

  it("is refused where every chunk needs a token of its own from the master", async () => {
    putObject(cluster, "/o", { size: 30_000, chunkBytes: 1_000 });
    await expectRefused(sourceOf({ volumeTokenFromMaster: true }));
    await expectRead(sourceOf(), 30_000);
  });

  it("is refused for the small chunks of a manifest, read or not yet", async () => {
    putObject(cluster, "/o", { size: 60_000, chunkBytes: 1_000, foldEvery: 60 });
    await expectRefused(sourceOf());
    putObject(cluster, "/o", { size: 60_000, chunkBytes: 1_000, foldEvery: 20 });
    await expectRefused(sourceOf());
    expect(cluster.volume(0).seen.length).toBeLessThanOrEqual(2);
  });

  it("reads the first manifest to know, where the range begins before it", async () => {
    const size = 20_000;
    const { fids } = putObject(cluster, "/o", { size, chunkBytes: 1_000, foldEvery: 10 });
    const [first = "", second = ""] = fids.slice(-2);
    // The first ten chunks lie at the top of the list, as 4.44 leaves those it has not folded.
    putObject(cluster, "/flat", { size: size / 2, chunkBytes: 1_000 });
    const chunksOf = (path: string) =>
      /"chunks":\[(.*)\]/.exec(cluster.entries.get(path)?.metadata ?? "")?.[1] ?? "";
    const folded = chunksOf("/o").slice(chunksOf("/o").indexOf(`{"file_id":"${second}`));
    const metadata = cluster.entries.get("/o")?.metadata ?? "";
    cluster.entries.set("/o", {
      metadata: metadata.replace(chunksOf("/o"), `${chunksOf("/flat")},${folded}`),
    });
    await expectRead(sourceOf(), size);
    const asked = cluster.volume(0).seen.map(({ target }) => target);
    expect(asked.filter((target) => target.includes(second))).toHaveLength(1);
    expect(asked.filter((target) => target.includes(first))).toHaveLength(0);
  });

  it("counts of a manifest what the range meets", async () => {
    putObject(cluster, "/o", { size: 60_000, chunkBytes: 1_000, foldEvery: 20 });
    for (const start of [0, 15_500, 29_000]) {
      const range = { start, end: start + 31_000 };
      const { bytes, totals } = await downloadKey(sourceOf(), "o", { limits, range });
      expect(Buffer.compare(bytes, contentBytes(ramp, range.start, range.end))).toBe(0);
      expect(totals.subrequests).toBeLessThan(50);
    }
  });
});

describe("a download with the requests of the default plan", () => {
  let cluster: FakeCluster;

  beforeEach(async () => {
    cluster = await FakeCluster.start({ volumeServers: 1 });
  });
  afterEach(() => cluster.close());

  it("reads the recorded manifest of manifests", async () => {
    const recorded = loadRecordings().get("manifest-nested");
    if (recorded?.content === undefined) throw new Error("It was not recorded");
    addRecording(cluster, recorded);
    const source = createSeaweedfsSource({ filer: cluster.filerUrl, master: cluster.masterUrl });
    const { bytes, totals } = await downloadKey(source, recorded.path.slice(1));
    expect(Buffer.compare(bytes, cook(recorded.content.recipe))).toBe(0);
    expect(totals.subrequests).toBeLessThan(50);
  });
});

describe("countRequests", () => {
  function chunk(offset: number, size: number, more: Partial<Chunk> = {}): Chunk {
    return {
      fid: `1,${offset.toString(16)}`,
      volume: 1,
      offset,
      size,
      timestamp: 0n,
      compressed: false,
      manifest: false,
      sse: "none",
      etag: "",
      ...more,
    };
  }
  const fold = (offset: number, size: number) => chunk(offset, size, { manifest: true });
  const chunksOf = (manifest: Chunk, count: number) =>
    Array.from({ length: count }, (_, i) =>
      chunk(manifest.offset + (i * manifest.size) / count, manifest.size / count),
    );
  const byVolume = ({ volume }: Chunk) => [`lookup ${volume}`];
  const unread = { opened: () => undefined, firstAsked: byVolume };

  it("counts each chunk of a plain list, each volume once, and overlaps as two stretches", () => {
    const list = [chunk(0, 10), chunk(10, 10, { volume: 2 }), chunk(20, 10)];
    expect(countRequests(list, { start: 0, end: 30 }, unread)).toBe(3 + 2);
    expect(countRequests(list, { start: 5, end: 10 }, unread)).toBe(1 + 1);
    expect(countRequests([...list, chunk(4, 2)], { start: 0, end: 30 }, unread)).toBe(2 + 4 + 2);
  });

  it("knows overlaps from a list that is in another order than the bytes", () => {
    const list = Array.from({ length: 100 }, (_, i) => chunk(10 * (99 - i), 10));
    expect(countRequests(list, { start: 0, end: 1000 }, unread)).toBe(100 + 1);
    const over = chunk(0, 1000);
    expect(countRequests([...list, over], { start: 0, end: 1000 }, unread)).toBe(2 * 101 + 1);
    expect(countRequests([over, ...list], { start: 0, end: 1000 }, unread)).toBe(2 * 101 + 1);
  });

  it("ends with a manifest that lists itself", () => {
    const endless = fold(0, 400);
    const opened = () => [endless, endless];
    const count = countRequests([endless], { start: 0, end: 400 }, { ...unread, opened });
    expect(count).toBeGreaterThan(1);
  });

  it("takes an unread manifest for as many chunks as those that were read have", () => {
    const manifests = [0, 1, 2].map((i) => fold(i * 400, 400));
    const [first] = manifests;
    const opened = (one: Chunk) => (one === first ? chunksOf(one, 100) : undefined);
    const count = (start: number, end: number) =>
      countRequests(manifests, { start, end }, { opened, firstAsked: byVolume });
    expect(count(0, 400)).toBe(100 + 1);
    // The unread ones: their chunks, themselves, and a volume of their own each.
    expect(count(0, 1200)).toBe(3 * 100 + 1 + 2 * (1 + 1));
    expect(count(0, 440)).toBe(100 + 1 + (10 + 1) + 1 + 1);
  });

  it("takes it for one that was read for another range, where none in its own was", () => {
    const manifests = [fold(0, 400), fold(400, 400), fold(800, 400)];
    const read = manifests
      .slice(0, 2)
      .map((manifest, i) => ({ manifest, children: chunksOf(manifest, i === 0 ? 100 : 20) }));
    const count = (...known: readonly (typeof read)[number][]) =>
      countRequests(
        manifests,
        { start: 400, end: 1200 },
        {
          opened: ({ fid }) => known.find(({ manifest }) => manifest.fid === fid)?.children,
          read: () => known,
          firstAsked: byVolume,
        },
      );
    expect(count(...read.slice(0, 1))).toBe(2 * (100 + 1 + 1) + 1);
    expect(count(...read)).toBe(20 + 1 + (20 + 1 + 1));
  });

  it("does not count large chunks twice among which small ones are folded, as 4.53 does it", () => {
    const parts = 2_560;
    const size = 9_000_000;
    const rest = size - 8 * MiB;
    const large = Array.from({ length: parts }, (_, part) => [
      chunk(part * size, 4 * MiB),
      chunk(part * size + 4 * MiB, 4 * MiB),
    ]).flat();
    const span = 255 * size + rest;
    const manifests = Array.from({ length: parts / 256 }, (_, i) =>
      fold(i * 256 * size + 8 * MiB, span),
    );
    const [first] = manifests;
    const children = (manifest: Chunk) =>
      Array.from({ length: 256 }, (_, i) => chunk(manifest.offset + i * size, rest));
    const count = countRequests(
      [...large, ...manifests],
      { start: 0, end: parts * size },
      {
        opened: (one) => (one === first ? children(one) : undefined),
        firstAsked: () => [],
      },
    );
    const real = large.length + parts + manifests.length;
    expect(count).toBeGreaterThanOrEqual(real - 1);
    expect(count).toBeLessThan(1.31 * real);
  });

  it("knows a manifest without any other as SeaweedFS writes them", () => {
    const manifest = fold(0, 10_000 * 4 * MiB);
    const range = { start: 0, end: 1024 * 4 * MiB };
    const bound = countRequests([manifest], range, { ...unread, firstAsked: () => [] });
    expect(bound).toBeGreaterThan(1024);
    expect(bound).toBeLessThan(2 * 1024 + 10);
    expect(countRequests([manifest], { start: 0, end: manifest.size }, unread)).toBeGreaterThan(
      10_000,
    );
  });

  it("counts the chunks below a manifest of manifests", () => {
    const outer = [fold(0, 40_000), fold(40_000, 40_000)];
    const inner = { ...fold(0, 400), fid: "1,abc" };
    const opened = (one: Chunk) =>
      one === outer[0] ? [inner] : one === inner ? chunksOf(one, 100) : undefined;
    const needs = { opened, firstAsked: () => [] };
    expect(countRequests(outer, { start: 0, end: 400 }, needs)).toBe(100);
    expect(countRequests(outer, { start: 0, end: 80_000 }, needs)).toBeGreaterThan(10_000);
  });
});
