/** An object that is overwritten while its metadata is remembered, its old needles gone: the next answer is the new object. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { createHandler, type Handler } from "../../../src/http/handler.ts";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";

let cluster: FakeCluster;
let handle: Handler;
let waiting: Promise<unknown>[];

beforeEach(async () => {
  cluster = await FakeCluster.start();
  waiting = [];
  const source = createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    metadataTtlMs: 60_000,
  });
  handle = createHandler({ mounts: [{ name: "weed", prefix: "/", source }] });
});
afterEach(async () => {
  await Promise.all(waiting);
  await endCluster(cluster);
});

async function get() {
  const request = new Request("http://edge.example/o");
  const answer = await handle(request, { waitUntil: (promise) => void waiting.push(promise) });
  const bytes = Buffer.from(await answer.arrayBuffer());
  return { status: answer.status, etag: answer.headers.get("etag"), bytes };
}

it("is answered as the new object where nothing is left of the old one", async () => {
  const put = (byte: number) =>
    putObject(cluster, "/o", {
      size: 3000,
      chunkBytes: 1000,
      content: (start, end) => Buffer.alloc(end - start, byte),
    });
  put(1);
  const old = await get();
  expect([old.status, old.bytes.equals(Buffer.alloc(3000, 1))]).toEqual([200, true]);
  put(2);
  const now = await get();
  expect([now.status, now.bytes.equals(Buffer.alloc(3000, 2))]).toEqual([200, true]);
  expect(now.etag).not.toBe(old.etag);
});
