/** Bytes that a volume server sent and no client got: every one of them shows in the totals, once. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDownload } from "../../../src/readahead/download.ts";
import { readOrWaste } from "../../../src/sources/seaweedfs/in-vain.ts";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { type DownloadOptions, downloadKey } from "../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import type { Fault } from "../../support/seaweedfs/http-server.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { MiB } from "../../support/units.ts";
import { until } from "../../support/until.ts";

const size = 2 * MiB;
/** What a ciphered needle has more than its chunk. */
const overhead = 28;
let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start();
});
afterEach(() => endCluster(cluster));

function sourceOf(options: Partial<SeaweedfsOptions> = {}) {
  return createSeaweedfsSource({ filer: cluster.filerUrl, master: cluster.masterUrl, ...options });
}

const limits = { partBytes: 8 * MiB, windowParts: 1, hedge: false };

function read(more: DownloadOptions = {}, options: Partial<SeaweedfsOptions> = {}) {
  return downloadKey(sourceOf(options), "o", { limits, ...more });
}

/** The first answers of the volume servers, one by one. */
function firstAnswers(...faults: readonly Fault[]): void {
  let asked = 0;
  for (const server of cluster.volumes) server.fault = () => faults[asked++];
}

/** An answer with a bit of the needle flipped, and the needle's checksum. */
function damaged(fid: string): Fault {
  const body = Buffer.from(cluster.needles.get(fid)?.stored() ?? "");
  body[1000] = (body[1000] ?? 0) ^ 1;
  return { do: "reply", reply: { status: 200, headers: { ETag: '"0badcafe"' }, body } };
}

describe.each([
  ["a ciphered chunk", "cipher", {}, overhead],
  ["a chunk that is verified", "plain", { verify: true }, 0],
] as const)("of %s", (_what, form, options, extra) => {
  const put = () => putObject(cluster, "/o", { size, chunkBytes: size, form }).fids[0] ?? "";

  it("what had come of answers that broke off", async () => {
    put();
    const cut = { do: "cut", bytes: 1_000_000, text: "" } as const;
    firstAnswers(cut, { do: "break", bytes: 500_000 }, cut);
    const { bytes, totals } = await read({}, options);
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
    // A connection that is reset may take bytes with it.
    expect(totals.bytesWasted).toBeGreaterThanOrEqual(2_000_000);
    expect(totals.bytesWasted).toBeLessThanOrEqual(2_500_000);
    expect(totals.bytesFetched).toBe(totals.bytesSent + totals.bytesWasted);
  });

  it("whole bodies that are damaged", async () => {
    firstAnswers(damaged(put()));
    const { bytes, totals } = await read({}, options);
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
    expect(totals.bytesWasted).toBe(size + extra);
    expect(totals.bytesFetched).toBe(2 * size + extra);
  });

  it("none where all of it reached the client", async () => {
    put();
    const { totals } = await read({}, options);
    expect([totals.bytesWasted, totals.bytesFetched]).toEqual([0, size]);
  });

  it("what had come when the client left", async () => {
    put();
    for (const server of cluster.volumes) server.fault = () => ({ do: "stall", bytes: 1_000_000 });
    const download = createDownload({ limits });
    const { permits, signal, observe } = download;
    const want = { start: 0 };
    let came = 0;
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform(block, controller) {
        came += block.byteLength;
        controller.enqueue(block);
      },
    });
    const source = sourceOf({
      ...options,
      fetch: async (url, init) => {
        const response = await fetch(url, init);
        const { status, headers, body } = response;
        if (!cluster.volumes.some(({ host }) => url.includes(host))) return response;
        return new Response(body?.pipeThrough(count) ?? null, { status, headers });
      },
    });
    const object = await source.open("o", { permits, signal, observe, want });
    const starting = download.start(object, [{ start: 0, end: size }]).catch(() => {});
    await until("the server sends no more", () => came === 1_000_000);
    download.close("client-signal");
    await starting;
    const { bytesWasted, bytesFetched } = await download.closed;
    expect([bytesWasted, bytesFetched]).toEqual([1_000_000, 1_000_000]);
  });
});

describe("of a ciphered chunk", () => {
  it("what lies beside the range", async () => {
    putObject(cluster, "/o", { size, chunkBytes: size, form: "cipher" });
    const { totals } = await read({ range: { start: 1000, end: 3000 } });
    expect([totals.bytesWasted, totals.bytesFetched]).toEqual([size - 2000, size]);
  });

  it("what a mount has cut off the file", async () => {
    putObject(cluster, "/o", { size: 2000, chunkBytes: 2000, form: "cipher" });
    const entry = cluster.entries.get("/o");
    cluster.entries.set("/o", { metadata: entry?.metadata.replaceAll("2000", "1000") ?? "" });
    const { bytes, totals } = await read();
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, 1000))).toBe(0);
    expect([totals.bytesWasted, totals.bytesFetched]).toEqual([1000, 2000]);
  });
});

it("of a read that another one has outrun, once", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const told: unknown[] = [];
  const reading = readOrWaste(
    { signal, observe: (event) => told.push(event) },
    async (received) => {
      received(10);
      controller.abort();
      throw signal.reason;
    },
  );
  await expect(reading).rejects.toBe(signal.reason);
  expect(told).toEqual([{ type: "wasted", at: expect.any(Number), bytes: 10 }]);
});
