import { describe, expect, it } from "vitest";
import { createReplicaLabels } from "../../src/observe/replica-labels.ts";
import { createTimeline, TIMELINE_PARTS } from "../../src/observe/timeline.ts";
import { choose, type Row, toTimeline } from "../../src/observe/timeline-columns.ts";
import type { ReadaheadEvent } from "../../src/readahead/events.ts";
import { type SyntheticOptions, syntheticDownload } from "./support/synthetic-download.ts";

function timelineOf(options: SyntheticOptions, rows = TIMELINE_PARTS) {
  const timeline = createTimeline(1000, createReplicaLabels(false));
  for (const event of syntheticDownload(options)) timeline.onEvent(event);
  const snapshot = timeline.snapshot(rows);
  if (snapshot === null) throw new Error("no part was asked for");
  return { timeline, snapshot };
}

describe("columns", () => {
  const row = (part: number, start: number): Row => ({
    part,
    start,
    firstByte: start + 1.2,
    end: start + 2.4,
    delivered: start + 3.6,
    attempts: 1,
    replica: undefined,
  });

  it("are of whole milliseconds that add up", () => {
    const timeline = toTimeline(1, [row(0, 0.4)], [], []);
    expect(timeline).toMatchObject({ start: [0], wait: [2], receive: [1], held: [1] });
  });

  it("have as many rows as there is room for, whatever must be told", () => {
    const rows = [row(0, 0), row(1, 1), row(2, 2)];
    expect(choose(2, rows, rows).map(({ part }) => part)).toEqual([0, 1]);
    expect(choose(2, rows.slice(2), rows).map(({ part }) => part)).toEqual([0, 2]);
  });
});

