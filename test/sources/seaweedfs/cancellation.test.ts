/**
 * A client that leaves while a server of the cluster lets it wait: what was waited for rejects with the client's reason,
 * and every request ends. Where a deadline of ours could end it instead, the clock stands still.
 */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { OpenObject } from "../../../src/sources/source.ts";
import { bodyAt } from "../../contract/engine-reads.ts";
import { readToEnd, rejection } from "../../contract/expectations.ts";
import { createTestDownload, type TestDownload } from "../../support/permits.ts";
import { FakeCluster, type FakeClusterOptions } from "../../support/seaweedfs/cluster.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import type { FakeServer } from "../../support/seaweedfs/http-server.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { readRange } from "../../support/seaweedfs/read-object.ts";
import { type TimerWatch, watchTimers } from "../../support/timer-watch.ts";
import { until } from "../../support/until.ts";

const reason = new Error("The client left");
let cluster: FakeCluster;
let download: TestDownload;
let timers: TimerWatch;

beforeEach(() => {
  timers = watchTimers();
  download = createTestDownload();
});
afterEach(async () => {
  try {
    await endCluster(cluster);
    expect(download.permits).toMatchObject({ waiting: 0, held: 0 });
    expect(timers.pending()).toEqual([]);
  } finally {
    timers.stop();
    vi.useRealTimers();
  }
});

async function start(options: FakeClusterOptions): Promise<void> {
  cluster = await FakeCluster.start(options);
}

/** From here on no timer of ours fires. */
function stopClock(): void {
  timers.stop();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  timers = watchTimers();
}

function open(key: string, options: Partial<SeaweedfsOptions> = {}): Promise<OpenObject> {
  const source = createSeaweedfsSource({
    filer: cluster.filers.map(({ url }) => url),
    master: cluster.masters.map(({ url }) => url),
    filerFallback: false,
    ...options,
  });
  return source.open(key, { ...download, want: "facts" });
}

function hang(servers: readonly (FakeServer | undefined)[]): void {
  for (const server of servers) if (server !== undefined) server.fault = () => ({ do: "hang" });
}

/** Leaves, and expects what is pending to end with it, without another request. */
async function expectEnded(pending: Promise<unknown>): Promise<void> {
  const { requests } = cluster;
  download.abort(reason);
  expect(await pending).toBe(reason);
  expect(timers.pending()).toEqual([]);
  await until("no request is open", () => cluster.openBodies === 0);
  expect(cluster.requests).toBe(requests);
}

describe("a client that leaves", () => {
  it("while only volume servers hang ends the request to them", async () => {
    await start({ volumeServers: 2 });
    putObject(cluster, "/o", { size: 3_000, chunkBytes: 1_000 });
    const object = await open("o");
    await readRange(object, { start: 0, end: 1_000 }, download);
    hang(cluster.volumes);
    const { requests } = cluster;
    const reading = rejection(readRange(object, { start: 1_000, end: 3_000 }, download));
    await until("a volume server is asked", () => cluster.requests > requests);
    await expectEnded(reading);
    expect(cluster.masters[0]?.seen).toHaveLength(1);
  });

  it("while the first of two filers hangs waits for no deadline", async () => {
    await start({ filers: 2 });
    stopClock();
    putObject(cluster, "/o", { size: 1_000 });
    hang(cluster.filers);
    const opening = rejection(open("o"));
    await until("a filer is asked", () => cluster.requests > 0);
    await expectEnded(opening);
  });

  it("while the first of two masters hangs waits for no deadline", async () => {
    await start({ masters: 2 });
    stopClock();
    putObject(cluster, "/o", { size: 1_000 });
    hang(cluster.masters);
    const object = await open("o");
    const { requests } = cluster;
    const reading = rejection(readRange(object, { start: 0, end: 1_000 }, download));
    await until("a master is asked", () => cluster.requests > requests);
    await expectEnded(reading);
  });

  it("in the pause before a manifest is asked for again waits for nothing", async () => {
    await start({ volumeServers: 1 });
    putObject(cluster, "/o", { size: 3_000, chunkBytes: 1_000, foldEvery: 3 });
    const headers = { "Retry-After": "29" };
    cluster.volume(0).fault = () => ({ do: "reply", reply: { status: 503, headers } });
    const object = await open("o");
    const reading = rejection(readRange(object, { start: 0, end: 3_000 }, download));
    await until("the pause has begun", () => /delay\.ts/.test(timers.pending().join()));
    expect(cluster.volume(0).seen).toHaveLength(1);
    await expectEnded(reading);
  });
});

describe("a body that is cut out of a longer one", () => {
  const size = 300_000;
  const range = { start: 100_000, end: 250_000 };
  const stalled = { do: "stall", bytes: 180_000 } as const;

  /** Bytes that do not shrink: the stored ones that came are about as many as the clear ones. */
  function noise(from: number, to: number): Buffer {
    const blocks: Buffer[] = [];
    for (let block = 0; block * 64 < to; block++)
      blocks.push(createHash("sha512").update(`${block}`).digest());
    return Buffer.concat(blocks).subarray(from, to);
  }

  /** How the chunk comes, and how much memory there is to hold it. */
  const cases = [
    ["gzip that is held", { plain: false }],
    ["gzip that no memory is left for", { plain: false, budgetBytes: 0 }],
    ["plain where gzip was expected", { plain: true }],
  ] as const;

  /** The reader of a body that has stopped in the middle, and what it rejects or ends with. */
  async function reachMiddle(plain: boolean, budgetBytes?: number) {
    download = createTestDownload({ budgetBytes });
    await start({});
    const { fids } = putObject(cluster, "/o", {
      size,
      chunkBytes: size,
      form: "gzip",
      content: noise,
    });
    if (plain) cluster.needles.set(fids[0] ?? "", { stored: () => noise(0, size) });
    for (const volume of cluster.volumes) volume.fault = () => stalled;
    const body = await bodyAt(await open("o"), range, download);
    if (!(body instanceof ReadableStream)) throw new Error("The body is no stream");
    const reader = body.getReader();
    const ended = rejection(readToEnd(reader));
    // Whatever has come is read.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(cluster.openBodies).toBe(1);
    return { reader, ended };
  }

  it.each(cases)("ends with the client: %s", async (_, { plain, ...memory }) => {
    const { ended } = await reachMiddle(plain, "budgetBytes" in memory ? 0 : undefined);
    await expectEnded(ended);
  });

  it.each(cases)("ends when it is cancelled: %s", async (_, { plain, ...memory }) => {
    const { reader, ended } = await reachMiddle(plain, "budgetBytes" in memory ? 0 : undefined);
    await reader.cancel(reason);
    expect(await ended).toMatchObject({ message: "The body ended" });
    await until("no request is open", () => cluster.openBodies === 0);
  });
});
