/**
 * The one event stream out of a download. Spans, the summary record, Server-Timing and the tail all feed on it; the
 * engine imports none of them. Events are plain data; `at` is milliseconds of `performance.now()` (in production the
 * clock stands still between I/O events).
 */
import type { ErrorKind } from "../errors.ts";
import type { ByteRange } from "./byte-range.ts";
import type { Ask } from "./permits.ts";

/** Who ended a download (fixed names of the summary record). */
export type EndedBy =
  | "done"
  | "client-signal"
  | "stream-cancel"
  | "write-failed"
  | "upstream"
  | "exception";

/** Why one attempt at a part ended. */
export type AttemptEnd =
  | "complete" // every byte it was asked for arrived
  | "failed" // an error; `kind` says which
  | "aborted" // the download was closed
  | "let-go" // undrained, cancelled, asked again when wanted
  | "put-back" // gave its unanswered place to the head
  | "outrun"; // lost the race against a hedge, or was the hedge that lost

/** What happened in a download, in the order it happened. Part numbers start at 0; attempts of a part at 1. */
export type ReadaheadEvent =
  /** A request that is not a part's (open, facts, lookup, manifest, key, list) is being sent. `id` pairs it with its answer. */
  | {
      readonly type: "lookup-requested";
      readonly at: number;
      readonly id: number;
      readonly purpose: Ask["purpose"];
      readonly replica: string;
    }
  | {
      readonly type: "lookup-answered";
      readonly at: number;
      readonly id: number;
      readonly ok: boolean;
      readonly kind?: ErrorKind | undefined;
    }
  | {
      readonly type: "part-requested";
      readonly at: number;
      readonly part: number;
      readonly attempt: number;
      readonly range: ByteRange;
      readonly hedge: boolean;
    }
  /** Headers are there and checked. */
  | {
      readonly type: "part-answered";
      readonly at: number;
      readonly part: number;
      readonly attempt: number;
      readonly replica: string;
    }
  /** One attempt is over; `bytes` is what it brought. Every `part-requested` has exactly one of these. */
  | {
      readonly type: "attempt-ended";
      readonly at: number;
      readonly part: number;
      readonly attempt: number;
      readonly bytes: number;
      readonly end: AttemptEnd;
      readonly kind?: ErrorKind | undefined;
      readonly status?: number | undefined;
      readonly replica?: string | undefined;
    }
  /** The part will be asked again after `delayMs`, from byte `from`. */
  | {
      readonly type: "retry";
      readonly at: number;
      readonly part: number;
      readonly kind: ErrorKind;
      readonly delayMs: number;
      readonly from: number;
    }
  | { readonly type: "hedge"; readonly at: number; readonly part: number; readonly from: number }
  | { readonly type: "let-go"; readonly at: number; readonly part: number; readonly from: number }
  /** The part's last byte was handed to the runtime. */
  | { readonly type: "part-delivered"; readonly at: number; readonly part: number }
  /** Bytes that were fetched and thrown away (skipped on a resumed whole-chunk read, the loser of a race, let go). */
  | { readonly type: "wasted"; readonly at: number; readonly bytes: number }
  /** The last event of every download, exactly once. */
  | {
      readonly type: "closed";
      readonly at: number;
      readonly endedBy: EndedBy;
      readonly error?: unknown;
      readonly totals: Totals;
    };

/** Counters of one download, final at `closed`. */
export interface Totals {
  /** Bytes handed to the runtime. */
  readonly bytesSent: number;
  /** Object bytes received from upstreams. */
  readonly bytesFetched: number;
  /** Received and not handed on. */
  readonly bytesWasted: number;
  readonly parts: number;
  readonly attempts: number;
  readonly retries: number;
  readonly hedges: number;
  readonly letGo: number;
  /** Upstream requests of every purpose. */
  readonly subrequests: number;
  /** Upstream requests still open after `close()` returned: 0, or a fault of ours (a pending R2 get is disowned, not open). */
  readonly openAfterClose: number;
  /** From the start of `close()` to the last abort sent. */
  readonly abortMs: number;
}

/** The counters of a download that has done nothing yet. */
export const noTotals: Totals = {
  bytesSent: 0,
  bytesFetched: 0,
  bytesWasted: 0,
  parts: 0,
  attempts: 0,
  retries: 0,
  hedges: 0,
  letGo: 0,
  subrequests: 0,
  openAfterClose: 0,
  abortMs: 0,
};

/** Receives events. Must not throw; what it throws is dropped. */
export type Observe = (event: ReadaheadEvent) => void;