describe("createTimeline", () => {
  it("tells waiting, receiving and being held apart", () => {
    const { snapshot } = timelineOf({
      parts: 3,
      window: 3,
      receive: (part) => (part === 0 ? 100 : 30),
    });
    expect(snapshot).toEqual({
      of: 3,
      part: [0, 1, 2],
      start: [5, 5, 5],
      wait: [20, 20, 20],
      receive: [100, 30, 30],
      held: [0, 70, 70],
      attempts: [1, 1, 1],
      replica: [0, 0, 0],
      replicas: ["r1"],
      again: [],
      lookups: [["lookup", 0, 4]],
    });
  });

  it("takes the delivery for the end of a part of which no other was told", () => {
    const timeline = createTimeline(0, createReplicaLabels(false));
    const part = { part: 0, attempt: 1 };
    const range = { start: 0, end: 1 };
    timeline.onEvent({ type: "part-requested", at: 10, ...part, range, hedge: false });
    timeline.onEvent({ type: "part-answered", at: 20, ...part, replica: "a" });
    timeline.onEvent({ type: "part-delivered", at: 50, part: 0 });
    expect(timeline.snapshot(1)).toMatchObject({ wait: [10], receive: [30], held: [0] });
  });

  it("names the slowest part by its last byte, the first of equals", () => {
    const { timeline } = timelineOf({
      parts: 3,
      window: 3,
      receive: (part) => (part === 0 ? 100 : 30),
      clientMs: 500,
    });
    expect(timeline.slowest(5000)).toMatchObject({ part: 0, ms: 120 });
    const even = timelineOf({ parts: 3, window: 3 });
    expect(even.timeline.slowest(5000)?.part).toBe(0);
  });

  it("says null for what a part never reached", () => {
    const { snapshot } = timelineOf({
      parts: 4,
      window: 4,
      leaveAt: 0,
      wait: (part) => (part === 3 ? 500 : 20),
      receive: (part) => (part === 2 ? 500 : part === 1 ? 25 : 30),
      clientMs: 10,
    });
    expect(snapshot.wait).toEqual([20, 20, 20, null]);
    expect(snapshot.receive).toEqual([30, 25, null, null]);
    expect(snapshot.held).toEqual([0, null, null, null]);
  });

  it("marks a retry with its time and names the replica that answered in the end", () => {
    const { snapshot, timeline } = timelineOf({
      parts: 4,
      window: 2,
      failures: (part) => (part === 1 ? 1 : 0),
      replica: (_part, attempt) => `10.0.0.${attempt}`,
    });
    expect(snapshot.attempts).toEqual([1, 2, 1, 1]);
    expect(snapshot.replica).toEqual([0, 1, 0, 0]);
    expect(snapshot.again).toEqual([[1, 25, "r"]]);
    expect(timeline.retriedFor()).toEqual({ unavailable: 1 });
  });

  it("keeps all of 200 parts", () => {
    expect(timelineOf({ parts: 200 }).snapshot.part).toEqual(
      Array.from({ length: 200 }, (_, i) => i),
    );
  });

  it.each([201, 401, 1000, 12_345])(
    "thins %i parts evenly to 200 and keeps the slowest",
    (parts) => {
      const slow = Math.floor(parts / 3) | 1;
      const { snapshot, timeline } = timelineOf({
        parts,
        wait: (part) => (part === slow ? 700 : 20),
      });
      expect(snapshot.of).toBe(parts);
      expect(snapshot.part.length).toBeLessThanOrEqual(TIMELINE_PARTS);
      expect(snapshot.part.length).toBeGreaterThan(TIMELINE_PARTS * 0.9);
      expect(snapshot.part).toContain(slow);
      expect(timeline.slowest(1e9)).toMatchObject({ part: slow, waitMs: 700 });
      const gaps = snapshot.part.slice(1).map((part, i) => part - (snapshot.part[i] ?? 0));
      expect(Math.max(...gaps)).toBeLessThanOrEqual(4 * Math.ceil(parts / TIMELINE_PARTS));
      for (const column of [
        snapshot.start,
        snapshot.wait,
        snapshot.receive,
        snapshot.held,
        snapshot.attempts,
        snapshot.replica,
      ])
        expect(column.length).toBe(snapshot.part.length);
    },
  );

  it("shows what was in flight when the download ended", () => {
    const { snapshot } = timelineOf({
      parts: 5000,
      window: 16,
      leaveAt: 2600,
      wait: (part) => part % 50,
    });
    expect(snapshot.part.at(-1)).toBeGreaterThan(2600);
  });

  it("calls the part in flight the slowest when it is", () => {
    const { timeline } = timelineOf({
      parts: 9,
      window: 4,
      leaveAt: 0,
      wait: (part) => (part === 2 ? 1e5 : 20),
    });
    expect(timeline.slowest(9000)).toMatchObject({ part: 2, ms: 8995, waitMs: null });
  });

  it("lists the opening and the first lookups, answered or not, and no more", () => {
    const timeline = createTimeline(0, createReplicaLabels(false));
    for (let id = 0; id < 50; id++) {
      const purpose = id === 0 ? "open" : "lookup";
      timeline.onEvent({ type: "lookup-requested", at: id, id, purpose, replica: "a" });
      if (id !== 1) timeline.onEvent({ type: "lookup-answered", at: id + 7, id, ok: true });
    }
    timeline.onEvent({
      type: "part-requested",
      at: 9,
      part: 0,
      attempt: 1,
      range: { start: 0, end: 1 },
      hedge: false,
    });
    const lookups = timeline.snapshot(9)?.lookups;
    expect(lookups).toHaveLength(12);
    expect(lookups?.slice(0, 3)).toEqual([
      ["open", 0, 7],
      ["lookup", 1, null],
      ["lookup", 2, 7],
    ]);
  });

  it("tells the last download of a request that had two", () => {
    const timeline = createTimeline(1000, createReplicaLabels(false));
    const stale = syntheticDownload({ parts: 1, failures: () => 1, leaveAt: 0 });
    for (const event of [...stale, ...syntheticDownload({ parts: 3, beganAt: 1500 })])
      timeline.onEvent(event);
    expect(timeline.snapshot(9)).toMatchObject({
      of: 3,
      start: [505, 505, 505],
      attempts: [1, 1, 1],
      again: [],
    });
    expect(timeline.firstByteMs()).toBe(45);
    expect(timeline.retriedFor()).toBeUndefined();
  });

  it("counts retries by the kind of failure", () => {
    const { timeline } = timelineOf({ parts: 4, failures: (part) => (part < 2 ? 1 : 0) });
    const retry = { type: "retry", at: 1, part: 3, delayMs: 0, from: 0 } as const;
    timeline.onEvent({ ...retry, kind: "truncated" });
    expect(timeline.retriedFor()).toEqual({ unavailable: 2, truncated: 1 });
  });

  it("is there as soon as a store was asked, and not before", () => {
    const timeline = createTimeline(0, createReplicaLabels(false));
    expect(timeline.snapshot(9)).toBeNull();
    timeline.onEvent({ type: "lookup-requested", at: 5, id: 0, purpose: "open", replica: "a" });
    expect(timeline.snapshot(9)).toMatchObject({ of: 0, lookups: [["open", 5, null]] });
    expect(timeline.snapshot(0)).toBeNull();
  });

  it("holds a bounded number of rows however long the download is", () => {
    const timeline = createTimeline(0, createReplicaLabels(false));
    let most = 0;
    for (let part = 0; part < 50_000; part++) {
      const range = { start: part, end: part + 1 };
      const events: ReadaheadEvent[] = [
        { type: "part-requested", at: part, part, attempt: 1, range, hedge: false },
        { type: "part-answered", at: part, part, attempt: 1, replica: "r" },
        { type: "attempt-ended", at: part + 1, part, attempt: 1, bytes: 1, end: "complete" },
        { type: "part-delivered", at: part + 1, part },
      ];
      for (const event of events) timeline.onEvent(event);
      if (part % 1000 === 0) most = Math.max(most, timeline.snapshot(1e9)?.part.length ?? 0);
    }
    expect(most).toBeLessThanOrEqual(2 * TIMELINE_PARTS + 8);
  });
});
