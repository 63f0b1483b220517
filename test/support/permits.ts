/**
 * An allowance for tests that talk to a source without the engine: counts what was asked, hands out signals that follow
 * one controller, and can refuse. It has no `unanswered` limit and no deadlines; the engine's own permits are tested
 * in test/readahead.
 */
import type { Ask, Permits } from "../../src/readahead/permits.ts";
import type { CallContext } from "../../src/sources/source.ts";

export interface TestPermitsOptions {
  /** Thrown instead of sending anything: what an exhausted subrequest limit does. */
  readonly refuse?: Error | undefined;
  /** Bytes that `take` grants, all told. Default: no limit. */
  readonly budgetBytes?: number | undefined;
}

export interface TestPermits extends Permits {
  /** Every request announced so far, in order. */
  readonly asks: readonly Ask[];
  /** Requests whose headers are awaited now. */
  readonly waiting: number;
  /** Bytes taken and not given back. */
  readonly held: number;
}

/** A download as a source sees it: context for calls, and the one way to end it. */
export interface TestDownload extends CallContext {
  readonly permits: TestPermits;
  /** Aborts everything, with this reason. */
  abort(reason: unknown): void;
}

/** Makes a context for calls of a source. Holds no timer and no listener of its own. */
export function createTestDownload(options: TestPermitsOptions = {}): TestDownload {
  const controller = new AbortController();
  const asks: Ask[] = [];
  let waiting = 0;
  let held = 0;
  const permits: TestPermits = {
    asks,
    get waiting() {
      return waiting;
    },
    get held() {
      return held;
    },
    async request(ask, send) {
      controller.signal.throwIfAborted();
      if (options.refuse !== undefined) throw options.refuse;
      asks.push(ask);
      waiting += 1;
      try {
        return await send(controller.signal);
      } finally {
        waiting -= 1;
      }
    },
    take(bytes) {
      if (held + bytes > (options.budgetBytes ?? Infinity)) return false;
      held += bytes;
      return true;
    },
    give(bytes) {
      held -= bytes;
    },
  };
  return {
    permits,
    signal: controller.signal,
    observe: () => undefined,
    abort: (reason) => controller.abort(reason),
  };
}
