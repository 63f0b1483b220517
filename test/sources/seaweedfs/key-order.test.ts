/** A client's key is judged after its conditions and ranges, as the S3 gateway does it; and no byte goes out without it. */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHandler, type Handler } from "../../../src/http/handler.ts";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { customerKeyHeaders, putObject } from "../../support/seaweedfs/objects.ts";

let cluster: FakeCluster;
let handle: Handler;

beforeEach(async () => {
  cluster = await FakeCluster.start();
  putObject(cluster, "/o", { size: 3000, chunkBytes: 1000, sse: "sse-c" });
  const source = createSeaweedfsSource({ filer: cluster.filerUrl, master: cluster.masterUrl });
  handle = createHandler({ mounts: [{ name: "weed", prefix: "/", source }] });
});
afterEach(() => cluster.close());

const name = "x-amz-server-side-encryption-customer";
const right = {
  [`${name}-algorithm`]: customerKeyHeaders.algorithm,
  [`${name}-key`]: customerKeyHeaders.key,
  [`${name}-key-md5`]: customerKeyHeaders.keyMd5,
};
const other = Buffer.alloc(32, 9);
const wrong = {
  [`${name}-algorithm`]: "AES256",
  [`${name}-key`]: other.toString("base64"),
  [`${name}-key-md5`]: createHash("md5").update(other).digest("base64"),
};

async function statusOf(method: string, headers: Record<string, string>): Promise<number> {
  const response = await handle(new Request("https://edge.example/o", { method, headers }));
  await response.arrayBuffer();
  return response.status;
}

describe.each(["GET", "HEAD"])("%s of an object with a customer key", (method) => {
  it.each([
    ["no key", {}, 400],
    ["another key", wrong, 403],
  ])("is judged by conditions first: %s", async (_what, key, refusal) => {
    expect(await statusOf(method, key)).toBe(refusal);
    expect(await statusOf(method, { ...key, "if-none-match": "*" })).toBe(304);
    expect(await statusOf(method, { ...key, "if-match": '"other"' })).toBe(412);
    expect(await statusOf(method, { ...key, "if-match": "*" })).toBe(refusal);
    expect(await statusOf(method, { ...key, "if-none-match": '"other"' })).toBe(refusal);
  });

  it("is served to who brings the key", async () => {
    expect(await statusOf(method, { ...right, "if-match": "*" })).toBe(200);
  });
});

it("says that a range lies outside before it asks for the key", async () => {
  expect(await statusOf("GET", { range: "bytes=3000-" })).toBe(416);
  expect(await statusOf("GET", { range: "bytes=3000-", "if-match": "*" })).toBe(416);
  expect(await statusOf("GET", { range: "bytes=0-1,2-3", "if-match": "*" })).toBe(400);
});
