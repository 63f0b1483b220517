/** Masters and filers that accept and never answer, or reset a kept connection. A download goes around them. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readWhole } from "../../../src/sources/seaweedfs/request.ts";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster, type FakeClusterOptions } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import type { FakeServer } from "../../support/seaweedfs/http-server.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { KiB } from "../../support/units.ts";

let cluster: FakeCluster;

async function start(options: FakeClusterOptions): Promise<void> {
  cluster = await FakeCluster.start(options);
}

beforeEach(() => start({}));
afterEach(() => endCluster(cluster));

function sourceOf(options: Partial<SeaweedfsOptions> = {}): Source {
  return createSeaweedfsSource({
    filer: cluster.filers.map((server) => server.url),
    master: cluster.masters.map((server) => server.url),
    ...options,
  });
}

async function expectDownload(source: Source, size: number): Promise<void> {
  const { bytes } = await downloadKey(source, "o");
  expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
}

function hang(server: FakeServer | undefined): void {
  if (server !== undefined) server.fault = () => ({ do: "hang" });
}

describe("a hung master", () => {
  it.each([1, 2])(
    "of %i, all hung: chunks come through the filer, and it is left in peace for a while",
    async (masters) => {
      await cluster.close();
      await start({ masters });
      const size = 300 * KiB;
      putObject(cluster, "/o", { size, chunkBytes: 100 * KiB, volumes: 3 });
      for (const master of cluster.masters) hang(master);
      const source = sourceOf();
      await expectDownload(source, size);
      const asked = cluster.masters.map((master) => master.seen.length);
      await expectDownload(source, size);
      expect(cluster.masters.map((master) => master.seen.length)).toEqual(asked);
    },
    20_000,
  );
});

describe("a master that resets every connection", () => {
  const size = 64_000;
  let now: number;
  let source: Source;
  const asked = () => cluster.masters[0]?.seen.length;

  beforeEach(() => {
    now = 1_000_000;
    putObject(cluster, "/o", { size, chunkBytes: 1_000, volumes: 3 });
    for (const master of cluster.masters) master.fault = () => ({ do: "reset" });
    source = sourceOf({ now: () => now });
  });

  it("costs a few requests where the filer stands in, not some for every chunk", async () => {
    const { bytes, totals } = await downloadKey(source, "o", { limits: { subrequests: 100 } });
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
    // The metadata, 64 chunks, and a lookup of each volume, asked twice.
    expect(totals.subrequests).toBeLessThanOrEqual(1 + 64 + 2 * 3);
  });

  it("is asked again after seconds, then after twice as many", async () => {
    await expectDownload(source, size);
    const waits = [4_900, 200, 9_700, 400];
    const grew: boolean[] = [];
    for (const wait of waits) {
      now += wait;
      const before = asked();
      await expectDownload(source, size);
      grew.push(asked() !== before);
    }
    expect(grew).toEqual([false, true, false, true]);
  });

  it("is used again when it has come back", async () => {
    await expectDownload(source, size);
    for (const master of cluster.masters) master.fault = undefined;
    now += 5_100;
    await expectDownload(source, size);
    expect(cluster.volumes.some((server) => server.seen.length > 0)).toBe(true);
  });

  it("is asked on where nobody stands in", async () => {
    const direct = sourceOf({ now: () => now, filerFallback: false });
    const limits = { attempts: 1 };
    await expect(downloadKey(direct, "o", { limits })).rejects.toMatchObject({
      kind: "unavailable",
    });
    for (const master of cluster.masters) master.fault = undefined;
    await expectDownload(direct, size);
  });
});

describe("a hung filer", () => {
  it("of two that proxy every chunk is left in the middle of a download, once in the isolate", async () => {
    await cluster.close();
    await start({ filers: 2 });
    const size = 12 * 1024 * KiB;
    putObject(cluster, "/o", { size });
    const source = sourceOf({ volumeAccess: "filer" });
    const [first] = cluster.filers;
    let hung = false;
    const { bytes } = await downloadKey(source, "o", {
      onProgress: (length) => {
        if (hung || length < size / 3) return;
        hung = true;
        hang(first);
      },
    });
    expect(hung).toBe(true);
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
    const asked = first?.seen.filter((seen) => seen.target.includes("proxyChunkId")).length;
    await expectDownload(source, size);
    expect(first?.seen.filter((seen) => seen.target.includes("proxyChunkId"))).toHaveLength(
      asked ?? -1,
    );
  }, 20_000);
});

describe("a connection that died while it was idle", () => {
  it.each(["filers", "masters"] as const)("is no fault of one of two %s", async (which) => {
    await cluster.close();
    await start({ filers: 2, masters: 2 });
    putObject(cluster, "/a", { size: 1000 });
    putObject(cluster, "/o", { size: 1000, firstVolume: 2 });
    const [first, second] = cluster[which];
    const source = sourceOf();
    await downloadKey(source, "a");
    let resets = 0;
    if (first !== undefined) first.fault = () => (resets++ === 0 ? { do: "reset" } : undefined);
    await expectDownload(source, 1000);
    expect(resets).toBe(2);
    expect(second?.seen).toHaveLength(0);
  });
});

describe("whoever is silent, and has nobody beside it", () => {
  const limits = { firstByteMs: 300 };

  async function failing(options: Partial<SeaweedfsOptions> = {}): Promise<void> {
    const reading = downloadKey(sourceOf(options), "o", { limits });
    await expect(reading).rejects.toMatchObject({ kind: "unavailable" });
  }

  beforeEach(async () => {
    await cluster.close();
    await start({ volumeServers: 1 });
    putObject(cluster, "/o", { size: 3_000, chunkBytes: 1_000, foldEvery: 3 });
  });

  it("is asked once before headers when it is the master", async () => {
    hang(cluster.masters[0]);
    await failing({ filerFallback: false });
    expect(cluster.masters[0]?.seen).toHaveLength(1);
  });

  it("is asked once before headers when it has the manifest", async () => {
    hang(cluster.volumes[0]);
    await failing({ filerFallback: false });
    expect(cluster.volume(0).seen).toHaveLength(1);
  });

  it("is asked once before headers when it has the chunk, and once through the filer", async () => {
    putObject(cluster, "/o", { size: 1_000 });
    hang(cluster.volumes[0]);
    await failing({ filerFallback: false });
    expect(cluster.volume(0).seen).toHaveLength(1);
    const [filer] = cluster.filers;
    if (filer !== undefined)
      filer.fault = ({ target }) => (target.includes("proxyChunkId") ? { do: "hang" } : undefined);
    await failing();
    const asked = filer?.seen.filter(({ target }) => target.includes("proxyChunkId"));
    expect(asked).toHaveLength(1);
  });

  it("is asked again when bytes have come before", async () => {
    putObject(cluster, "/o", { size: 3_000, chunkBytes: 1_000 });
    cluster.volume(0).fault = (_, times) => (times === 1 ? { do: "hang" } : undefined);
    const source = sourceOf({ filerFallback: false });
    const { bytes } = await downloadKey(source, "o", { limits: { ...limits, windowParts: 1 } });
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, 3_000))).toBe(0);
  });
});

describe("an answer that comes by drops", () => {
  /** So many bytes at once, with pauses on a clock of its own. */
  function drops(bytes: number, pauseMs: number, times: number): ReadableStream<Uint8Array> {
    let left = times;
    return new ReadableStream({
      pull(controller) {
        vi.advanceTimersByTime(pauseMs);
        if (left-- === 0) controller.close();
        else controller.enqueue(new Uint8Array(bytes));
      },
    });
  }

  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => void vi.useRealTimers());

  it("is given up after half a minute", async () => {
    const reading = readWhole(drops(1, 6_000, 1_000), { limitBytes: 2 ** 20 });
    await expect(reading).rejects.toMatchObject({ kind: "unavailable", silent: true });
  });

  it("is read on where it is only slow", async () => {
    const bytes = await readWhole(drops(2 ** 17, 6_000, 100), { limitBytes: 2 ** 25 });
    expect(bytes).toHaveLength(100 * 2 ** 17);
  });
});
