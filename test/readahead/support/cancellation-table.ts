/**
 * The cancellation table: every state a download can be in, times every way it can end, against any source.
 *
 * How to plug a source in: give `describeCancellation` a name and a function that makes a store with the script it is
 * handed. A new state is one more entry of `states`; a way to leave is one more of `ways`.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Lease } from "../../../src/readahead/budget.ts";
import type { EndedBy } from "../../../src/readahead/events.ts";
import type { Limits } from "../../../src/readahead/limits.ts";
import type { OpenObject, Source } from "../../../src/sources/source.ts";
import { checkLeaks } from "../../support/leak-check.ts";
import { expectRamp } from "./read-stream.ts";
import {
  closedEvent,
  expectSettled,
  type WatchedDownload,
  watchDownload,
} from "./watched-download.ts";

/** Faults that every fake store can play: of the n-th request with bytes, from 0. */
export interface TableFault {
  readonly at: number;
  readonly fault:
    | { readonly kind: "status"; readonly status: number }
    | { readonly kind: "reset" | "stall"; readonly after: number | "before-headers" };
}

/** What the table needs of a store. */
export interface TableStore {
  readonly source: Source;
  /** Signals of every upstream request sent. */
  readonly signals: readonly AbortSignal[];
  stats(): {
    readonly requests: number;
    readonly openBodies: number;
    readonly unanswered: number;
  };
  /** The object, from facts known before: no request, no first answer. */
  known(watched: WatchedDownload): OpenObject | Promise<OpenObject>;
  /** The same with a `refresh` that waits for a lookup that never comes; absent: the source has no lookups. */
  withLookup?(watched: WatchedDownload): OpenObject | Promise<OpenObject>;
}

export interface TableScript {
  readonly size: number;
  readonly faults: readonly TableFault[];
}

const KIB = 1024;
const PART = 256 * KIB;
const SIZE = 24 * PART + 77;
/** What another download holds, in the states that have one. */
const OTHER_BYTES = 2 * 1024 * KIB;

interface Scene {
  readonly store: TableStore;
  readonly watched: WatchedDownload;
  readonly client: AbortController;
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** What the state left pending; settles when the client is gone. */
  readonly pending: Promise<unknown>[];
  read: number;
  /** The lease of a download beside this one. */
  other?: Lease;
}

interface State {
  readonly name: string;
  readonly limits?: Partial<Limits>;
  readonly faults?: readonly TableFault[];
  readonly needsLookup?: true;
  /** How it ended before anybody left. */
  readonly over?: EndedBy;
  reach(scene: Scene): Promise<void>;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await vi.advanceTimersByTimeAsync(0);
}

/** Until headers can be sent; the window behind the first answer is still shut. */
async function beginAlone(scene: Scene): Promise<void> {
  scene.reader = (await scene.watched.stream(scene.store.source)).getReader();
}

/** Until the window is open. */
async function begin(scene: Scene): Promise<void> {
  await beginAlone(scene);
  await vi.advanceTimersByTimeAsync(2);
}

/** Reads until a read stays pending; that one is kept. */
async function readUntilPending(scene: Scene): Promise<void> {
  for (;;) {
    const read = scene.reader?.read();
    if (read === undefined) throw new Error("The scene has no stream");
    let result: Awaited<typeof read> | undefined;
    const seen = read.then((value) => {
      result = value;
      if (value.done) return;
      expectRamp(value.value, scene.read);
      scene.read += value.value.byteLength;
    });
    // Whoever leaves decides how it ends; the rejection has its handler here.
    seen.catch(() => undefined);
    await settle();
    if (result === undefined) {
      scene.pending.push(seen);
      return;
    }
    if (result.done) return;
  }
}

function keep(scene: Scene, work: Promise<unknown>): void {
  work.catch(() => undefined);
  scene.pending.push(work);
}

/** A head that lags: late enough in the object that its bytes are a small share of those sent. */
const LAGGARD = { at: 20, fault: { kind: "stall", after: 200 * KIB } } as const;
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

