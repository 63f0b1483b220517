/** Timers that were set by `setTimeout` and neither ran nor were cleared, of whichever clock is in place. */

export interface TimerWatch {
  /** Where each of them was set. */
  pending(): string[];
  /** Puts back what was in place before. */
  stop(): void;
}

/** Watches the global `setTimeout` from now on; not the timers that the runtime sets for itself. */
export function watchTimers(): TimerWatch {
  const before = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  const waiting = new Map<unknown, string>();
  const set = (call: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    const timer: unknown = before.setTimeout(
      (...given: unknown[]) => {
        waiting.delete(timer);
        call(...given);
      },
      ms,
      ...args,
    );
    const place = new Error().stack?.split("\n")[2]?.trim() ?? "somewhere";
    // Node's own fetch keeps timers of its connections.
    if (!place.includes("node:internal")) waiting.set(timer, `${ms} ms, ${place}`);
    return timer;
  };
  const clear = (timer: unknown) => {
    waiting.delete(timer);
    before.clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
  };
  const own = { setTimeout: set, clearTimeout: clear };
  Object.assign(globalThis, own);
  return {
    pending: () => [...waiting.values()],
    stop: () => {
      // A clock that was put on top, and left there, is not ours to take away.
      if (Object.is(globalThis.setTimeout, set)) Object.assign(globalThis, before);
    },
  };
}
