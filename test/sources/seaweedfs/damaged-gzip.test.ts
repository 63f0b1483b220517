/** Compressed needles that are damaged: their checksum lies behind the last byte, and decides over it. */
import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ReadaheadError } from "../../../src/errors.ts";
import { Budget } from "../../../src/readahead/budget.ts";
import { absolve } from "../../../src/readahead/suspects.ts";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { type Downloaded, downloadKey } from "../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";

const size = 300_000;
let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start();
});
afterEach(() => endCluster(cluster));

/** Bytes that do not shrink: each of the stored ones is one of the clear ones. */
function noise(start: number, end: number): Buffer {
  const blocks: Buffer[] = [];
  for (let block = 0; block * 64 < end; block++)
    blocks.push(createHash("sha512").update(`${block}`).digest());
  return Buffer.concat(blocks).subarray(start, end);
}

/** An object of one compressed chunk that the first server has with a flipped bit. */
function putDamaged(at: number): void {
  const { fids } = putObject(cluster, "/o", {
    size,
    chunkBytes: size,
    form: "gzip",
    content: noise,
  });
  const good = gzipSync(noise(0, size), { level: 0 });
  const bad = Buffer.from(good);
  bad[at] = (bad[at] ?? 0) ^ 1;
  if (at > 0) expect(() => gunzipSync(bad)).toThrow();
  cluster.needles.set(fids[0] ?? "", { stored: () => good, gzipHeaders: {} });
  absolve(cluster.volume(0).host);
  cluster.volume(0).fault = ({ headers }) => ({
    do: "reply",
    reply: {
      status: 200,
      body: headers["accept-encoding"] === "gzip" ? bad : "",
      headers: { "Content-Encoding": "gzip", ETag: '"0badcafe"' },
    },
  });
}

/** Of 600 ms: what Node's fetch cannot inflate stalls there, and on a busy machine a healthy answer may, too. */
const attempts = { toRead: 5, toFail: 2 };

function read(
  range: { readonly start: number; readonly end: number },
  budget?: Budget,
  allowed = attempts.toFail,
) {
  const source = createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    // The first server first.
    random: () => 0.99,
    filerFallback: false,
  });
  const memory = budget === undefined ? {} : { budget };
  return downloadKey(source, "o", {
    range,
    limits: { attempts: allowed, stallMs: 600 },
    ...memory,
  });
}

const ranges = [
  [0, size],
  [100_000, size],
  [100_000, 200_000],
  [0, 10],
  [size - 1, size],
] as const;

describe("a damaged compressed needle", () => {
  it.each(ranges)(
    "of which [%i, %i) is wanted is read from the other replica",
    async (start, end) => {
      for (const at of [150_000, 200_000, 5_000]) {
        putDamaged(at);
        const { bytes } = await read({ start, end }, undefined, attempts.toRead);
        expect(Buffer.compare(bytes, noise(start, end)), `damaged at ${at}`).toBe(0);
      }
    },
  );

  it.each(ranges)("that nobody has whole breaks a download of [%i, %i)", async (start, end) => {
    cluster.placement.set("1", [0]);
    putDamaged(size - 100_000);
    await expect(read({ start, end })).rejects.toMatchObject({ name: "ReadaheadError" });
  });

  it("is never spliced with another one where there is no memory to hold it", async () => {
    const outcomes = [];
    for (const at of [5_000, 150_000, size - 1_000]) {
      putDamaged(at);
      const range = { start: 0, end: size };
      const outcome = await read(range, new Budget(150_000, 96)).catch((error: unknown) => error);
      if (outcome instanceof ReadaheadError) outcomes.push(outcome.kind);
      else outcomes.push(Buffer.compare((outcome as Downloaded).bytes, noise(0, size)));
    }
    expect(outcomes).toEqual(["lost", "lost", "lost"]);
  });

  it("of another length than its chunk is refused, unless a mount has truncated the file", async () => {
    const { fids } = putObject(cluster, "/o", {
      size,
      chunkBytes: size,
      form: "gzip",
      content: noise,
    });
    const store = (bytes: number, headers: Record<string, string>) => {
      const stored = gzipSync(noise(0, bytes));
      cluster.needles.set(fids[0] ?? "", { stored: () => stored, headers, gzipHeaders: headers });
    };
    store(size - 1, { ETag: '"0badcafe"' });
    await expect(read({ start: 0, end: 10 })).rejects.toMatchObject({ name: "ReadaheadError" });
    store(size + 1, { ETag: '"5e-1"' });
    await expect(read({ start: 0, end: 10 })).rejects.toMatchObject({ name: "ReadaheadError" });
    store(size + 1, { ETag: '"0badcafe"' });
    const { bytes, totals } = await read({ start: 5, end: 10 });
    expect(Buffer.compare(bytes, noise(5, 10))).toBe(0);
    expect(totals.bytesWasted).toBe(size + 1 - 5);
    expect(totals.bytesFetched).toBe(totals.bytesSent + totals.bytesWasted);
  });
});
