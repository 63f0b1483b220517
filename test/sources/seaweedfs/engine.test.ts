/** The source under the real engine: failover, change and loss, memory. Stored forms: stored-forms.test.ts. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Budget } from "../../../src/readahead/budget.ts";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import { customerKeyHeaders, putObject, sseKeyText } from "../../support/seaweedfs/objects.ts";
import { MiB } from "../../support/units.ts";
import { WatchedBudget } from "../../support/watched-budget.ts";

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start({ volumeServers: 2 });
});

afterEach(() => endCluster(cluster));

function sourceOf(options: Partial<SeaweedfsOptions> = {}): Source {
  return createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    sseKeySecret: sseKeyText,
    ...options,
  });
}

function expectRamp(bytes: Uint8Array, start: number, end: number): void {
  expect(Buffer.compare(bytes, contentBytes(ramp, start, end))).toBe(0);
}

describe("failover", () => {
  it("goes on when one of two replicas dies in the middle of the download", async () => {
    const size = 12 * MiB;
    putObject(cluster, "/o", { size });
    let killed = false;
    const { bytes, totals } = await downloadKey(sourceOf(), "o", {
      onProgress: async (length) => {
        if (killed || length < size / 3) return;
        killed = true;
        await cluster.volume(0).kill();
      },
    });
    expect(killed).toBe(true);
    expectRamp(bytes, 0, size);
    expect(totals.openAfterClose).toBe(0);
  });

  it("finds the only replica again when it has moved to another server", async () => {
    const size = 12 * MiB;
    putObject(cluster, "/o", { size });
    cluster.placement.set("1", [0]);
    let moved = false;
    const source = sourceOf({ filerFallback: false });
    const { bytes } = await downloadKey(source, "o", {
      onProgress: async (length) => {
        if (moved || length < size / 3) return;
        moved = true;
        cluster.placement.set("1", [1]);
        await cluster.volume(0).kill();
      },
    });
    expectRamp(bytes, 0, size);
    expect(cluster.volume(1).seen.length).toBeGreaterThan(0);
  });

  it("finds it again when the old server says 404", async () => {
    const size = 4 * MiB;
    putObject(cluster, "/o", { size });
    cluster.placement.set("1", [0]);
    const source = sourceOf({ filerFallback: false });
    await downloadKey(source, "o", { range: { start: 0, end: 10 } });
    cluster.placement.set("1", [1]);
    const { bytes } = await downloadKey(source, "o");
    expectRamp(bytes, 0, size);
  });

  it("looks a volume up once for all parts that wait for it", async () => {
    putObject(cluster, "/o", { size: 8 * MiB });
    await downloadKey(sourceOf(), "o");
    expect(cluster.masters[0]?.seen).toHaveLength(1);
  });

  it("repairs a stale lookup once for all parts that wait for it", async () => {
    const size = 8 * MiB;
    putObject(cluster, "/o", { size });
    cluster.believed.set("1", [0]);
    const source = sourceOf({ filerFallback: false });
    await downloadKey(source, "o", { range: { start: 0, end: 10 } });
    await cluster.volume(0).kill();
    cluster.believed.set("1", [1]);
    const before = cluster.masters[0]?.seen.length ?? 0;
    expectRamp((await downloadKey(source, "o")).bytes, 0, size);
    expect((cluster.masters[0]?.seen.length ?? 0) - before).toBe(1);
  });

  it("reads a ciphered chunk from the other replica where the first one's does not open", async () => {
    const size = 100_000;
    const { fids } = putObject(cluster, "/o", { size, form: "cipher" });
    const body = Buffer.from(cluster.needles.get(fids[0] ?? "")?.stored() ?? "");
    body[1000] = (body[1000] ?? 0) ^ 1;
    cluster.volume(0).fault = () => ({
      do: "reply",
      reply: { status: 200, headers: { ETag: '"0badcafe"' }, body },
    });
    // The first server first.
    const source = sourceOf({ random: () => 0.99, filerFallback: false });
    expectRamp((await downloadKey(source, "o")).bytes, 0, size);
    expect(cluster.volume(0).seen).toHaveLength(1);
  });

  it("leaves a hung replica after the first-byte deadline, once in the isolate", async () => {
    const size = 8 * MiB;
    putObject(cluster, "/o", { size });
    cluster.volume(0).fault = () => ({ do: "hang" });
    const source = sourceOf({ random: () => 0.99 });
    expectRamp((await downloadKey(source, "o")).bytes, 0, size);
    const asked = cluster.volume(0).seen.length;
    expect(asked).toBeGreaterThan(0);
    expectRamp((await downloadKey(source, "o")).bytes, 0, size);
    expect(cluster.volume(0).seen.length).toBe(asked);
  }, 20_000);

  it("asks the second filer and the second master when the first ones are dead or hung", async () => {
    await cluster.close();
    cluster = await FakeCluster.start({ filers: 2, masters: 2 });
    putObject(cluster, "/o", { size: 1000 });
    await cluster.filers[0]?.kill();
    const [hung] = cluster.masters;
    if (hung !== undefined) hung.fault = () => ({ do: "hang" });
    const source = sourceOf({
      filer: cluster.filers.map((server) => server.url),
      master: cluster.masters.map((server) => server.url),
    });
    expectRamp((await downloadKey(source, "o")).bytes, 0, 1000);
  });

  it("reads through the filer when no volume server can be reached", async () => {
    const size = 3 * MiB;
    putObject(cluster, "/o", { size });
    await Promise.all(cluster.volumes.map((server) => server.kill()));
    expectRamp((await downloadKey(sourceOf(), "o")).bytes, 0, size);
  });

  it("drops the error text at the end of a body that broke off", async () => {
    const size = 2 * MiB;
    putObject(cluster, "/o", { size, chunkBytes: size });
    let cuts = 0;
    for (const server of cluster.volumes)
      server.fault = () =>
        cuts++ === 0 ? { do: "cut", bytes: 100_000, text: "not found\n" } : undefined;
    const { bytes, totals } = await downloadKey(sourceOf(), "o");
    expectRamp(bytes, 0, size);
    expect(totals.retries).toBeGreaterThan(0);
  });

  it.each(["sse-c", "sse-s3"] as const)("resumes %s in the middle of a block", async (sse) => {
    const size = 2 * MiB + 5;
    putObject(cluster, "/o", { size, chunkBytes: size, sse });
    let breaks = 0;
    for (const server of cluster.volumes)
      server.fault = () => (breaks++ < 3 ? { do: "break", bytes: 100_003 } : undefined);
    const { bytes } = await downloadKey(sourceOf(), "o", { clientKeys: customerKeyHeaders });
    expectRamp(bytes, 0, size);
  });

  it.each([429, 503])(
    "asks the other replica when one says %i, and the busy one after it for as long as it said",
    async (status) => {
      const headers = { "Retry-After": "20" };
      cluster.volume(0).fault = () => ({ do: "reply", reply: { status, headers } });
      const source = sourceOf();
      for (let download = 0; download < 12; download++) {
        putObject(cluster, `/o${download}`, { size: 1000 });
        expectRamp((await downloadKey(source, `o${download}`)).bytes, 0, 1000);
      }
      expect(cluster.volume(0).seen.length).toBeLessThanOrEqual(1);
    },
  );

  it("waits for the only replica that is busy, and does not go there through the filer", async () => {
    cluster.placement.set("1", [0]);
    putObject(cluster, "/o", { size: 1000 });
    const headers = { "Retry-After": "1" };
    cluster.volume(0).fault = (_, times) =>
      times === 0 ? { do: "reply", reply: { status: 429, headers } } : undefined;
    const before = performance.now();
    expectRamp((await downloadKey(sourceOf(), "o")).bytes, 0, 1000);
    expect(performance.now() - before).toBeGreaterThan(950);
    const asked = cluster.filers.flatMap((filer) => filer.seen.map(({ target }) => target));
    expect(asked.filter((target) => target.includes("proxyChunkId"))).toEqual([]);
  });

  it("waits as long as a 429 says, and goes on", async () => {
    putObject(cluster, "/o", { size: 1000 });
    for (const server of cluster.volumes)
      server.fault = (_, times) =>
        times === 0
          ? { do: "reply", reply: { status: 429, headers: { "Retry-After": "1" } } }
          : undefined;
    const before = performance.now();
    expectRamp((await downloadKey(sourceOf(), "o")).bytes, 0, 1000);
    expect(performance.now() - before).toBeGreaterThan(950);
  });
});

describe("change and loss", () => {
  it("fails before headers with lost when no server has a chunk of the same list", async () => {
    const { fids } = putObject(cluster, "/o", { size: 3 * MiB });
    cluster.needles.delete(fids[0] ?? "");
    await expect(downloadKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "lost" });
  });

  it("fails with changed when the object was overwritten and its old chunks are gone", async () => {
    const size = 12 * MiB;
    putObject(cluster, "/o", { size });
    let overwritten = false;
    const reading = downloadKey(sourceOf(), "o", {
      limits: { windowParts: 1 },
      onProgress: (length) => {
        if (overwritten || length < size / 3) return;
        overwritten = true;
        putObject(cluster, "/o", { size, content: (start, end) => Buffer.alloc(end - start, 7) });
      },
    });
    await expect(reading).rejects.toMatchObject({ kind: "changed" });
  });

  it("finishes as the old version while its chunks can still be read", async () => {
    const size = 6 * MiB;
    const { fids } = putObject(cluster, "/o", { size });
    const old = fids.map((fid) => [fid, cluster.needles.get(fid)] as const);
    const { bytes } = await downloadKey(sourceOf(), "o", {
      limits: { windowParts: 1 },
      onProgress: () => {
        putObject(cluster, "/o", { size, content: (start, end) => Buffer.alloc(end - start, 7) });
        for (const [fid, needle] of old)
          if (needle !== undefined) cluster.needles.set(fid, { ...needle, deleted: true });
      },
    });
    expectRamp(bytes, 0, size);
  });

  it("says that a volume nobody knows is unavailable", async () => {
    putObject(cluster, "/o", { size: 1000 });
    cluster.unknownVolumes.add("1");
    await expect(downloadKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "unavailable" });
  });

  it("refuses a needle shorter than its chunk, and reads a longer one to the chunk's end", async () => {
    const { fids } = putObject(cluster, "/o", { size: 1000 });
    const short = Buffer.from(contentBytes(ramp, 0, 990));
    cluster.needles.set(fids[0] ?? "", { stored: () => short });
    await expect(downloadKey(sourceOf(), "o", { limits: { attempts: 2 } })).rejects.toMatchObject({
      kind: "protocol",
    });
    const long = Buffer.from(contentBytes(ramp, 0, 1500));
    cluster.needles.set(fids[0] ?? "", { stored: () => long });
    expectRamp((await downloadKey(sourceOf(), "o")).bytes, 0, 1000);
  });
});

describe("round trips to the first byte", () => {
  it("are three when cold, two with the volume known, one with the metadata known", async () => {
    putObject(cluster, "/a", { size: 64 * MiB, chunkBytes: 4 * MiB });
    putObject(cluster, "/b", { size: 64 * MiB, chunkBytes: 4 * MiB });
    const source = sourceOf();
    const asked = async (key: string) => {
      const before = cluster.requests;
      await downloadKey(source, key, { range: { start: 0, end: 1000 } });
      return cluster.requests - before;
    };
    expect(await asked("a")).toBe(3);
    expect(await asked("b")).toBe(2);
    expect(await asked("a")).toBe(1);
  });
});

describe("memory of whole-chunk decoding", () => {
  it("40 downloads of ciphered 8 MiB chunks share 32 MiB, and all complete", async () => {
    const size = 16 * MiB;
    putObject(cluster, "/o", { size, chunkBytes: 8 * MiB, form: "cipher" });
    const budget = new WatchedBudget(32 * MiB, 96);
    const source = sourceOf();
    const expected = contentBytes(ramp, 0, size);
    let unfinished = 40;
    let afterHeaders = 0;
    // Twice the chunk is what a running download has reserved.
    const running = () => budget.held / (16 * MiB);
    let aloneSince: number | undefined;
    let longestAlone = 0;
    const look = () => {
      const now = performance.now();
      // The last one runs alone, of course.
      const alone = afterHeaders > 0 && unfinished > 1 && running() < 2;
      if (alone) longestAlone = Math.max(longestAlone, now - (aloneSince ??= now));
      else aloneSince = undefined;
    };
    const clock = setInterval(look, 5);
    const one = async () => {
      const { bytes } = await downloadKey(source, "o", {
        budget,
        onProgress: () => {
          afterHeaders += 1;
          look();
        },
      }).finally(() => {
        unfinished -= 1;
      });
      return Buffer.compare(bytes, expected) === 0;
    };
    const began = performance.now();
    const results = await Promise.all(Array.from({ length: 40 }, one)).finally(() =>
      clearInterval(clock),
    );
    expect(results.every(Boolean)).toBe(true);
    expect(afterHeaders).toBeGreaterThan(40);
    expect(performance.now() - began).toBeLessThan(60_000);
    expect(budget.mostHeld).toBe(32 * MiB);
    expect(budget.held).toBe(0);
    // A place that falls free is taken when the next waiting timer fires, after 1.5 s at the latest: never by a promise
    // of another request. Beyond that handover two run at any time.
    expect(longestAlone).toBeLessThan(1_600);
  }, 90_000);

  it("needs none for a large chunk outside of what is asked for", async () => {
    putObject(cluster, "/o", { size: 6 * MiB, chunkBytes: 5 * MiB, form: "cipher" });
    const source = sourceOf();
    const read = (start: number, end: number) =>
      downloadKey(source, "o", { range: { start, end }, budget: new WatchedBudget(4 * MiB, 96) });
    expectRamp((await read(5 * MiB, 6 * MiB)).bytes, 5 * MiB, 6 * MiB);
    await expect(read(5 * MiB - 1, 6 * MiB)).rejects.toMatchObject({ kind: "unsupported" });
  });

  it("refuses a chunk that cannot fit, before headers", async () => {
    putObject(cluster, "/o", { size: 9 * MiB, chunkBytes: 9 * MiB, form: "cipher" });
    const budget = new Budget(16 * MiB, 96);
    await expect(downloadKey(sourceOf(), "o", { budget })).rejects.toMatchObject({
      kind: "unsupported",
    });
  });
});
