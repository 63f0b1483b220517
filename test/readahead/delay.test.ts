import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { delay } from "../../src/readahead/delay.ts";

describe("delay", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

  it("resolves after the time, and leaves neither timer nor listener", async () => {
    const { signal } = new AbortController();
    const waited = delay(1_000, signal);
    expect(listeners(signal)).toBe(1);
    vi.advanceTimersByTime(999);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(1);
    await expect(waited).resolves.toBeUndefined();
    expect([vi.getTimerCount(), listeners(signal)]).toEqual([0, 0]);
  });

  it("rejects with the signal's own reason in the same turn, and leaves neither", async () => {
    const controller = new AbortController();
    const waited = delay(1_000, controller.signal);
    const reason = new Error("The client has left");
    controller.abort(reason);
    expect([vi.getTimerCount(), listeners(controller.signal)]).toEqual([0, 0]);
    await expect(waited).rejects.toBe(reason);
  });

  it("starts nothing when the signal was aborted before", async () => {
    const reason = new Error("The client had left");
    const signal = AbortSignal.abort(reason);
    await expect(delay(1_000, signal)).rejects.toBe(reason);
    expect([vi.getTimerCount(), listeners(signal)]).toEqual([0, 0]);
  });
});
