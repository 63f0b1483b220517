import { describe, expect, it } from "vitest";
import { createServerTiming } from "../../src/observe/server-timing.ts";

describe("createServerTiming", () => {
  it("says nothing before anything was measured", () => {
    expect(createServerTiming(0).format()).toBeUndefined();
  });

  it("tells the opening request, the lookups and the store's first headers apart", () => {
    const timing = createServerTiming(100);
    timing.onEvent({ type: "lookup-requested", at: 100, id: 1, purpose: "lookup", replica: "a" });
    timing.onEvent({ type: "lookup-answered", at: 104.04, id: 1, ok: true });
    timing.onEvent({ type: "lookup-requested", at: 104.04, id: 2, purpose: "open", replica: "a" });
    timing.onEvent({ type: "lookup-requested", at: 105, id: 3, purpose: "key", replica: "b" });
    timing.onEvent({ type: "lookup-answered", at: 107, id: 3, ok: false, kind: "unavailable" });
    timing.onEvent({ type: "lookup-answered", at: 116.5, id: 2, ok: true });
    timing.onEvent({ type: "part-answered", at: 116.5, part: 0, attempt: 1, replica: "a" });
    timing.onEvent({ type: "part-answered", at: 190, part: 1, attempt: 1, replica: "a" });
    expect(timing.format()).toBe('open;dur=12.5, lookup;dur=6;desc="2", first-byte;dur=16.5');
  });

  it("adds up requests that opened the object twice", () => {
    const timing = createServerTiming(0);
    for (const id of [1, 2]) {
      timing.onEvent({ type: "lookup-requested", at: 10 * id, id, purpose: "open", replica: "a" });
      timing.onEvent({ type: "lookup-answered", at: 10 * id + id, id, ok: true });
      timing.onEvent({ type: "lookup-answered", at: 90, id, ok: true });
    }
    expect(timing.format()).toBe("open;dur=3");
  });

  it("names no replica", () => {
    const timing = createServerTiming(0);
    timing.onEvent({
      type: "lookup-requested",
      at: 0,
      id: 1,
      purpose: "open",
      replica: "10.1.1.1",
    });
    timing.onEvent({ type: "lookup-answered", at: 1, id: 1, ok: true });
    expect(timing.format()).not.toContain("10.1.1.1");
  });
});
