/** Objects of every stored form through the real engine, whole and in part: what lies in the cluster comes out clear. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SeaweedfsOptions } from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import { createKeyServices } from "../../support/seaweedfs/key-services.ts";
import { customerKeyHeaders, putObject } from "../../support/seaweedfs/objects.ts";
import { readKey } from "../../support/seaweedfs/read-object.ts";
import { sourceWithKeys } from "../../support/seaweedfs/source-with-keys.ts";
import { MiB } from "../../support/units.ts";

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start({ volumeServers: 2 });
});

afterEach(() => endCluster(cluster));

function sourceOf(options: Partial<SeaweedfsOptions> = {}): Source {
  return sourceWithKeys(cluster, options);
}

function expectRamp(bytes: Uint8Array, start: number, end: number): void {
  expect(Buffer.compare(bytes, contentBytes(ramp, start, end))).toBe(0);
}

describe("a download of every stored form", () => {
  const shapes = {
    plain: {},
    "many volumes": { volumes: 5 },
    folded: { foldEvery: 3 },
    gzip: { form: "gzip" },
    "gzip without saying so": { form: "hidden-gzip" },
    cipher: { form: "cipher" },
    "cipher over gzip": { form: "cipher-gzip" },
    "SSE-C": { sse: "sse-c" },
    "SSE-S3": { sse: "sse-s3" },
    "cipher over SSE-C": { form: "cipher", sse: "sse-c" },
    "cipher over gzip over SSE-S3": { form: "cipher-gzip", sse: "sse-s3" },
    "gzip over SSE-S3": { form: "gzip", sse: "sse-s3" },
    "SSE-C in S3 parts": { sse: "sse-c", s3PartBytes: 1_500_007 },
    "SSE-S3 in S3 parts": { sse: "sse-s3", s3PartBytes: 1_500_007 },
    "SSE-KMS": { sse: "sse-kms" },
    "SSE-KMS in S3 parts": { sse: "sse-kms", s3PartBytes: 1_500_007 },
    "SSE-KMS in S3 parts by a vault": {
      sse: "sse-kms",
      s3PartBytes: 1_500_007,
      kmsProvider: "openbao",
    },
    "gzip over SSE-KMS in S3 parts": { form: "gzip", sse: "sse-kms", s3PartBytes: 1_500_007 },
    "cipher over gzip over SSE-KMS": { form: "cipher-gzip", sse: "sse-kms" },
  } as const;

  it.each(Object.entries(shapes))("%s: whole and in part", async (_name, shape) => {
    const size = 3 * MiB + 777;
    putObject(cluster, "/o", { size, chunkBytes: 700_001, ...shape });
    const source = sourceOf();
    const options = { clientKeys: customerKeyHeaders };
    const whole = await downloadKey(source, "o", options);
    expectRamp(whole.bytes, 0, size);
    for (const [start, end] of [
      [0, 1],
      [size - 1, size],
      [700_000, 700_003],
      [123_457, 2_222_222],
    ] as const) {
      const part = await downloadKey(source, "o", { ...options, range: { start, end } });
      expectRamp(part.bytes, start, end);
    }
    expect(whole.totals.openAfterClose).toBe(0);
  });

  it.each(["aws", "openbao"] as const)(
    "asks %s for each S3 part's data key once, and for none outside of the range but the first",
    async (kmsProvider) => {
      const size = 4 * MiB;
      const shape = { sse: "sse-kms", s3PartBytes: MiB, kmsProvider } as const;
      putObject(cluster, "/o", { size, chunkBytes: 300_000, ...shape });
      const asked = async (range: { start: number; end: number }) => {
        const services = createKeyServices();
        const { bytes } = await downloadKey(sourceOf({ kmsFetch: services.fetch }), "o", { range });
        expectRamp(bytes, range.start, range.end);
        return services.asked.length;
      };
      // Opening makes sure of the first part's key, whatever the range.
      expect(await asked({ start: 2 * MiB + 17, end: 2 * MiB + 900_001 })).toBe(2);
      expect(await asked({ start: 0, end: 300_001 })).toBe(1);
      expect(await asked({ start: 0, end: size })).toBe(4);
    },
  );

  it("reads a compressed chunk whole and once, never by ranges", async () => {
    putObject(cluster, "/o", { size: 2 * MiB, chunkBytes: 2 * MiB, form: "gzip" });
    await downloadKey(sourceOf(), "o", { range: { start: 1_000_000, end: 1_000_001 } });
    const reads = cluster.volumes.flatMap((server) => server.seen);
    expect(reads).toHaveLength(1);
    expect(reads[0]?.headers.range).toBeUndefined();
    expect(reads[0]?.headers["accept-encoding"]).toBe("gzip");
  });

  it("reads a chunk whole and once that has turned out to be compressed", async () => {
    const size = 4 * MiB;
    putObject(cluster, "/o", { size, chunkBytes: 2 * MiB, form: "hidden-gzip" });
    const source = sourceOf();
    await readKey(source, "o");
    for (const server of cluster.volumes) server.seen.length = 0;
    expectRamp((await downloadKey(source, "o")).bytes, 0, size);
    const reads = cluster.volumes.flatMap((server) => server.seen);
    expect(reads.map((seen) => seen.headers.range)).toEqual([undefined, undefined]);
  });

  it.each([
    [206, { "Content-Range": "bytes 5-9/4000" }],
    // The range starts behind the compressed bytes.
    [416, {}],
  ])("does not trust a %i of compressed bytes, and reads the chunk whole", async (status, more) => {
    putObject(cluster, "/o", { size: MiB, chunkBytes: MiB, form: "hidden-gzip" });
    const headers = { "Content-Encoding": "gzip", ...more };
    for (const server of cluster.volumes)
      server.fault = (seen) =>
        seen.headers.range === undefined
          ? undefined
          : { do: "reply", reply: { status, headers, body: "slice" } };
    const source = sourceOf({ filerFallback: false });
    const { bytes } = await downloadKey(source, "o", { range: { start: 5, end: 10 } });
    expectRamp(bytes, 5, 10);
  });
});
