/** The SeaweedFS source with workerd's own fetch, streams and WebCrypto, under the engine. */
import { describe, expect, inject, it } from "vitest";
import { createSeaweedfsSource } from "../../src/sources/seaweedfs/source.ts";
import { contentBytes, firstDifference, ramp } from "../support/object-bytes.ts";
import { createTestDownload } from "../support/permits.ts";
import { downloadKey } from "../support/seaweedfs/download-object.ts";
import type {} from "../support/seaweedfs/provided.ts";

const { filerUrl, masterUrl, size, keys, clientKeys } = inject("seaweedfs");

function sourceOf() {
  return createSeaweedfsSource({ filer: filerUrl, master: masterUrl, root: "/workers" });
}

describe("createSeaweedfsSource in workerd", () => {
  it.each(keys)("reads the whole of an object stored as %s", async (key) => {
    const { bytes, totals } = await downloadKey(sourceOf(), key, { clientKeys });
    expect(firstDifference(bytes, contentBytes(ramp, 0, size))).toBe(-1);
    expect(totals).toMatchObject({ retries: 0, openAfterClose: 0 });
  });

  it.each(keys)("reads ranges of an object stored as %s", async (key) => {
    const source = sourceOf();
    for (const [start, end] of [
      [0, 1],
      [size - 1, size],
      // Across a border of chunks, and from the middle of a cipher block.
      [699_999, 700_003],
      [123_457, 2_222_221],
    ] as const) {
      const { bytes } = await downloadKey(source, key, { clientKeys, range: { start, end } });
      expect(firstDifference(bytes, contentBytes(ramp, start, end))).toBe(-1);
    }
  });

  it("refuses an encrypted object without its key before the first byte", async () => {
    await expect(downloadKey(sourceOf(), "sse-c")).rejects.toMatchObject({ kind: "key-missing" });
  });

  it("lists what is there", async () => {
    const page = await sourceOf().list?.("", { ...createTestDownload(), limit: 1000 });
    expect(page?.entries.map((entry) => entry.key)).toEqual([...keys].toSorted());
    expect(page?.entries.every((entry) => entry.size === size)).toBe(true);
  });
});