const states: readonly State[] = [
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
    faults: [{ at: 0, fault: { kind: "stall", after: 100 * KIB } }],
    async reach(scene) {
      await begin(scene);
      await settle();
      expect(scene.store.stats().openBodies).toBe(1);
    },
  },
  {
    name: "source stalled mid-body, read pending",
    faults: [{ at: 0, fault: { kind: "stall", after: 100 * KIB } }],
    async reach(scene) {
      await begin(scene);
      await readUntilPending(scene);
      expect(scene.read).toBeGreaterThanOrEqual(64 * KIB);
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
      { at: 0, fault: { kind: "reset", after: 70 * KIB } },
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
      expect(scene.watched.ofType("part-requested")).toHaveLength(4);
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
    faults: [LAGGARD, { at: HEDGE, fault: { kind: "stall", after: 20 * KIB } }],
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
    limits: { budgetBytes: 4 * 1024 * KIB },
    async reach(scene) {
      scene.other = scene.watched.budget.lease();
      scene.other.reserve(OTHER_BYTES);
      const object = await scene.store.known(scene.watched);
      const reserving = { ...object, reserveBytes: () => 3 * 1024 * KIB };
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

interface Way {
  readonly name: string;
  readonly endedBy: EndedBy;
  /** Leaves; false where this state gives nothing to leave by. */
  leave(scene: Scene): boolean;
}

const reason = new DOMException("The client has left", "AbortError");

const ways: readonly Way[] = [
  {
    name: "signal",
    endedBy: "client-signal",
    leave(scene) {
      scene.client.abort(reason);
      return true;
    },
  },
  {
    name: "stream.cancel()",
    endedBy: "stream-cancel",
    leave(scene) {
      if (scene.reader === undefined) return false;
      scene.reader.cancel().catch(() => undefined);
      return true;
    },
  },
  {
    name: "failed write",
    endedBy: "write-failed",
    leave(scene) {
      if (scene.reader === undefined) return false;
      scene.reader.cancel(new TypeError("Connection lost")).catch(() => undefined);
      return true;
    },
  },
  {
    name: "close()",
    endedBy: "exception",
    leave(scene) {
      scene.watched.download.close("exception", reason);
      return true;
    },
  },
];

function countAborted(store: TableStore): number {
  return store.signals.filter((signal) => signal.aborted).length;
}

function expectFreed(scene: Scene, before: number): void {
  const { budget, events } = scene.watched;
  const [leases, held] = scene.other === undefined ? [0, 0] : [1, OTHER_BYTES];
  expect(budget.leases).toBe(leases);
  expect(budget.held).toBe(held);
  expect(budget.open).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
  expect(scene.watched.download.signal.aborted).toBe(true);
  expect(countAborted(scene.store)).toBeGreaterThanOrEqual(before);
  expect(events.filter(({ type }) => type === "closed")).toHaveLength(1);
}

/** Runs the whole table against one source. */
export function describeCancellation(
  name: string,
  createStore: (script: TableScript) => TableStore,
): void {
  describe(`a client leaves ${name}`, () => {
    beforeEach(() => {
      vi.useFakeTimers();
      vi.spyOn(Math, "random").mockReturnValue(0.75);
    });
    afterEach(() => {
      vi.restoreAllMocks();
      vi.useRealTimers();
    });
    checkLeaks();

    for (const state of states) {
      describe(state.name, () => {
        for (const way of ways) {
          it(`by ${way.name}`, async ({ skip }) => {
            const store = createStore({ size: SIZE, faults: state.faults ?? [] });
            if (state.needsLookup && store.withLookup === undefined) skip("no lookups here");
            const client = new AbortController();
            const limits = { hedge: true, partBytes: PART, windowParts: 3, ...state.limits };
            const watched = watchDownload({ limits, signal: client.signal });
            const scene: Scene = {
              store,
              watched,
              client,
              reader: undefined,
              pending: [],
              read: 0,
            };
            await state.reach(scene);
            await expectAllFreedBy(way, scene, state.over);
            scene.other?.release();
          });
        }
      });
    }
  });
}

async function expectAllFreedBy(way: Way, scene: Scene, over: EndedBy | undefined): Promise<void> {
  const { store, watched } = scene;
  const { requests, openBodies, unanswered } = store.stats();
  const mustAbort = countAborted(store) + openBodies + unanswered;
  if (over !== undefined) expect(openBodies + unanswered).toBe(0);
  if (!way.leave(scene)) {
    // Nothing to leave by yet; the scene must be ended all the same.
    watched.download.close("exception", reason);
    await settle();
    return;
  }
  // In the same turn: the runtime may not give us another one.
  expectFreed(scene, mustAbort);
  await settle();
  await vi.advanceTimersByTimeAsync(200_000);
  expectFreed(scene, mustAbort);
  expect(store.stats()).toEqual({ requests, openBodies: 0, unanswered: 0 });
  expect(closedEvent(watched).endedBy).toBe(over ?? way.endedBy);
  const totals = expectSettled(watched);
  expect(totals.bytesSent).toBe(scene.read);
  await expect(watched.download.closed).resolves.toEqual(totals);
  for (const pending of scene.pending) {
    if (way.endedBy === "client-signal" || way.endedBy === "exception") {
      await expect(pending).rejects.toBe(reason);
    } else await expect(pending).resolves.toBeUndefined();
  }
  // Idempotent: nothing that comes later changes the record.
  const events = watched.events.length;
  watched.download.close("done");
  for (const other of ways) other.leave(scene);
  await settle();
  expect(watched.events).toHaveLength(events);
}
