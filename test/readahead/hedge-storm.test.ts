/** A head that stands still, and every request beside it, too: it is not asked for over and over. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ByteRange } from "../../src/readahead/byte-range.ts";
import { delay } from "../../src/readahead/delay.ts";
import type { Source } from "../../src/sources/source.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { KiB } from "../support/units.ts";
import { rampBytes } from "./support/ramp.ts";
import { expectRamp } from "./support/read-stream.ts";
import { watchDownload } from "./support/watched-download.ts";

const partBytes = 128 * KiB;
const parts = 40;
const size = parts * partBytes;
const stuck = 30;
const outageMs = 8_000;

checkLeaks();
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Every request that meets the stuck part's last KiB stands still until the outage is over. */
function sourceOf(headersToo: boolean): { source: Source; requests: () => number } {
  let requests = 0;
  let until = Infinity;
  const from = stuck * partBytes;
  const tail = from + partBytes - KiB;
  const read = async (range: ByteRange, signal: AbortSignal) => {
    requests += 1;
    await delay(5, signal);
    const meets = range.start < from + partBytes && range.end > tail;
    if (!meets) return rampBytes(range.start, range.end);
    if (until === Infinity) until = performance.now() + outageMs;
    const wait = Math.max(0, until - performance.now());
    if (headersToo && range.start > from) await delay(wait, signal);
    return new ReadableStream({
      type: "bytes",
      start(controller) {
        if (range.start < tail) controller.enqueue(rampBytes(range.start, tail));
        const timer = setTimeout(() => {
          controller.enqueue(rampBytes(Math.max(tail, range.start), range.end));
          controller.close();
        }, wait);
        signal.addEventListener("abort", () => {
          clearTimeout(timer);
          controller.error(signal.reason);
        });
      },
    });
  };
  return {
    requests: () => requests,
    source: {
      open: async () => ({
        facts: { size, etag: '"1"', pin: { by: "etag", value: '"1"' }, headers: {} },
        read: (_piece, range, { permits }) =>
          permits.request({ replica: "r", purpose: "read" }, async (signal) => ({
            replica: "r",
            body: await read(range, signal),
          })),
      }),
    },
  };
}

it.each([
  ["answers and sends nothing", false, 10_000],
  ["does not answer", true, 10_000],
  ["answers and sends nothing, 50 subrequests", false, 50],
  ["does not answer, 50 subrequests", true, 50],
])("a store that %s for 8 s", async (_what, headersToo, subrequests) => {
  const { source, requests } = sourceOf(headersToo);
  const watched = watchDownload({
    limits: { hedge: true, partBytes, windowParts: 4, subrequests },
  });
  const reading = (async () => {
    const reader = (await watched.stream(source)).getReader();
    let position = 0;
    for (let block = await reader.read(); !block.done; block = await reader.read()) {
      expectRamp(block.value, position);
      position += block.value.byteLength;
      if (position < stuck * partBytes) await new Promise((resolve) => setTimeout(resolve, 6));
    }
    return position;
  })();
  reading.catch(() => {});
  for (let ms = 0; ms < 2 * outageMs; ms += 5) await vi.advanceTimersByTimeAsync(5);
  expect(await reading).toBe(size);
  expect(requests()).toBeLessThan(parts + 8);
});
