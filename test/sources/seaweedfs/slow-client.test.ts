/**
 * Slow clients of large chunks, by a fake clock. A volume server writes 4 MiB at a time and gives each write 30 s; then
 * it closes cleanly, short of the length it announced (measured on 4.44: 80 and 120 KB/s are cut, 160 KB/s is not).
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Budget } from "../../../src/readahead/budget.ts";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import { contentBytes, firstDifference, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { KiB, MiB } from "../../support/units.ts";

const chunkBytes = 64 * MiB;
const writeBytes = 4 * MiB;
const writeDeadlineMs = 30_000;
const holdMs = 5_000;
/** The watching clock's tick, twice. */
const graceMs = 400;

let cluster: FakeCluster;

beforeEach(async () => {
  // Holds the objects; nothing is asked of it over HTTP, which knows no fake clock.
  cluster = await FakeCluster.start({ volumeServers: 1 });
  vi.useFakeTimers();
});

afterEach(async () => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  await cluster.close();
});

interface SeenResponse {
  open: boolean;
  drainedAt: number;
}

/** Volume server, filer and master in this process. */
class TimedCluster {
  readonly responses: SeenResponse[] = [];
  cuts = 0;

  /** Longest time that an open response has not been drained, ms. */
  get undrainedMs(): number {
    const now = performance.now();
    const open = this.responses.filter((response) => response.open);
    return Math.max(0, ...open.map((response) => now - response.drainedAt));
  }

  get openBodies(): number {
    return this.responses.filter((response) => response.open).length;
  }

  readonly fetch = async (
    target: string,
    { headers, signal }: { headers: Record<string, string>; signal: AbortSignal },
  ): Promise<Response> => {
    signal.throwIfAborted();
    const url = new URL(target);
    if (url.host === "filer") {
      const metadata = cluster.entries.get(url.pathname)?.metadata;
      return new Response(metadata ?? null, { status: metadata === undefined ? 404 : 200 });
    }
    if (url.host === "master") {
      const volume = url.searchParams.get("volumeId") ?? "";
      const locations = [{ url: "volume:8080", publicUrl: "volume:8080" }];
      return Response.json({ volumeOrFileId: volume, locations });
    }
    const stored = cluster.needles.get(url.pathname.slice(1))?.stored();
    if (stored === undefined) return new Response(null, { status: 404 });
    const match = /^bytes=(\d+)-(\d+)$/.exec(headers["range"] ?? "");
    const start = Number(match?.[1] ?? 0);
    const end = match === null ? stored.length : Number(match[2]) + 1;
    const length = { "content-length": String(end - start) };
    const body = this.#body(stored.subarray(start, end), signal);
    if (match === null) return new Response(body, { headers: length });
    const range = `bytes ${start}-${end - 1}/${stored.length}`;
    return new Response(body, { status: 206, headers: { ...length, "content-range": range } });
  };

  #body(bytes: Uint8Array, signal: AbortSignal): ReadableStream<Uint8Array> {
    const response: SeenResponse = { open: true, drainedAt: performance.now() };
    this.responses.push(response);
    let sent = 0;
    let writtenSince = performance.now();
    const ended = () => {
      response.open = false;
    };
    return new ReadableStream({
      type: "bytes",
      start: (controller) => {
        const abort = () => {
          if (response.open) controller.error(signal.reason);
          ended();
        };
        signal.addEventListener("abort", abort, { once: true });
      },
      pull: (controller) => {
        const now = performance.now();
        response.drainedAt = now;
        if (sent < bytes.byteLength && now - writtenSince <= writeDeadlineMs) {
          const rest = writeBytes - (sent % writeBytes);
          const block = Math.min(64 * KiB, rest, bytes.byteLength - sent);
          // A copy: a byte stream takes the buffer away, and a Buffer's slice shares it.
          controller.enqueue(new Uint8Array(bytes.subarray(sent, sent + block)));
          sent += block;
          if (sent % writeBytes === 0) writtenSince = now;
          if (sent === bytes.byteLength) ended();
          return;
        }
        if (sent < bytes.byteLength) {
          this.cuts += 1;
          controller.enqueue(new TextEncoder().encode("not found\n"));
        }
        controller.close();
        // Hands out what a read that wanted more has got so far.
        controller.byobRequest?.respond(0);
        ended();
      },
      cancel: ended,
    });
  }
}

