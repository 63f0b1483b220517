/**
 * Fails a test after which something is left: an unhandled rejection, an open body, a request in flight. vitest reports
 * unhandled rejections too, but beside "passed" and without the name of the test.
 */
import { afterEach, beforeEach, expect } from "vitest";
import type { StoreSpace } from "./store-space.ts";
import { until } from "./until.ts";

export interface LeakCheck {
  /** Watches a space made in this test: when it is over, no body may be open and no request waiting. */
  watch<S extends Pick<StoreSpace, "stats">>(space: S): S;
}

/** Call once at the top level of a file or in a `describe`. */
export function checkLeaks(): LeakCheck {
  const spaces: Pick<StoreSpace, "stats">[] = [];
  const rejections: unknown[] = [];
  const note = (event: unknown) => {
    rejections.push(event instanceof Event && "reason" in event ? event.reason : event);
  };
  beforeEach(() => {
    rejections.length = 0;
    listen("on", note);
  });
  afterEach(async () => {
    try {
      for (const space of spaces)
        await until("every upstream body is over and every request answered", () => {
          const { openBodies, unanswered } = space.stats();
          return openBodies === 0 && unanswered === 0;
        });
      // Rejections are reported when a turn ends without a handler: give it two.
      await new Promise<void>((resolve) => setTimeout(resolve));
      await new Promise<void>((resolve) => setTimeout(resolve));
      expect(rejections, "unhandled rejections").toEqual([]);
    } finally {
      spaces.length = 0;
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
