/** Masters and filers that accept and never answer, or reset a kept connection. A download goes around them. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
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

const KiB = 1024;
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

async function expectDownload(source: Source, size: number): Promise<number> {
  const before = performance.now();
  const { bytes } = await downloadKey(source, "o");
  expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
  return performance.now() - before;
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
      expect(await expectDownload(source, size)).toBeLessThan(masters * 3_000 + 1_000);
      const asked = cluster.masters.map((master) => master.seen.length);
      expect(await expectDownload(source, size)).toBeLessThan(1_000);
      expect(cluster.masters.map((master) => master.seen.length)).toEqual(asked);
    },
    20_000,
  );
});

describe("a hung filer", () => {
  it("of two that proxy every chunk is left in the middle of a download, once in the isolate", async () => {
    await cluster.close();
    await start({ filers: 2 });
    const size = 12 * 1024 * KiB;
    putObject(cluster, "/o", { size });
    const source = sourceOf({ volumeAccess: "filer" });
    const [first] = cluster.filers;
    const before = performance.now();
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
    expect(performance.now() - before).toBeLessThan(5_000);
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
