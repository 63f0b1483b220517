/** One chunk list in memory for everybody who reads it, and none when nobody does. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Chunk } from "../../../src/sources/seaweedfs/chunk.ts";
import { SharedLists } from "../../../src/sources/seaweedfs/shared-lists.ts";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { createTestDownload } from "../../support/permits.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import { type FakeObjectOptions, putObject } from "../../support/seaweedfs/objects.ts";

function listOf(length: number, more: Partial<Chunk> = {}): Chunk[] {
  return Array.from({ length }, (_, index) => ({
    fid: `1,0${index.toString(16).padStart(3, "0")}00000001`,
    volume: 1,
    offset: index * 10,
    size: 10,
    timestamp: 1_790_000_000_000_000_000n,
    compressed: false,
    manifest: false,
    sse: "none",
    etag: "",
    ...(index === length - 1 ? more : {}),
  }));
}

describe("SharedLists", () => {
  it("gives everybody the list that was first", () => {
    const lists = new SharedLists();
    const first = listOf(20, { cipherKey: new Uint8Array(32) });
    expect(lists.share("/o", first)).toBe(first);
    expect(lists.share("/o", listOf(20, { cipherKey: new Uint8Array(32) }))).toBe(first);
  });

  it.each<[string, Partial<Chunk>]>([
    ["id", { fid: "1,0100000002" }],
    ["volume", { volume: 2 }],
    ["offset", { offset: 191 }],
    ["size", { size: 9 }],
    ["time, by a nanosecond", { timestamp: 1_790_000_000_000_000_001n }],
    ["cipher key", { cipherKey: new Uint8Array(32).fill(1) }],
    ["compression", { compressed: true }],
    ["kind", { manifest: true }],
    ["encryption", { sse: "sse-c" }],
    ["record", { sseMetadata: "{}" }],
    ["MD5", { etag: "x" }],
  ])("leaves a list its own whose last chunk has another %s", (_what, more) => {
    const lists = new SharedLists();
    lists.share("/o", listOf(20, { cipherKey: new Uint8Array(32) }));
    const other = listOf(20, { cipherKey: new Uint8Array(32), ...more });
    expect(lists.share("/o", other)).toBe(other);
  });

  it("leaves a list its own that goes on", () => {
    const lists = new SharedLists();
    const first = listOf(21);
    lists.share("/o", first.slice(0, 20));
    expect(lists.share("/o", first)).toBe(first);
  });

  it("forgets the name that was longest not brought, beyond a thousand", () => {
    const lists = new SharedLists();
    const [old, used] = [listOf(16), listOf(16)];
    lists.share("/old", old);
    lists.share("/used", used);
    const others = Array.from({ length: 999 }, () => listOf(16));
    for (const [index, list] of others.entries()) {
      lists.share(`/${index}`, list);
      lists.share("/used", used);
    }
    expect(lists.share("/used", listOf(16))).toBe(used);
    expect(lists.share("/old", listOf(16))).not.toBe(old);
  });

  it("keeps no list alive", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const lists = new SharedLists();
    const seen = new WeakRef(lists.share("/o", listOf(20)));
    // What a turn has seen through a weak reference lives as long as the turn.
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
    expect(seen.deref()).toBeUndefined();
  });

  it("shares nothing where the platform has no weak references", () => {
    vi.stubGlobal("WeakRef", undefined);
    try {
      const lists = new SharedLists();
      lists.share("/o", listOf(20));
      const other = listOf(20);
      expect(lists.share("/o", other)).toBe(other);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe("downloads of one object", () => {
  let cluster: FakeCluster;
  let source: Source;
  const size = 20_000;

  beforeEach(async () => {
    cluster = await FakeCluster.start();
    source = createSeaweedfsSource({
      filer: cluster.filerUrl,
      master: cluster.masterUrl,
      metadataTtlMs: 0,
    });
  });
  afterEach(() => endCluster(cluster));

  const put = (options: Partial<FakeObjectOptions> = {}) =>
    putObject(cluster, "/o", { size, chunkBytes: 1000, ...options });

  /** The chunks that a download of its own reads. */
  async function chunksOf(): Promise<unknown[]> {
    const download = createTestDownload();
    const object = await source.open("o", { ...download, want: { start: 0, end: size } });
    const chunks: unknown[] = [];
    for await (const piece of object.pieces?.({ start: 0, end: size }, download) ?? [])
      chunks.push(Reflect.get(piece, "chunk"));
    return chunks;
  }

  it.each([{}, { foldEvery: 20 }])(
    "hold one list, which each has read by itself: %j",
    async (more) => {
      put(more);
      const [first, second] = await Promise.all([chunksOf(), chunksOf()]);
      const third = await chunksOf();
      expect(cluster.filers[0]?.seen).toHaveLength(3);
      expect(first).toHaveLength(20);
      for (const [index, chunk] of first.entries()) {
        expect(second[index]).toBe(chunk);
        expect(third[index]).toBe(chunk);
      }
    },
  );

  it("hold the list of their version", async () => {
    put();
    const before = await chunksOf();
    put();
    const after = await chunksOf();
    expect(after).toHaveLength(20);
    expect(after[0]).not.toEqual(before[0]);
  });
});
