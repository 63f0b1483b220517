/**
 * What the handler tells whoever watches: types only. `observe/` implements them; the handler imports nothing of it.
 *
 * One {@link Observation} per request that reached a mount: it receives the engine's events of every download the
 * request made (two when facts turned out stale), is asked once for Server-Timing, and is finished exactly once.
 */
import type { ByteRange } from "../readahead/byte-range.ts";
import type { EndedBy, Observe, Totals } from "../readahead/events.ts";

/** What is known when a request reached a mount. */
export interface RequestFacts {
  /** The request's id, as in `x-request-id` and problem documents. */
  readonly id: string;
  readonly request: Request;
  readonly mount: string;
  /** Decoded, or `null` where the path names no key. */
  readonly key: string | null;
}

/** How it ended; the record's fields that the engine's events do not carry. */
export interface Finish {
  /** `null` when nothing was sent: the client left before headers. */
  readonly status: number | null;
  readonly endedBy: EndedBy;
  /** What went wrong, for the log; never for the client. */
  readonly error?: unknown;
  /** Ranges of the object that the answer was to bring, half-open; empty for HEAD and refusals. */
  readonly ranges: readonly ByteRange[];
  /** Size of the object, where known. */
  readonly size: number | null;
  /** Why resume was off. */
  readonly unversioned?: string | undefined;
  /** It was answered with the plan (`?explain`), not with the object. */
  readonly explain?: true | undefined;
  /** Summed over the request's downloads. */
  readonly totals: Totals;
}

/** One request, watched. None of its methods may throw; what they throw is dropped. */
export interface Observation {
  readonly onEvent: Observe;
  /** Field value of Server-Timing as far as known when headers are built, or `undefined` for none. */
  serverTiming(): string | undefined;
  /** Called once, after the last download closed: also when the client left. Inside `waitUntil`. */
  finish(finish: Finish): void;
}

/** Watches requests. Called once for each that reached a mount, before it is answered; what it throws is dropped. */
export interface Observer {
  begin(facts: RequestFacts): Observation;
}
