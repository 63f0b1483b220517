/** Encrypted bytes that the entry hides or that only the filer can fetch: refused before a byte, never served as they lie. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { customerKeyHeaders, putObject, sseKeyText } from "../../support/seaweedfs/objects.ts";

let cluster: FakeCluster;
let source: Source;

beforeEach(async () => {
  cluster = await FakeCluster.start();
  source = createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    sseKeySecret: sseKeyText,
    metadataTtlMs: 0,
  });
});
afterEach(() => cluster.close());

/** Changes fields of an entry's metadata. */
function editEntry(path: string, edit: (fields: Record<string, unknown>) => void): void {
  const entry = cluster.entries.get(path);
  if (entry === undefined) throw new Error(`There is nothing at ${path}`);
  const fields = JSON.parse(entry.metadata) as Record<string, unknown>;
  edit(fields);
  cluster.entries.set(path, { ...entry, metadata: JSON.stringify(fields) });
}

describe("an encrypted object of a remote storage", () => {
  it.each(["sse-c", "sse-s3"] as const)("with %s is refused, not fetched", async (sse) => {
    const ciphertext = Buffer.alloc(1000, 7);
    putObject(cluster, "/o", { size: 1000, sse });
    editEntry("/o", (fields) => {
      fields["chunks"] = [];
      fields["Remote"] = { remote_e_tag: "t", remote_size: 1000 };
    });
    const entry = cluster.entries.get("/o");
    if (entry !== undefined) cluster.entries.set("/o", { ...entry, content: ciphertext });
    const reading = downloadKey(source, "o", { clientKeys: customerKeyHeaders });
    await expect(reading).rejects.toMatchObject({ kind: "unsupported" });
    expect(cluster.filers[0]?.seen).toHaveLength(1);
  });
});

describe("encrypted chunks in a manifest", () => {
  it.each(["sse-c", "sse-s3"] as const)(
    "with %s are refused where the entry does not say so",
    async (sse) => {
      putObject(cluster, "/o", { size: 3000, chunkBytes: 1000, sse, foldEvery: 3 });
      editEntry("/o", (fields) => {
        fields["Extended"] = null;
      });
      const reading = downloadKey(source, "o", { clientKeys: customerKeyHeaders });
      await expect(reading).rejects.toMatchObject({ kind: "unsupported" });
    },
  );

  it("are read where it does", async () => {
    putObject(cluster, "/o", { size: 3000, chunkBytes: 1000, sse: "sse-c", foldEvery: 3 });
    editEntry("/o", (fields) => {
      fields["Extended"] = {
        ...(fields["Extended"] as Record<string, string>),
        "x-seaweedfs-sse-c-iv": Buffer.alloc(16).toString("base64"),
      };
    });
    const { bytes } = await downloadKey(source, "o", { clientKeys: customerKeyHeaders });
    expect(bytes.every((byte, index) => byte === index % 251)).toBe(true);
  });
});
