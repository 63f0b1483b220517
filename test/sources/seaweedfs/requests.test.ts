/** What an answer costs the cluster: requests to the filer and the master, counted at the servers. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHandler, type Handler } from "../../../src/http/handler.ts";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { createTestDownload } from "../../support/permits.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { readKey } from "../../support/seaweedfs/read-object.ts";

const size = 100_000;
let cluster: FakeCluster;
let source: Source;
let handle: Handler;
let waiting: Promise<unknown>[];

beforeEach(async () => {
  cluster = await FakeCluster.start();
  putObject(cluster, "/o.bin", { size, chunkBytes: 30_000, volumes: 4 });
  // Nothing is remembered from one request to the next but where volumes lie.
  source = createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    metadataTtlMs: 0,
    lookupTtlMs: 0,
  });
  handle = createHandler({ mounts: [{ name: "weed", prefix: "/", source }], factsMs: 0 });
  waiting = [];
});
afterEach(async () => {
  await Promise.all(waiting);
  expect(cluster.openBodies).toBe(0);
  await cluster.close();
});

async function ask(headers: Record<string, string> = {}, method = "GET") {
  const answer = await handle(new Request("http://edge.example/o.bin", { headers, method }), {
    waitUntil: (promise) => void waiting.push(promise),
  });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return { status: answer.status, headers: answer.headers, bytes };
}

const metadataRequests = () => cluster.filers[0]?.seen.length;
const lookups = () => cluster.masters[0]?.seen.map((seen) => seen.target);

describe("an answer", () => {
  it.each([
    ["the first bytes", "bytes=0-999", 0, 1000, 1],
    ["bytes of a later chunk", "bytes=70000-70999", 70_000, 71_000, 3],
    ["the last bytes", "bytes=-500", size - 500, size, 4],
  ])("with %s costs one metadata request and one lookup", async (_, range, start, end, volume) => {
    const { status, bytes } = await ask({ range });
    expect(status).toBe(206);
    expect(Buffer.compare(bytes, contentBytes(ramp, start, end))).toBe(0);
    expect(metadataRequests()).toBe(1);
    expect(lookups()).toEqual([`/dir/lookup?volumeId=${volume}`]);
  });

  it("asks volume servers for ranges of clear bytes: of stored ones they would cut compressed", async () => {
    const sent: Readonly<Record<string, string>>[] = [];
    const { filerUrl, masterUrl } = cluster;
    const noted = createSeaweedfsSource({
      filer: filerUrl,
      master: masterUrl,
      // As the source sends it: Node's fetch names that encoding by itself, others do not.
      fetch: (url, init) => {
        if (init.headers["range"] !== undefined) sent.push(init.headers);
        return fetch(url, init);
      },
    });
    for (const [start, end] of [
      [5, 10],
      [29_000, 31_000],
    ] as const)
      await readKey(noted, "o.bin", { start, end });
    expect(sent.map((headers) => headers["accept-encoding"])).toEqual(Array(3).fill("identity"));
  });

  it("to HEAD asks nobody where the bytes are", async () => {
    expect((await ask({}, "HEAD")).status).toBe(200);
    expect(metadataRequests()).toBe(1);
    expect(lookups()).toEqual([]);
  });

  it("of 304 asks nobody where the bytes are", async () => {
    const etag = (await ask({}, "HEAD")).headers.get("etag") ?? "";
    expect((await ask({ "if-none-match": etag })).status).toBe(304);
    expect(lookups()).toEqual([]);
  });

  it("to a stale If-Range reads from the beginning, and looks up no volume twice", async () => {
    const { status, bytes } = await ask({ range: "bytes=70000-", "if-range": '"stale"' });
    expect(status).toBe(200);
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
    expect(lookups()).toEqual([1, 2, 3, 4].map((volume) => `/dir/lookup?volumeId=${volume}`));
  });
});

describe("an object that a download opened", () => {
  it("is kept for it, but not where another start may need other memory", async () => {
    const download = createTestDownload();
    const open = (start: number) => source.open("o.bin", { ...download, want: { start } });
    const opened = await open(70_000);
    expect(await open(70_000)).toBe(opened);
    expect(metadataRequests()).toBe(1);
    expect(await open(0)).not.toBe(opened);
    expect(metadataRequests()).toBe(2);
  });
});
