/** The states of the cancellation table, each with the way into it. */

import { expect, vi } from "vitest";
import type { EndedBy } from "../../../src/readahead/events.ts";
import type { Limits } from "../../../src/readahead/limits.ts";
import { Reserve } from "../../../src/readahead/reserve.ts";
import { KiB } from "../../support/units.ts";
import {
  begin,
  beginAlone,
  keep,
  OTHER_BYTES,
  PART,
  readUntilPending,
  type Scene,
  SIZE,
  settle,
  type TableFault,
} from "./cancellation-scene.ts";

/** A moment of a download's life. */
export interface State {
  readonly name: string;
  readonly limits?: Partial<Limits>;
  readonly faults?: readonly TableFault[];
  readonly needsLookup?: true;
  /** How it ended before anybody left. */
  readonly over?: EndedBy;
  reach(scene: Scene): Promise<void>;
}

/** A head that lags: late enough in the object that its bytes are a small share of those sent. */
const LAGGARD = { at: 20, fault: { kind: "stall", after: 200 * KiB } } as const;
/** The second request for its bytes: two parts behind it are asked for before. */
const HEDGE = LAGGARD.at + 3;

/** Reads until the laggard is raced. */
async function reachHedge(scene: Scene): Promise<void> {
  await begin(scene);
  await readUntilPending(scene);
  await vi.advanceTimersByTimeAsync(400);
  expect(scene.watched.ofType("hedge")).toMatchObject([{ part: LAGGARD.at }]);
  expect(scene.store.stats().requests).toBe(HEDGE + 1);
}

