/** Which manifests a walk reads, how often, and which one is read to learn of the others. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Chunk } from "../../../src/sources/seaweedfs/chunk.ts";
import { ChunkList } from "../../../src/sources/seaweedfs/chunk-list.ts";
import { createTestDownload } from "../../support/permits.ts";

const context = createTestDownload();
/** Names of the manifests read, in order. */
let read: string[];

beforeEach(() => {
  read = [];
});

function chunk(fid: string, offset: number, size: number, manifest = false): Chunk {
  return { fid, volume: 1, offset, size, timestamp: 1n, manifest } as Chunk;
}

/** A list of manifests, each of which lists one chunk of its whole span unless said otherwise. */
function listOf(
  top: readonly (readonly [fid: string, offset: number, size: number])[],
  children: Readonly<Record<string, readonly Chunk[]>> = {},
): ChunkList {
  return new ChunkList(
    top.map(([fid, offset, size]) => chunk(fid, offset, size, true)),
    async ({ fid, offset, size }) => {
      read.push(fid);
      return [...(children[fid] ?? [chunk(`of ${fid}`, offset, size)])];
    },
  );
}

async function walk(list: ChunkList, start: number, end: number): Promise<void> {
  for await (const _ of list.windows({ start, end }, context));
}

describe("a walk", () => {
  it("reads a manifest once, however many lie over it and begin within it", async () => {
    const over = ["a", "b", "c", "d", "e"].map((fid) => [fid, 0, 1_000] as const);
    await walk(listOf([...over, ["f", 300, 100], ["g", 600, 100]]), 0, 1_000);
    expect(read).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
  });

  it("leaves the last three of the largest for the next one, and no more", async () => {
    const fids = ["a", "b", "c", "d", "e"];
    const tiny = (at: number) => Array.from({ length: 10_000 }, () => chunk("tiny", at * 100, 1));
    const children = Object.fromEntries(fids.map((fid, at) => [fid, tiny(at)]));
    const list = listOf(
      fids.map((fid, at) => [fid, at * 100, 100]),
      children,
    );
    await walk(list, 0, 500);
    read = [];
    await walk(list, 200, 500);
    expect(read).toEqual([]);
    await walk(list, 100, 200);
    expect(read).toEqual(["b"]);
  });

  it("reads a manifest that is listed with another span again: its span is checked as it is read", async () => {
    await walk(
      listOf([
        ["m", 0, 10],
        ["m", 10, 10],
        ["m", 10, 10],
      ]),
      0,
      20,
    );
    expect(read).toEqual(["m", "m"]);
  });

  it.each([
    [8, true],
    [9, false],
  ])("through manifests nested %i deep comes to an end: %s", async (depth, ends) => {
    const children: Record<string, Chunk[]> = {};
    for (let level = 1; level < depth; level++)
      children[`${level}`] = [chunk(`${level + 1}`, 0, 100, true)];
    const walking = walk(listOf([["1", 0, 100]], children), 0, 100);
    if (ends) await walking;
    else await expect(walking).rejects.toMatchObject({ kind: "protocol" });
    expect(read).toHaveLength(8);
  });
});

describe("a manifest", () => {
  it.each([
    ["chunks before it", chunk("x", 0, 101)],
    ["itself", chunk("m", 100, 100, true)],
  ])("that lists %s is refused", async (_, child) => {
    const walking = walk(listOf([["m", 100, 100]], { m: [child] }), 100, 200);
    await expect(walking).rejects.toMatchObject({ kind: "protocol" });
    expect(read).toEqual(["m"]);
  });
});

describe("what is not known of a list", () => {
  const none = () => [];

  it("is learned from the first manifest of the range, where it could be over a twentieth of what is left", async () => {
    const create = () =>
      listOf([
        ["late", 10_000, 10_000],
        ["early", 0, 10_000],
      ]);
    const list = create();
    // 16 chunks, as many lookups, and the manifest itself.
    await list.requestCount({ start: 0, end: 15 }, 800, none, context);
    expect(read).toEqual([]);
    await list.requestCount({ start: 10_000, end: 10_020 }, 800, none, context);
    expect(read).toEqual(["late"]);
    await list.requestCount({ start: 9_000, end: 11_000 }, 800, none, context);
    expect(read).toEqual(["late"]);
    read = [];
    await create().requestCount({ start: 9_980, end: 10_020 }, 800, none, context);
    expect(read).toEqual(["early"]);
  });
});
