/**
 * The cancellation table: every state a download can be in, times every way it can end, against any source.
 *
 * How to plug a source in: give `describeCancellation` a name and a function that makes a store with the script it is
 * handed. A new state is one more entry of `states` (cancellation-states.ts); a way to leave is one more of `ways`.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { EndedBy } from "../../../src/readahead/events.ts";
import { checkLeaks } from "../../support/leak-check.ts";
import {
  OTHER_BYTES,
  PART,
  type Scene,
  SIZE,
  settle,
  type TableScript,
  type TableStore,
} from "./cancellation-scene.ts";
import { states } from "./cancellation-states.ts";
import { closedEvent, expectSettled, watchDownload } from "./watched-download.ts";

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
