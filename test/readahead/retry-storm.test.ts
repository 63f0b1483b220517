import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Budget } from "../../src/readahead/budget.ts";
import { createDownload } from "../../src/readahead/download.ts";
import { openObject } from "../../src/readahead/open.ts";
import { createHttpSource } from "../../src/sources/http.ts";
import { ramp } from "../support/object-bytes.ts";
import { createStoreFetch } from "../support/store-fetch.ts";
import { StoreSpace } from "../support/store-space.ts";

describe("a store that breaks every answer after a few bytes", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is asked with pauses: progress of ten bytes does not make a storm of requests", async () => {
    const space = new StoreSpace({ objects: { film: { content: ramp, size: 1_000_000 } } });
    space.always("film", { kind: "reset", after: 10 });
    const source = createHttpSource({
      url: "https://store.example/",
      fetch: createStoreFetch(space) as never,
    });
    const download = createDownload({ budget: new Budget(1_000_000, 96) });
    const want = { start: 0, end: 1_000_000 };
    const object = await openObject(source, "film", { want }, download);
    const stream = await download.start(object, [{ start: 0, end: 1_000_000 }]);
    const reader = stream.getReader();
    let received = 0;
    const reading = (async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        received += value.byteLength;
      }
    })();
    reading.catch(() => {});
    await vi.advanceTimersByTimeAsync(60_000);
    expect(received).toBeGreaterThan(100);
    expect(space.stats().requests).toBeLessThan(100);
    await reader.cancel();
    await reading;
    expect(vi.getTimerCount()).toBe(0);
    expect(space.stats().openBodies).toBe(0);
  });
});
