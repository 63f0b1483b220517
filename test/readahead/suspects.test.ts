import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { absolve, isSuspect, suspect } from "../../src/readahead/suspects.ts";
import { MemoryStore } from "./support/memory-store.ts";
import { readRamp } from "./support/read-stream.ts";
import { expectSettled, watchDownload } from "./support/watched-download.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  // The memory is the isolate's: let every name of this test lapse.
  vi.advanceTimersByTime(200_000);
  vi.useRealTimers();
});

describe("a suspect address", () => {
  it("is asked last for 90 s", () => {
    expect(isSuspect("a:1")).toBe(false);
    suspect("a:1");
    expect(isSuspect("a:1")).toBe(true);
    expect(isSuspect("b:1")).toBe(false);
    vi.advanceTimersByTime(89_999);
    expect(isSuspect("a:1")).toBe(true);
    vi.advanceTimersByTime(1);
    expect(isSuspect("a:1")).toBe(false);
  });

  it("is cleared by an answer", () => {
    suspect("a:1");
    absolve("a:1");
    expect(isSuspect("a:1")).toBe(false);
    absolve("never:1");
  });

  it("is suspect from its last failure on", () => {
    suspect("a:1");
    vi.advanceTimersByTime(80_000);
    suspect("a:1");
    vi.advanceTimersByTime(80_000);
    expect(isSuspect("a:1")).toBe(true);
  });

  it("is forgotten when a thousand others came after it: the memory is bounded", () => {
    suspect("old:1");
    suspect("renewed:1");
    for (let number = 0; number < 1022; number += 1) suspect(`other-${number}:1`);
    suspect("renewed:1");
    expect(isSuspect("old:1")).toBe(true);
    suspect("one-more:1");
    expect(isSuspect("old:1")).toBe(false);
    suspect("another:1");
    expect(isSuspect("renewed:1")).toBe(true);
    expect(isSuspect("other-0:1")).toBe(false);
  });
});

describe("a download", () => {
  const limits = { partBytes: 10_000 };

  it("makes an address suspect that failed twice as such, and asks it last", async () => {
    const reset = { kind: "reset", after: "before-headers" } as const;
    const faults = [0, 1].map((at) => ({ at, fault: reset }));
    const replicas = ["dead:1", "well:1"];
    const store = new MemoryStore({ size: 100_000, known: true, faults, replicas });
    const watched = watchDownload({ limits: { ...limits, windowParts: 1 } });
    expect(await readRamp(await watched.stream(store.source))).toBe(100_000);
    expect(replicas.map(isSuspect)).toEqual([true, false]);
    expect(store.reads.filter(({ replica }) => replica === "dead:1")).toHaveLength(2);
    expectSettled(watched);
  });

  it("clears the address that answers it", async () => {
    suspect("back:1");
    const store = new MemoryStore({ size: 20_000, known: true, replicas: ["back:1"] });
    const watched = watchDownload({ limits });
    expect(await readRamp(await watched.stream(store.source))).toBe(20_000);
    expect(isSuspect("back:1")).toBe(false);
    expectSettled(watched);
  });
});
