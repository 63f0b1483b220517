/**
 * The model's range tests (s3_sse_range_coverage_test.go, s3_sse_range_server_test.go, s3_range_headers_test.go) over the
 * HTTP handler: every encryption, one chunk to five S3 parts, ranges that start and end at awkward bytes.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHandler, type Handler } from "../../../src/http/handler.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { kmsKeyIds } from "../../support/seaweedfs/key-services.ts";
import {
  customerKeyHeaders,
  type FakeObjectOptions,
  putObject,
} from "../../support/seaweedfs/objects.ts";
import { sourceWithKeys } from "../../support/seaweedfs/source-with-keys.ts";
import { KiB, MiB } from "../../support/units.ts";
import { until } from "../../support/until.ts";

/** As long as the longest object: made once, cut for every comparison. */
const content = contentBytes(ramp, 0, 45 * MiB);
let cluster: FakeCluster;
let handle: Handler;

beforeAll(async () => {
  cluster = await FakeCluster.start({ volumeServers: 2 });
  const source = sourceWithKeys(cluster, { root: "/buckets", metadataTtlMs: 0 });
  handle = createHandler({ mounts: [{ name: "weed", prefix: "/", source }], factsMs: 0 });
});

afterAll(async () => {
  await until("no body is open", () => cluster.openBodies === 0);
  await cluster.close();
});

type Mode = "none" | "sse-c" | "sse-kms" | "sse-s3";

/** What a client of the mode sends, and what it must be told. */
const dialogue: Readonly<
  Record<Mode, { sends: Record<string, string>; told: Record<string, string | null> }>
> = {
  none: {
    sends: {},
    told: {
      "x-amz-server-side-encryption": null,
      "x-amz-server-side-encryption-customer-algorithm": null,
    },
  },
  "sse-c": {
    sends: {
      "x-amz-server-side-encryption-customer-algorithm": customerKeyHeaders.algorithm,
      "x-amz-server-side-encryption-customer-key": customerKeyHeaders.key,
      "x-amz-server-side-encryption-customer-key-md5": customerKeyHeaders.keyMd5,
    },
    told: {
      "x-amz-server-side-encryption-customer-algorithm": "AES256",
      "x-amz-server-side-encryption-customer-key-md5": customerKeyHeaders.keyMd5,
    },
  },
  "sse-kms": {
    sends: {},
    told: {
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": kmsKeyIds.aws,
    },
  },
  "sse-s3": { sends: {}, told: { "x-amz-server-side-encryption": "AES256" } },
};

const modes: readonly Mode[] = ["none", "sse-c", "sse-kms", "sse-s3"];

function put(mode: Mode, shape: Pick<FakeObjectOptions, "size" | "s3PartBytes">): void {
  const sse = mode === "none" ? {} : { sse: mode };
  putObject(cluster, "/buckets/b/o", { chunkBytes: 4 * MiB, ...shape, ...sse });
}

/** @param end Exclusive */
async function expectRange(mode: Mode, size: number, spec: string, start: number, end: number) {
  const { sends, told } = dialogue[mode];
  const waiting: Promise<unknown>[] = [];
  const answer = await handle(
    new Request("http://edge.example/b/o", { headers: { ...sends, range: `bytes=${spec}` } }),
    { waitUntil: (promise) => void waiting.push(promise) },
  );
  const bytes = new Uint8Array(await answer.arrayBuffer());
  await Promise.all(waiting);
  expect(answer.status, spec).toBe(206);
  expect(answer.headers.get("content-range"), spec).toBe(`bytes ${start}-${end - 1}/${size}`);
  expect(answer.headers.get("content-length"), spec).toBe(String(end - start));
  expect(Buffer.compare(bytes, content.subarray(start, end)), spec).toBe(0);
  for (const [name, value] of Object.entries(told))
    expect(answer.headers.get(name), `${spec}: ${name}`).toBe(value);
}

describe("range coverage", () => {
  const shapes = [
    ["256 KiB", { size: 256 * KiB }],
    ["12 MiB", { size: 12 * MiB }],
    ["five S3 parts of 9 MiB", { size: 45 * MiB, s3PartBytes: 9 * MiB }],
  ] as const;
  const cases = modes.flatMap((mode) =>
    shapes.map(([name, shape]) => [mode, name, shape] as const),
  );

  it.each(cases)(
    "%s, %s",
    async (mode, _name, shape) => {
      put(mode, shape);
      const { size } = shape;
      const middle = size / 2;
      const inclusive = (first: number, last: number) =>
        [`${first}-${last}`, first, Math.min(size, last + 1)] as const;
      const ranges = [
        inclusive(0, 0),
        inclusive(0, 511),
        inclusive(size - 1, size - 1),
        ["-100", size - 100, size] as const,
        [`${middle}-`, middle, size] as const,
        inclusive(0, size - 1),
        inclusive(15, 31),
        // Around the border of chunks as older gateways cut them, and over three such chunks.
        ...(size > 8 * MiB + 128 ? [inclusive(8_388_544, 8_388_671)] : []),
        ...(size > 24 * MiB + 128 ? [inclusive(4_194_309, 4_194_309 + 3 * 8 * MiB + 17)] : []),
      ];
      for (const [spec, start, end] of ranges) await expectRange(mode, size, spec, start, end);
    },
    30_000,
  );

  it.each([
    ["sse-c", 2048, ["0-99", "500-699", "1948-2047", "1000-1000", "15-17", "2000-", "-100"]],
    ["sse-kms", 4096, ["0-1023", "1024-2047", "3072-4095", "100-299"]],
    ["sse-s3", 8192, ["1000-1999"]],
    ["none", 16 * MiB, ["8387584-8391679", "-2048"]],
  ] as const)("%s of %i bytes", async (mode, size, specs) => {
    put(mode, { size });
    for (const spec of specs) {
      const [first = "", last = ""] = spec.split("-");
      const start = first === "" ? size - Number(last) : Number(first);
      const end = first === "" || last === "" ? size : Number(last) + 1;
      await expectRange(mode, size, spec, start, end);
    }
  });

  it.each(modes)("%s over the border of two S3 parts of 5 MiB", async (mode) => {
    const size = 10 * MiB;
    put(mode, { size, s3PartBytes: 5 * MiB });
    await expectRange(mode, size, "5241880-5243880", 5_241_880, 5_243_881);
  });
});
