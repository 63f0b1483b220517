/**
 * Fails a test after which something is left: an unhandled rejection, an open body, a request in flight, a held byte, a
 * timer. vitest reports unhandled rejections too, but beside "passed" and without the name of the test.
 */
import { afterEach, beforeEach, expect } from "vitest";
import type { Budget } from "../../src/readahead/budget.ts";
import type { StoreSpace } from "./store-space.ts";
import { watchTimers } from "./timer-watch.ts";
import { realTimeout, until } from "./until.ts";

export interface LeakCheck {
  /** Watches a space made in this test: when it is over, no body may be open and no request waiting. */
  watch<S extends Pick<StoreSpace, "stats">>(space: S): S;
}

const budgets = new Set<Budget>();

/** Watches the budget of a download: when the test is over, nothing may be held of it. */
export function watchBudget(budget: Budget): void {
  budgets.add(budget);
}

/**
 * Call once at the top level of a file or in a `describe`, behind a hook that fakes timers: then those are watched, which
 * the code of the test sees.
 */
export function checkLeaks(): LeakCheck {
  const spaces: Pick<StoreSpace, "stats">[] = [];
  const rejections: unknown[] = [];
  let timers: ReturnType<typeof watchTimers> | undefined;
  const note = (event: unknown) => {
    rejections.push(event instanceof Event && "reason" in event ? event.reason : event);
  };
  beforeEach(() => {
    rejections.length = 0;
    budgets.clear();
    timers = watchTimers();
    listen("on", note);
  });
  afterEach(async () => {
    const waiting = timers;
    try {
      for (const space of spaces)
        await until("every upstream body is over and every request answered", () => {
          const { openBodies, unanswered } = space.stats();
          return openBodies === 0 && unanswered === 0;
        });
      // Rejections are reported when a turn ends without a handler: give it two.
      await new Promise<void>((resolve) => realTimeout(resolve));
      await new Promise<void>((resolve) => realTimeout(resolve));
      expect(rejections, "unhandled rejections").toEqual([]);
      const kept = [...budgets].map(({ held, open, leases }) => ({ held, open, leases }));
      expect(kept, "kept of the budget").toEqual(kept.map(() => ({ held: 0, open: 0, leases: 0 })));
      expect(waiting?.pending(), "timers").toEqual([]);
    } finally {
      spaces.length = 0;
      waiting?.stop();
      listen("off", note);
    }
  });
  return {
    watch(space) {
      spaces.push(space);
      return space;
    },
  };
}

interface RejectionEvents {
  on(name: "unhandledRejection", listener: (reason: unknown) => void): void;
  off(name: "unhandledRejection", listener: (reason: unknown) => void): void;
}

interface GlobalEvents {
  addEventListener(name: "unhandledrejection", listener: (event: unknown) => void): void;
  removeEventListener(name: "unhandledrejection", listener: (event: unknown) => void): void;
}

/** Node tells through `process`, workerd through the global scope. */
function listen(how: "on" | "off", note: (reason: unknown) => void): void {
  const scope = globalThis as unknown as Partial<GlobalEvents> & { process?: RejectionEvents };
  const inWorkerd = typeof navigator === "object" && navigator.userAgent === "Cloudflare-Workers";
  if (!inWorkerd) scope.process?.[how]("unhandledRejection", note);
  else if (how === "on") scope.addEventListener?.("unhandledrejection", note);
  else scope.removeEventListener?.("unhandledrejection", note);
}