const turn = setImmediate;

/** While the client waits for bytes, the clock goes on slowly: the engine may be waiting for it. */
class WaitingClock {
  clientBusy = false;
  #over = false;
  readonly #run: Promise<void>;

  constructor() {
    this.#run = this.#tick();
  }

  async #tick(): Promise<void> {
    while (!this.#over) {
      await new Promise((resolve) => turn(resolve));
      if (!this.clientBusy) await vi.advanceTimersByTimeAsync(5);
    }
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#run;
  }
}

/** Lets the clock run for as long as a client of this rate needs for the bytes. */
async function pass(bytes: number, bytesPerSecond: number, look: () => void): Promise<void> {
  for (let left = Math.round((bytes * 1000) / bytesPerSecond); left > 0; left -= 100) {
    await vi.advanceTimersByTimeAsync(Math.min(100, left));
    look();
  }
}

describe("a volume server of 64 MiB chunks", () => {
  it.each([
    [80_000, 1],
    [160_000, 0],
  ])("cuts a response that is read at %i bytes a second: %i times", async (rate, cuts) => {
    const timed = new TimedCluster();
    const { fids } = putObject(cluster, "/o", { size: chunkBytes, chunkBytes });
    const { signal } = new AbortController();
    const response = await timed.fetch(`http://volume/${fids[0]}`, { headers: {}, signal });
    const reader = response.body?.getReader();
    let read = 0;
    for (let block = await reader?.read(); block?.value !== undefined && read < 20 * MiB; ) {
      read += block.value.byteLength;
      await pass(block.value.byteLength, rate, () => undefined);
      block = await reader?.read();
    }
    expect(timed.cuts).toBe(cuts);
    await reader?.cancel();
  });
});

describe.each([32 * MiB, 256 * KiB, 0])("with a budget of %i bytes", (budgetBytes) => {
  it.each([40_000, 80_000, 160_000])(
    "a client of %i bytes a second gets three minutes of two 64 MiB chunks, no response undrained for long",
    async (rate) => {
      const timed = new TimedCluster();
      putObject(cluster, "/o", { size: 2 * chunkBytes, chunkBytes });
      const source = createSeaweedfsSource({
        filer: "http://filer/",
        master: "http://master/",
        allowedHosts: "*",
        filerFallback: false,
        fetch: timed.fetch,
      });
      const length = rate * 180;
      const start = chunkBytes - Math.floor(length / 2) - 3;
      const range = { start, end: start + length };
      const began = performance.now();
      const clock = new WaitingClock();
      let longest = 0;
      let passed = 0;
      const reading = downloadKey(source, "o", {
        range,
        limits: { budgetBytes, holdMs },
        budget: new Budget(budgetBytes, 96),
        onProgress: async (read) => {
          clock.clientBusy = true;
          await pass(read - passed, rate, () => {
            longest = Math.max(longest, timed.undrainedMs);
          });
          passed = read;
          clock.clientBusy = false;
        },
      });
      await Promise.allSettled([reading]);
      await clock.stop();
      const { bytes, totals } = await reading;
      expect(firstDifference(bytes, contentBytes(ramp, range.start, range.end))).toBe(-1);
      expect(performance.now() - began).toBeGreaterThanOrEqual(179_000);
      expect(longest).toBeLessThanOrEqual(holdMs + graceMs);
      expect(timed.cuts).toBe(0);
      expect(timed.openBodies).toBe(0);
      expect(totals).toMatchObject({ retries: 0, openAfterClose: 0, bytesSent: length });
    },
  );
});
