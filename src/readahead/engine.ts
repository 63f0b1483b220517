/** What a part needs from its download: types only, so that arrows stay one way. */
import type { CallContext, OpenObject } from "../sources/source.ts";
import type { Allowance, Claimant } from "./allowance.ts";
import type { Attempt } from "./attempt.ts";
import type { Lease } from "./budget.ts";
import type { EndedBy, Observe, Totals } from "./events.ts";
import type { Limits } from "./limits.ts";
import type { Pace } from "./pace.ts";
import type { Permits } from "./permits.ts";
import type { SlowTail } from "./slow-tail.ts";

/** Counters while they still move. */
export type RunningTotals = { -readonly [Name in keyof Totals]: Totals[Name] };

export interface Engine {
  readonly limits: Limits;
  readonly object: OpenObject;
  readonly pace: Pace;
  readonly slowTail: SlowTail;
  readonly lease: Lease;
  readonly allowance: Allowance;
  readonly totals: RunningTotals;
  /** Attempts whose upstream may still be open. */
  readonly live: Set<Attempt>;
  /** Absent when nobody listens: events are not even built then. */
  readonly emit: Observe | undefined;
  /** The version is pinned: a part may be asked for again from the byte reached. */
  readonly resumable: boolean;
  /** Block size that this download's parts have proven fast enough for. */
  provenBlockBytes: number;
  /** Of the download: for requests that belong to no attempt. */
  readonly context: CallContext;
  permits(claimant: Claimant): Permits;
  /** A part was answered: a place is free, and its bytes are on the way. */
  answered(part: number): void;
  /** A block arrived or a part ended: whoever waits for bytes should look. */
  news(): void;
  /** The download cannot go on. */
  fail(error: unknown): void;
  close(endedBy: EndedBy, error?: unknown): void;
  /** Something must be watched by the clock. */
  watch(): void;
}
