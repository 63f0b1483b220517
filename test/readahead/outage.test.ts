/** A store that is away for some seconds, restarted say: downloads that have begun wait for it, within bounds. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import { createHttpSource } from "../../src/sources/http.ts";
import { ramp } from "../support/object-bytes.ts";
import { createStoreFetch } from "../support/store-fetch.ts";
import { StoreSpace } from "../support/store-space.ts";
import { KiB } from "../support/units.ts";
import { readRamp } from "./support/read-stream.ts";
import { expectSettled, watchDownload } from "./support/watched-download.ts";

const size = 400_000;

type Outage = "503" | "refused" | "silent";

/** A store that is whole for its first answer, then away for `awayMs`. */
function storeAway(outage: Outage, awayMs: number) {
  const space = new StoreSpace({ objects: { object: { content: ramp, size } } });
  const through = createStoreFetch(space);
  let requests = 0;
  let backAt: number | undefined;
  const fetch: typeof through = async (url, init) => {
    requests += 1;
    const now = performance.now();
    if (requests === 1) return through(url, init);
    backAt ??= now + awayMs;
    if (now >= backAt) return through(url, init);
    if (outage === "503") return new Response("away", { status: 503 });
    if (outage === "refused") throw new TypeError("connection refused");
    return new Promise((_, reject) => {
      const { signal } = init ?? {};
      signal?.addEventListener("abort", () => reject(signal.reason as Error));
    });
  };
  const source = createHttpSource({ url: "https://store.example/", fetch: fetch as never });
  return { source, requests: () => requests };
}

async function readThrough(outage: Outage, awayMs: number) {
  const { source, requests } = storeAway(outage, awayMs);
  const limits = { partBytes: 64 * KiB, windowParts: 2 };
  const watched = watchDownload({ limits });
  const stream = await watched.stream(source);
  const begun = performance.now();
  let ended: string | undefined;
  const reading = readRamp(stream).then(
    (read) => (ended = read === size ? "complete" : `short: ${read}`),
    (error: unknown) => (ended = error instanceof ReadaheadError ? error.kind : String(error)),
  );
  while (ended === undefined) await vi.advanceTimersByTimeAsync(100);
  await reading;
  expectSettled(watched);
  return { ended, seconds: (performance.now() - begun) / 1000, requests: requests() };
}

describe("a store that is away for a while after the first answer", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    vi.spyOn(Math, "random").mockReturnValue(0.5);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it.for([
    ["503", 500],
    ["503", 5_000],
    ["refused", 5_000],
  ] as const)("%s for %i ms costs nothing but time", async ([outage, awayMs]) => {
    expect((await readThrough(outage, awayMs)).ended).toBe("complete");
  });

  it.for(["503", "refused"] as const)(
    "%s for good ends it within half a minute",
    async (outage) => {
      const { ended, seconds, requests } = await readThrough(outage, Infinity);
      expect(ended).toBe("unavailable");
      expect(seconds).toBeLessThan(30);
      expect(requests).toBeLessThan(30);
    },
  );

  it("and silent for good is not asked ten times: each costs a deadline", async () => {
    const { ended, seconds } = await readThrough("silent", Infinity);
    expect(ended).toBe("unavailable");
    expect(seconds).toBeGreaterThan(120);
    expect(seconds).toBeLessThan(180);
  });
});
