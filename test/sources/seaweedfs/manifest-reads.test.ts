/** Manifests are read from whichever replica has them whole: hung, damaged and refusing ones are gone around. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isSuspect } from "../../../src/readahead/suspects.ts";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster, type Fault } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import type { SeenRequest } from "../../support/seaweedfs/http-server.ts";
import { encodeManifest } from "../../support/seaweedfs/manifest-bytes.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { MiB } from "../../support/units.ts";

const size = 3_000;
let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start({ volumeServers: 2 });
});
afterEach(() => endCluster(cluster));

/** Asks the first server first: the order of equals is not shuffled. */
function sourceOf(options: Partial<SeaweedfsOptions> = {}): Source {
  return createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    random: () => 0.99,
    filerFallback: false,
    ...options,
  });
}

/** A folded object; faults of the first server for its manifest alone. */
function putFolded(key: string, fault?: (seen: SeenRequest, times: number) => Fault | undefined) {
  const { fids } = putObject(cluster, `/${key}`, { size, chunkBytes: 1_000, foldEvery: 3 });
  const manifest = fids.at(-1) ?? "";
  let times = 0;
  if (fault !== undefined)
    cluster.volume(0).fault = (seen) =>
      seen.target.includes(manifest) ? fault(seen, times++) : undefined;
}

function manifestOf(key: string): string {
  const metadata = cluster.entries.get(`/${key}`)?.metadata ?? "";
  return /"file_id":"([^"]+)"/.exec(metadata)?.[1] ?? "";
}

async function expectReadable(source: Source, key: string): Promise<void> {
  const { bytes } = await downloadKey(source, key);
  expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
}

describe("a manifest", () => {
  it("on a hung replica is read from the other, which every later read then asks first", async () => {
    const source = sourceOf();
    putFolded("a");
    putFolded("b");
    cluster.volume(0).fault = () => ({ do: "hang" });
    await expectReadable(source, "a");
    expect(cluster.volume(0).seen).toHaveLength(1);
    await expectReadable(source, "b");
    expect(cluster.volume(0).seen).toHaveLength(1);
  }, 20_000);

  it("is asked for again where a kept connection was reset, before the replica is left", async () => {
    putFolded("o", (_, times) => (times === 0 ? { do: "reset" } : undefined));
    await expectReadable(sourceOf(), "o");
    expect(cluster.volume(1).seen).toHaveLength(0);
  });

  it.each<[string, Fault]>([
    ["damaged", { do: "reply", reply: { status: 200, body: "\u000a\u00ffnonsense" } }],
    ["cut off", { do: "cut", bytes: 10 }],
    ["empty", { do: "reply", reply: { status: 200 } }],
    ["never written", { do: "reply", reply: { status: 200, body: "\0".repeat(90) } }],
    ["with a status that cannot be", { do: "reply", reply: { status: 204 } }],
    ["refused", { do: "reply", reply: { status: 401 } }],
  ])("that is %s by one replica is read from the other", async (_what, fault) => {
    putFolded("o", () => fault);
    await expectReadable(sourceOf(), "o");
    if (fault.do === "reply") expect(isSuspect(cluster.volume(0).host)).toBe(false);
  });

  it.each([1, 2])("that lost %i of its three chunks is never a hole", async (lost) => {
    const blobOf = (key: string, from: number, to: number) => {
      const { fids } = putObject(cluster, `/${key}`, { size, chunkBytes: 1_000, foldEvery: 3 });
      const needle = cluster.needles.get(fids.at(-1) ?? "");
      const messages: Buffer[] = [];
      for (let rest = needle?.stored() ?? Buffer.alloc(0); rest.length > 0; ) {
        const bytes = 2 + (rest[1] ?? 0);
        messages.push(rest.subarray(0, bytes));
        rest = rest.subarray(bytes);
      }
      return { status: 200, body: Buffer.concat(messages.slice(from, to)) };
    };
    for (const [key, reply] of [
      ["end", blobOf("end", 0, 3 - lost)],
      ["start", blobOf("start", lost, 3)],
    ] as const) {
      cluster.volume(0).fault = (seen) =>
        seen.target.includes(manifestOf(key)) ? { do: "reply", reply } : undefined;
      await expectReadable(sourceOf(), key);
      cluster.placement.set("1", [0]);
      await expect(downloadKey(sourceOf(), key)).rejects.toMatchObject({ kind: "protocol" });
      cluster.placement.delete("1");
    }
  });

  it("that is refused once is asked for with another token", async () => {
    cluster.placement.set("1", [0]);
    putFolded("o", (_, times) =>
      times === 0 ? { do: "reply", reply: { status: 401 } } : undefined,
    );
    await expectReadable(sourceOf(), "o");
    expect(cluster.masters[0]?.seen.length).toBe(2);
  });

  it("that every replica has damaged is an error, and asked for a few times only", async () => {
    putFolded("o");
    const reply = { status: 200, body: "\u000a\u00ffnonsense" };
    for (const server of cluster.volumes) server.fault = () => ({ do: "reply", reply });
    await expect(downloadKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "protocol" });
    const reads = cluster.volumes.flatMap((server) => server.seen);
    expect(reads).toHaveLength(6);
    expect(cluster.masters[0]?.seen).toHaveLength(2);
  });

  it("of more than 16 MiB is refused, and asked for once", async () => {
    putFolded("o");
    const blob = Buffer.alloc(17 * MiB);
    cluster.needles.set(manifestOf("o"), { stored: () => blob });
    await expect(downloadKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "unsupported" });
    expect(cluster.volumes.flatMap((server) => server.seen)).toHaveLength(1);
  });

  it("that lists itself is a fault of the store, and asked for once", async () => {
    const { fids } = putObject(cluster, "/o", { size, chunkBytes: 1_000, foldEvery: 3 });
    const fid = fids.at(-1) ?? "";
    const [volume = "", rest = ""] = fid.split(",");
    const own = {
      fid,
      volume: Number(volume),
      key: BigInt(`0x${rest.slice(0, -8)}`),
      cookie: Number.parseInt(rest.slice(-8), 16),
      offset: 0,
      size,
      timestamp: 1n,
      manifest: true,
    };
    const blob = encodeManifest([own]);
    cluster.needles.set(fid, { stored: () => blob });
    await expect(downloadKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "protocol" });
    expect(cluster.volumes.flatMap((server) => server.seen)).toHaveLength(1);
  });
});
