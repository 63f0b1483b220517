import { describe, expect, it } from "vitest";
import { RecentFacts } from "../../src/http/recent-facts.ts";
import type { Facts } from "../../src/sources/source.ts";

const pinned: Facts = { size: 10, etag: '"v1"', pin: { by: "etag", value: '"v1"' }, headers: {} };

describe("RecentFacts", () => {
  it("believes facts for a while and no longer", () => {
    let now = 0;
    const recent = new RecentFacts({ factsMs: 100, now: () => now });
    recent.remember("a", pinned);
    now = 99;
    expect(recent.recall("a")).toBe(pinned);
    now = 100;
    expect(recent.recall("a")).toBeUndefined();
    expect(recent.size).toBe(0);
  });

  it.each<[string, Facts]>([
    ["no pin", { size: 10, headers: {} }],
    ["no size", { ...pinned, size: undefined }],
    ["no bytes, whose pin no read would check", { ...pinned, size: 0 }],
    ["a reason not to resume", { ...pinned, unversioned: "weak tag" }],
  ])("keeps nothing with %s, and drops what it had", (_name, facts) => {
    const recent = new RecentFacts({ now: () => 0 });
    recent.remember("a", pinned);
    recent.remember("a", facts);
    expect(recent.size).toBe(0);
  });

  it("keeps a bounded number, the newest", () => {
    const recent = new RecentFacts({ entries: 2, now: () => 0 });
    for (const name of ["a", "b", "a", "c"]) recent.remember(name, pinned);
    expect(recent.size).toBe(2);
    expect(recent.recall("b")).toBeUndefined();
    expect(recent.recall("a")).toBe(pinned);
    expect(recent.recall("c")).toBe(pinned);
  });

  it("keeps no headers that would fill the memory", () => {
    const recent = new RecentFacts();
    const headers = (length: number) => ({ "x-amz-meta-a": "x".repeat(length) });
    recent.remember("a", { ...pinned, headers: headers(4_000) });
    recent.remember("b", { ...pinned, headers: headers(4_100) });
    expect([recent.recall("a") !== undefined, recent.size]).toEqual([true, 1]);
  });

  it("keeps nothing under a name that is longer than any key", () => {
    const recent = new RecentFacts();
    recent.remember("a".repeat(5_000), pinned);
    expect(recent.size).toBe(0);
  });

  it("forgets on demand, and keeps nothing when told so", () => {
    const recent = new RecentFacts({ now: () => 0 });
    recent.remember("a", pinned);
    recent.forget("a");
    expect(recent.recall("a")).toBeUndefined();
    for (const factsMs of [-1, 3_600_001, Number.NaN])
      expect(() => new RecentFacts({ factsMs })).toThrow(RangeError);
    const none = new RecentFacts({ factsMs: 0, now: () => 0 });
    none.remember("a", pinned);
    expect(none.size).toBe(0);
  });
});
