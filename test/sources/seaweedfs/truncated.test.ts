/** Objects that a FUSE mount has truncated: the chunks at the top of the list are shorter than their needles. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Budget } from "../../../src/readahead/budget.ts";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import {
  customerKeyHeaders,
  type FakeObjectOptions,
  putObject,
} from "../../support/seaweedfs/objects.ts";
import { KiB } from "../../support/units.ts";
import { WatchedBudget } from "../../support/watched-budget.ts";

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start();
});
afterEach(() => endCluster(cluster));

interface Metadata {
  readonly chunks: readonly { readonly offset?: number; readonly size: number }[];
}

/** As `SetAttr` of the mount does it: nothing is rewritten. */
function truncate(path: string, size: number): void {
  const { chunks, ...entry } = JSON.parse(cluster.entries.get(path)?.metadata ?? "") as Metadata;
  const kept = chunks
    .filter(({ offset = 0 }) => offset < size)
    .map((chunk) => ({ ...chunk, size: Math.min(chunk.size, size - (chunk.offset ?? 0)) }));
  const metadata = JSON.stringify({ ...entry, FileSize: size, chunks: kept });
  cluster.entries.set(path, { metadata });
}

function sourceOf(verify: boolean) {
  return createSeaweedfsSource({ filer: cluster.filerUrl, master: cluster.masterUrl, verify });
}

describe("a truncated object", () => {
  const shapes: Record<string, Partial<FakeObjectOptions>> = {
    plain: {},
    gzip: { form: "gzip" },
    "gzip without saying so": { form: "hidden-gzip" },
    cipher: { form: "cipher" },
    "cipher over gzip": { form: "cipher-gzip" },
    "SSE-C": { sse: "sse-c" },
    "cipher over SSE-C": { form: "cipher", sse: "sse-c" },
    folded: { foldEvery: 5 },
    "folded cipher over gzip": { form: "cipher-gzip", foldEvery: 5 },
  };

  describe.each([false, true])("with verify = %s", (verify) => {
    it.each(Object.entries(shapes))("stored as %s is read to its end", async (_, shape) => {
      putObject(cluster, "/o", { size: 500 * KiB, chunkBytes: 100 * KiB, ...shape });
      const size = 230 * KiB + 7;
      truncate("/o", size);
      const budget = new WatchedBudget(1024 * KiB, 96);
      const clientKeys = customerKeyHeaders;
      const source = sourceOf(verify);
      for (const [start, end] of [
        [0, size],
        [size - 5, size],
        [150 * KiB, 220 * KiB],
      ] as const) {
        const options = { clientKeys, budget, range: { start, end } };
        const { bytes } = await downloadKey(source, "o", options);
        expect(Buffer.compare(bytes, contentBytes(ramp, start, end))).toBe(0);
      }
      expect(budget.held).toBe(0);
    });
  });

  it.each([11, 0])("stored within its entry is read to its end at %i", async (size) => {
    const content = Buffer.from("public part|cut off");
    putObject(cluster, "/o", { size: 0 });
    const stored = JSON.parse(cluster.entries.get("/o")?.metadata ?? "") as object;
    const metadata = { ...stored, FileSize: size, Content: content.toString("base64") };
    cluster.entries.set("/o", { metadata: JSON.stringify(metadata) });
    const { bytes } = await downloadKey(sourceOf(false), "o");
    expect(Buffer.from(bytes).toString()).toBe(content.subarray(0, size).toString());
  });

  it("is refused while no memory is free for the whole of its last needle", async () => {
    putObject(cluster, "/o", { size: 500 * KiB, chunkBytes: 500 * KiB, form: "cipher" });
    truncate("/o", 100 * KiB);
    const budget = new Budget(900 * KiB, 96);
    await expect(downloadKey(sourceOf(false), "o", { budget })).rejects.toMatchObject({
      kind: "overloaded",
    });
    expect(budget.held).toBe(0);
    const { bytes } = await downloadKey(sourceOf(false), "o", {
      budget: new Budget(1001 * KiB, 96),
    });
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, 100 * KiB))).toBe(0);
  });
});
