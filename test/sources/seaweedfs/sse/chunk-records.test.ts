/** What a chunk's own record says of its key and counter is checked before that chunk is served: at once, or in the middle. */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SeaweedfsOptions } from "../../../../src/sources/seaweedfs/source.ts";
import { FakeCluster } from "../../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../../support/seaweedfs/end-cluster.ts";
import { customerKeyHeaders, putObject } from "../../../support/seaweedfs/objects.ts";
import { sourceWithKeys } from "../../../support/seaweedfs/source-with-keys.ts";

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start();
});
afterEach(() => endCluster(cluster));

/** Puts an object of three chunks, and changes the record of one of them. */
function putChanged(
  sse: "sse-c" | "sse-s3" | "sse-kms",
  chunk: number,
  change: Readonly<Record<string, unknown>>,
): void {
  putObject(cluster, "/o", { size: 3000, chunkBytes: 1000, sse });
  const entry = cluster.entries.get("/o");
  if (entry === undefined) throw new Error("There is no object");
  let seen = 0;
  const metadata = entry.metadata.replaceAll(
    /"sse_metadata":"([^"]+)"/g,
    (whole, record: string) => {
      seen += 1;
      if (seen !== chunk) return whole;
      const fields = JSON.parse(Buffer.from(record, "base64").toString()) as object;
      const changed = JSON.stringify({ ...fields, ...change });
      return `"sse_metadata":"${Buffer.from(changed).toString("base64")}"`;
    },
  );
  expect(seen).toBe(3);
  cluster.entries.set("/o", { ...entry, metadata });
}

function read(options: Partial<SeaweedfsOptions> = {}) {
  return downloadKey(sourceWithKeys(cluster, options), "o", { clientKeys: customerKeyHeaders });
}

const otherIv = createHash("md5").update("another counter").digest("base64");

describe.each(["sse-s3", "sse-kms"] as const)("a chunk under %s", (sse) => {
  it.each([1, 3])(
    "whose counter is not the one that its key is committed to is refused: chunk %i",
    async (chunk) => {
      putChanged(sse, chunk, { iv: otherIv });
      await expect(read()).rejects.toMatchObject({ kind: "key-wrong" });
    },
  );

  it.each([1, 3])(
    "without a commitment is refused where the mount requires one: chunk %i",
    async (chunk) => {
      putChanged(sse, chunk, { keyCommitment: undefined });
      expect((await read()).bytes).toHaveLength(3000);
      const reading = read({ requireKeyCommitment: true });
      await expect(reading).rejects.toMatchObject({ kind: "key-wrong" });
    },
  );

  it("with its commitment is read where the mount requires one", async () => {
    putChanged(sse, 1, {});
    expect((await read({ requireKeyCommitment: true })).bytes).toHaveLength(3000);
  });
});

it.each([1, 3])(
  "a chunk under another client's key than its object's is refused: chunk %i",
  async (chunk) => {
    const keyMD5 = createHash("md5").update("another key").digest("base64");
    putChanged("sse-c", chunk, { keyMD5 });
    await expect(read()).rejects.toMatchObject({ kind: "key-wrong" });
  },
);
