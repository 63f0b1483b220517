import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import { openObject } from "../../src/readahead/open.ts";
import type { OpenObject, OpenRequest, Source } from "../../src/sources/source.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { type MemoryFault, MemoryStore } from "./support/memory-store.ts";
import { closedEvent, expectSettled, watchDownload } from "./support/watched-download.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
checkLeaks();

const unavailable: MemoryFault = { kind: "status", status: 503 };
const reset: MemoryFault = { kind: "reset", after: "before-headers" };
const want = { start: 0, end: 100 } as const;

function setUp(faults: readonly MemoryFault[]) {
  const client = new AbortController();
  const store = new MemoryStore({
    size: 100,
    faults: faults.map((fault, at) => ({ at, fault })),
  });
  const watched = watchDownload({ signal: client.signal });
  const opening = openObject(store.source, "object", { want }, watched.download);
  opening.catch(() => undefined);
  return { client, store, watched, opening };
}

describe("openObject", () => {
  it("asks once where nothing goes wrong, and waits for nothing", async () => {
    const { store, watched, opening } = setUp([]);
    const object = await opening;
    expect(object.first?.range).toEqual(want);
    expect(store.seen).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(1);
    watched.download.close("done");
    expect(expectSettled(watched)).toMatchObject({ retries: 0, subrequests: 1 });
  });

  it("passes what was wished on to the source, with the download's own context", async () => {
    const seen: OpenRequest[] = [];
    const object: OpenObject = {
      facts: { size: 0, headers: {} },
      read: () => Promise.reject(new Error("Nothing to read")),
    };
    const source: Source = {
      open: async (_key, request) => {
        seen.push(request);
        return object;
      },
    };
    const { download } = watchDownload();
    const wish = { want: "facts", version: "v7", s3PartNumber: 3 } as const;
    expect(await openObject(source, "a key", wish, download)).toBe(object);
    const { permits, signal, observe } = download;
    expect(seen).toEqual([{ ...wish, permits, signal, observe }]);
    download.close("done");
  });

  it("tries again at once after a reset: a kept-alive connection may have died", async () => {
    const { store, watched, opening } = setUp([reset]);
    await vi.advanceTimersByTimeAsync(0);
    await opening;
    expect(store.seen).toHaveLength(2);
    watched.download.close("done");
    expect(expectSettled(watched)).toMatchObject({ retries: 1, subrequests: 2 });
  });

  it("backs off between tries, and asks at most three times", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    onTestFinished(() => void vi.restoreAllMocks());
    const { store, watched, opening } = setUp([unavailable, unavailable, unavailable]);
    await vi.advanceTimersByTimeAsync(0);
    expect(store.seen).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(opening).rejects.toMatchObject({ kind: "unavailable", status: 503 });
    expect(store.seen).toHaveLength(3);
    watched.download.close("upstream");
    expect(expectSettled(watched)).toMatchObject({ retries: 2, subrequests: 3 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("backs off after a second reset", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    onTestFinished(() => void vi.restoreAllMocks());
    const { store, watched, opening } = setUp([reset, reset]);
    await vi.advanceTimersByTimeAsync(0);
    expect(store.seen).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1_000);
    await opening;
    expect(store.seen).toHaveLength(3);
    watched.download.close("done");
  });

  it("hands a Retry-After of more than 2 s on to the client", async () => {
    for (const [retryAfterMs, asked] of [
      [2_000, 2],
      [2_001, 1],
    ] as const) {
      const error = new ReadaheadError("throttled", "Upstream answered 429", { retryAfterMs });
      const { store, watched, opening } = setUp([{ kind: "error", error }]);
      await vi.advanceTimersByTimeAsync(3_000);
      if (asked === 1) await expect(opening).rejects.toBe(error);
      else await opening;
      expect(store.seen).toHaveLength(asked);
      watched.download.close("done");
    }
  });

  it("asks another replica where one says nothing", async () => {
    const faults = [{ at: 0, fault: { kind: "stall", after: "before-headers" } as const }];
    const store = new MemoryStore({ size: 100, faults, replicas: ["silent:1", "well:1"] });
    const { download } = watchDownload();
    const opening = openObject(store.source, "object", { want }, download);
    await vi.advanceTimersByTimeAsync(5_000);
    expect((await opening).first?.range).toEqual(want);
    expect(store.seen).toHaveLength(2);
    download.close("done");
  });

  it.for([403, 404, 412])("does not ask again after a %i", async (status) => {
    const { store, watched, opening } = setUp([{ kind: "status", status }]);
    await expect(opening).rejects.toBeInstanceOf(ReadaheadError);
    expect(store.seen).toHaveLength(1);
    watched.download.close("upstream");
  });

  it("does not hide a fault of ours behind a retry", async () => {
    const fault = new TypeError("x is undefined");
    const open = vi.fn(() => Promise.reject(fault));
    const { download } = watchDownload();
    await expect(openObject({ open }, "object", { want }, download)).rejects.toBe(fault);
    expect(open).toHaveBeenCalledTimes(1);
    download.close("exception", fault);
  });

  it("gives a store up that says nothing until the deadline: it is not asked again", async () => {
    const silent: MemoryFault = { kind: "stall", after: "before-headers" };
    const { store, watched, opening } = setUp([silent, silent, silent]);
    await vi.advanceTimersByTimeAsync(29_000);
    expect(store.seen).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(65_000);
    await expect(opening).rejects.toMatchObject({ kind: "unavailable", silent: true });
    expect(store.seen).toHaveLength(1);
    expect(watched.download.signal.aborted).toBe(false);
    watched.download.close("upstream");
  });

  it("does not ask again for a client that left, whatever the source makes of the abort", async () => {
    const { download } = watchDownload();
    const reason = new Error("The client has left");
    const open = vi.fn(async () => {
      download.close("client-signal", reason);
      throw new ReadaheadError("unavailable", "The connection is gone", { connection: true });
    });
    await expect(openObject({ open }, "object", { want }, download)).rejects.toBe(reason);
    expect(open).toHaveBeenCalledTimes(1);
  });

  it("ends with the client's own reason, before headers and during back-off", async () => {
    const reason = new DOMException("The client has left", "AbortError");
    for (const fault of [{ kind: "stall", after: "before-headers" }, unavailable] as const) {
      const { client, store, watched, opening } = setUp([fault, fault, fault]);
      await vi.advanceTimersByTimeAsync(0);
      client.abort(reason);
      expect(vi.getTimerCount()).toBe(0);
      await expect(opening).rejects.toBe(reason);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(store.seen).toHaveLength(1);
      expect(closedEvent(watched).endedBy).toBe("client-signal");
      expectSettled(watched);
    }
  });
});