/** In the order of a download's life, as far as it has one. */
export const states: readonly State[] = [
  {
    name: "waiting for the first headers, in open",
    faults: [{ at: 0, fault: { kind: "stall", after: "before-headers" } }],
    async reach(scene) {
      keep(scene, scene.watched.open(scene.store.source));
      await settle();
      expect(scene.store.stats().unanswered).toBe(1);
    },
  },
  {
    name: "opened and not started",
    async reach(scene) {
      await scene.watched.open(scene.store.source);
      await settle();
    },
  },
  {
    name: "waiting for the first headers, in start",
    faults: [0, 1, 2].map((at) => ({ at, fault: { kind: "stall", after: "before-headers" } })),
    async reach(scene) {
      const object = await scene.store.known(scene.watched);
      keep(scene, scene.watched.start(object, [{ start: 0, end: SIZE }]));
      await settle();
      expect(scene.store.stats().unanswered).toBe(3);
    },
  },
  {
    name: "before the first read, nothing settled",
    reach: begin,
  },
  {
    name: "first answer there, the window still shut",
    async reach(scene) {
      await beginAlone(scene);
      expect(scene.store.stats().requests).toBe(1);
    },
  },
  {
    name: "parts settled but unread",
    async reach(scene) {
      await begin(scene);
      await settle();
      expect(scene.store.stats()).toMatchObject({ requests: 3, openBodies: 0, unanswered: 0 });
      expect(scene.watched.budget.held).toBeGreaterThanOrEqual(3 * PART);
    },
  },
  {
    name: "in the middle of a part, between two reads",
    async reach(scene) {
      await begin(scene);
      const { value } = (await scene.reader?.read()) ?? {};
      scene.read = value?.byteLength ?? 0;
      expect(scene.read).toBeGreaterThan(0);
    },
  },
  {
    name: "source stalled mid-body, no read pending",
    faults: [{ at: 0, fault: { kind: "stall", after: 100 * KiB } }],
    async reach(scene) {
      await begin(scene);
      await settle();
      expect(scene.store.stats().openBodies).toBe(1);
    },
  },
  {
    name: "source stalled mid-body, read pending",
    faults: [{ at: 0, fault: { kind: "stall", after: 100 * KiB } }],
    async reach(scene) {
      await begin(scene);
      await readUntilPending(scene);
      expect(scene.read).toBeGreaterThanOrEqual(64 * KiB);
      expect(scene.store.stats().openBodies).toBe(1);
    },
  },
  {
    name: "next parts waiting for headers, read pending",
    faults: [1, 2, 3].map((at) => ({ at, fault: { kind: "stall", after: "before-headers" } })),
    async reach(scene) {
      await begin(scene);
      await readUntilPending(scene);
      expect(scene.read).toBe(PART);
      expect(scene.store.stats().unanswered).toBe(3);
    },
  },
  {
    name: "a part queued for a permit",
    limits: { unanswered: 1 },
    faults: [
      { at: 0, fault: { kind: "reset", after: 70 * KiB } },
      { at: 1, fault: { kind: "stall", after: "before-headers" } },
      { at: 2, fault: { kind: "stall", after: "before-headers" } },
    ],
    async reach(scene) {
      const object = await scene.store.known(scene.watched);
      const stream = await scene.watched.start(object, [{ start: 0, end: SIZE }]);
      scene.reader = stream.getReader();
      await readUntilPending(scene);
      expect(scene.watched.ofType("attempt-ended").map(({ end }) => end)).toEqual([
        "failed",
        "put-back",
      ]);
      // The one that was put back waits; behind a store that answers a few turns later, another part does, too.
      expect(scene.watched.ofType("part-requested").at(-1)).toMatchObject({ part: 1, attempt: 2 });
      expect(scene.store.stats()).toMatchObject({ requests: 3, unanswered: 1 });
    },
  },
  {
    name: "during back-off",
    faults: [{ at: 1, fault: { kind: "status", status: 503 } }],
    async reach(scene) {
      await begin(scene);
      await readUntilPending(scene);
      expect(scene.watched.ofType("retry")).toMatchObject([{ part: 1 }]);
      expect(scene.watched.ofType("retry")[0]?.delayMs).toBeGreaterThan(0);
    },
  },
  {
    name: "during a lookup",
    needsLookup: true,
    faults: [{ at: 0, fault: { kind: "status", status: 503 } }],
    async reach(scene) {
      const object = await scene.store.withLookup?.(scene.watched);
      if (object === undefined) throw new Error("The store has no lookups");
      keep(scene, scene.watched.start(object, [{ start: 0, end: SIZE }]));
      await settle();
      expect(scene.watched.ofType("lookup-requested")).toHaveLength(1);
      expect(scene.watched.ofType("lookup-answered")).toHaveLength(0);
    },
  },
  {
    name: "during a hedge, whose headers are awaited",
    faults: [LAGGARD, { at: HEDGE, fault: { kind: "stall", after: "before-headers" } }],
    async reach(scene) {
      await reachHedge(scene);
      expect(scene.store.stats()).toMatchObject({ openBodies: 1, unanswered: 1 });
    },
  },
  {
    name: "during a hedge that is ahead",
    faults: [LAGGARD, { at: HEDGE, fault: { kind: "stall", after: 20 * KiB } }],
    async reach(scene) {
      const { watched, store } = scene;
      await reachHedge(scene);
      // The hedge has brought what the client was waiting for.
      await scene.pending.pop();
      await readUntilPending(scene);
      expect(watched.ofType("attempt-ended").at(-1)).toMatchObject({ end: "outrun", attempt: 1 });
      expect(store.stats()).toMatchObject({ openBodies: 1, unanswered: 0 });
    },
  },
  {
    name: "waiting for its reserve",
    limits: { budgetBytes: 4 * 1024 * KiB },
    async reach(scene) {
      scene.other = scene.watched.budget.lease();
      scene.other.reserve(OTHER_BYTES);
      const object = await scene.store.known(scene.watched);
      const reserving = { ...object, reserve: () => new Reserve(3 * 1024 * KiB) };
      keep(scene, scene.watched.start(reserving, [{ start: 0, end: SIZE }]));
      await settle();
      expect(vi.getTimerCount()).toBe(1);
    },
  },
  {
    name: "head parked without memory, then let go",
    limits: { budgetBytes: 0, holdMs: 1000 },
    async reach(scene) {
      await begin(scene);
      await settle();
      expect(scene.store.stats().openBodies).toBe(1);
      await vi.advanceTimersByTimeAsync(1500);
      expect(scene.watched.ofType("let-go")).toHaveLength(1);
      expect(scene.store.stats().openBodies).toBe(0);
    },
  },
  {
    name: "head parked without memory",
    limits: { budgetBytes: 0 },
    async reach(scene) {
      await begin(scene);
      await settle();
      expect(scene.store.stats().openBodies).toBe(1);
    },
  },
  {
    name: "after error",
    over: "upstream",
    faults: [{ at: 1, fault: { kind: "status", status: 412 } }],
    async reach(scene) {
      await begin(scene);
      await readUntilPending(scene);
      await expect(scene.pending[0]).rejects.toMatchObject({ kind: "changed" });
      scene.pending.length = 0;
    },
  },
  {
    name: "after end",
    over: "done",
    async reach(scene) {
      await begin(scene);
      await readUntilPending(scene);
      expect(scene.read).toBe(SIZE);
    },
  },
];
