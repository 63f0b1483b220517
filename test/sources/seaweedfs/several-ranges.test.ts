/** Several ranges over chunk manifests: what is counted before headers is what each range alone would be counted. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHandler } from "../../../src/http/handler.ts";
import { createExplain, type Explanation } from "../../../src/observe/explain.ts";
import { createDownload } from "../../../src/readahead/download.ts";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { until } from "../../support/until.ts";

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start({ volumeServers: 1 });
});
afterEach(() => endCluster(cluster));

function sourceOf() {
  return createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    filerFallback: false,
  });
}

/** Stores `/o`; the file ids of its manifests. */
function putFolded(chunks: number, chunkBytes: number, foldEvery: number): readonly string[] {
  const { fids } = putObject(cluster, "/o", { size: chunks * chunkBytes, chunkBytes, foldEvery });
  return fids.slice(chunks);
}

function get(ranges: string, subrequests: number, query = ""): Promise<Response> {
  const handle = createHandler({
    mounts: [{ name: "weed", prefix: "/weed/", source: sourceOf(), explain: true }],
    limits: { subrequests },
    explain: createExplain(),
  });
  const headers = { range: `bytes=${ranges}` };
  return handle(new Request(`https://edge.example/weed/o${query}`, { headers }));
}

async function expectRead(ranges: string, subrequests: number): Promise<void> {
  const response = await get(ranges, subrequests);
  expect(response.status).toBe(206);
  const body = Buffer.from(await response.arrayBuffer());
  let at = 0;
  for (const range of ranges.split(",")) {
    const [first = 0, last = 0] = range.split("-").map(Number);
    const from = body.indexOf("\r\n\r\n", at) + 4;
    at = from + last + 1 - first;
    expect(Buffer.compare(body.subarray(from, at), contentBytes(ramp, first, last + 1))).toBe(0);
  }
}

/** How often each of these was asked for. */
function reads(fids: readonly string[]): number[] {
  const { seen } = cluster.volume(0);
  return fids.map((fid) => seen.filter(({ target }) => target.includes(fid)).length);
}

describe("several ranges over manifests", () => {
  // 700 writes of 8,000 bytes, folded as 4.53 does it.
  describe.each([
    "0-0,2040000-4071999",
    "0-99,2040000-5599999",
    "5600-5700,2040000-3200000",
    "2040000-5599999,0-2000000",
  ])("%s", (ranges) => {
    it("are read, each manifest once", async () => {
      const manifests = putFolded(700, 8_000, 255);
      await expectRead(ranges, 10_000);
      expect(Math.max(...reads(manifests))).toBe(1);
    });

    it("are explained as they are read", async () => {
      putFolded(700, 8_000, 255);
      const told = (await (await get(ranges, 10_000, "?explain")).json()) as Explanation;
      expect(told.answer).toMatchObject({ kind: "several", status: 206 });
    });
  });

  it("open before headers no more than one manifest where one tells of the others", async () => {
    const manifests = putFolded(700, 8_000, 255);
    const download = createDownload();
    const { permits, signal, observe } = download;
    const object = await sourceOf().open("o", { permits, signal, observe, want: "facts" });
    for (const range of [
      { start: 0, end: 1 },
      { start: 2_040_000, end: 4_072_000 },
      { start: 4_080_000, end: 5_600_000 },
    ])
      expect(await object.pieceCount?.(range, 10_000, download)).toBeLessThan(300);
    expect(reads(manifests)).toEqual([0, 1, 0]);
    download.close("exception");
  });

  it("are counted by manifests of their own where others would be too many for the plan", async () => {
    // 60 chunks, and 20 in the last.
    putFolded(80, 1_000, 60);
    await expectRead("0-0,60000-79999", 50);
  });

  it("over many small manifests read each of them once, on the smallest plan", async () => {
    const manifests = putFolded(80, 1_000, 10);
    await expectRead(manifests.map((_, i) => `${i * 10_000}-${i * 10_000 + 1_999}`).join(), 50);
    expect(reads(manifests)).toEqual(manifests.map(() => 1));
  });

  it("that are too many together are refused before headers, also by ?explain", async () => {
    const manifests = putFolded(120, 1_000, 30);
    const ranges = "0-29998,60000-89999";
    expect((await get(ranges, 50)).status).toBe(501);
    expect(reads(manifests)).toEqual([1, 0, 1, 0]);
    const told = (await (await get(ranges, 50, "?explain")).json()) as Explanation;
    expect(told.answer).toMatchObject({ kind: "too-many-parts", status: 501 });
  });

  it("whose client leaves while a manifest is read for the count end with it", async () => {
    putFolded(700, 8_000, 255);
    const reason = new Error("The client left");
    const client = new AbortController();
    const download = createDownload({ signal: client.signal });
    const { permits, signal, observe } = download;
    const object = await sourceOf().open("o", { permits, signal, observe, want: "facts" });
    cluster.volume(0).fault = () => ({ do: "hang" });
    const layout = [new Uint8Array(10), { start: 0, end: 1 }, { start: 2_040_000, end: 4_072_000 }];
    const starting = download.start(object, layout).catch((error: unknown) => error);
    await until("the manifest is asked for", () => cluster.volume(0).seen.length > 0);
    client.abort(reason);
    expect(await starting).toBe(reason);
    expect(await download.closed).toMatchObject({ openAfterClose: 0 });
    await until("it is given up", () => cluster.volume(0).aborted === 1);
  });
});
