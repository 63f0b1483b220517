/**
 * The words of the case table. A case is data: who answers, how the origin behaves, what the clients do, and which
 * ratio must hold. `measure.ts` knows how to do what a load says; a new case needs no new code.
 */
import type { Profile } from "../origin/profile.ts";

/** Limits of our Worker in the names of its configuration (`LIMITS`). */
export type OurLimits = Readonly<Record<string, number | boolean>>;

/** Who answers the client. */
export type ServerSpec =
  /** The origin itself. */
  | { readonly kind: "origin" }
  /** A baseline of bench/workers under workerd. */
  | { readonly kind: "baseline"; readonly worker: "pass-through" | "naive" | "unwatched" }
  | {
      readonly kind: "baseline";
      readonly worker: "pipe" | "bare-loop";
      readonly partBytes: number;
      readonly window: number;
    }
  /** Our Worker under workerd. `counted` runs the entry that tells what the budget holds. */
  | {
      readonly kind: "ours";
      readonly limits?: OurLimits;
      readonly counted?: boolean;
      /** Adds a SeaweedFS mount with these further settings; it serves profiles that have chunks. */
      readonly seaweedfs?: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: "nginx"; readonly slice: string }
  | { readonly kind: "trafficserver"; readonly slice: string; readonly prefetch: number };

/** What the clients do. `bytes` is the size of the object. */
export type Load =
  | {
      readonly kind: "download";
      readonly bytes: number;
      readonly clients?: number;
      /** One byte of the same object is asked for just before, so that its facts are known. */
      readonly known?: boolean;
      /** The client sends its SSE-C key. */
      readonly withKey?: boolean;
      /** Notes the bytes received so far, for the chart, every so often, ms. */
      readonly sampleMs?: number;
      readonly limitMs?: number;
    }
  /** curl asks for the same ranges, one after the other, over one connection. */
  | { readonly kind: "curl-ranges"; readonly bytes: number; readonly partBytes: number }
  /** One download after the other; the first body bytes are timed. */
  | {
      readonly kind: "first-byte";
      readonly bytes: number;
      readonly requests: number;
      /** Only so many bytes of it are asked for. */
      readonly firstBytes?: number;
      /** One byte of the same object is asked for just before. */
      readonly known?: boolean;
    }
  /** Clients that read at a fixed pace for a fixed time. */
  | {
      readonly kind: "slow";
      readonly bytes: number;
      readonly clients: number;
      readonly bytesPerSecond: number;
      readonly seconds: number;
    }
  /** Clients that stop reading, hold the connection, then reset it. */
  | {
      readonly kind: "leave";
      readonly bytes: number;
      readonly clients: number;
      readonly afterBytes: number;
      readonly afterMs: number;
      /** Ask for an open-ended range instead of the whole. */
      readonly ranged?: boolean;
    };

/** One way to do the work; it is compared with the other variants of its case. */
export interface Variant {
  readonly name: string;
  readonly server: ServerSpec;
  readonly profile: Profile;
  readonly load: Load;
  /**
   * Variants with a lane run side by side with the other lanes of their case, one after the other within the lane: for
   * runs that wait rather than work, which a second one does not disturb.
   */
  readonly lane?: string;
  /** Fewer rounds than the case, for what takes long and is only shown. */
  readonly rounds?: number;
  /** A fresh server process each round: memory never goes back by itself. */
  readonly fresh?: boolean;
}

/** What a run measures. Not every load yields every one. */
export type Metric =
  | "mbps" // 10^6 bytes a second, all clients together
  | "seconds"
  | "firstByteP50Ms" // pooled over the rounds
  | "firstByteP99Ms"
  | "cpuPerGiB" // CPU seconds of the serving process for each GiB delivered
  | "rssGrowthMiB" // peak of resident memory above what it was before the run
  | "rssAfterMiB" // resident memory above what it was before the run, some seconds after the clients left
  | "originMiB" // body bytes the origin wrote
  | "originRequests"
  | "lookups" // requests of metadata and locations
  | "wasteShare" // bytes the origin wrote beyond what the clients got, over what they got
  | "hedges" // requests sent beside a running one, by our record
  | "fairness" // slowest client's rate over the fastest's
  | "paceShare" // slowest client's rate over the pace it asked for
  | "starved" // clients that got less than 0.8 of their pace
  | "heldShare" // most bytes held over the budget
  | "heldAfterMiB" // bytes held two seconds after the clients left
  | "closeMs" // from the clients' reset to the origin seeing its last socket close
  | "openAfter" // responses of the origin still open then
  | "lateRequests"; // 1 when the origin was asked anything after the reset was over

/** A promise that the numbers must keep. */
export interface Bar {
  readonly text: string;
  readonly metric: Metric;
  readonly of: string;
  /** Compared with this variant's median, or with the best of several; absent: the value itself. */
  readonly over?: string | readonly string[];
  /** "ratio" divides (default), "difference" subtracts. */
  readonly by?: "ratio" | "difference";
  /** What `over` is multiplied with, and what is added to it then: three round trips and 5 ms. Default 1 and 0. */
  readonly times?: number;
  readonly plus?: number;
  readonly atLeast?: number;
  readonly atMost?: number;
  /**
   * An upper bar is missed by far above this, where one build moves by more than twice between machines. Default: twice
   * the bar.
   */
  readonly grossAbove?: number;
}

export interface Case {
  readonly name: string;
  readonly title: string;
  readonly rounds: number;
  readonly variants: readonly Variant[];
  readonly bars: readonly Bar[];
  /** Which figures the table shows. */
  readonly shows: readonly Metric[];
  /** Bytes downloaded once, unmeasured, when a server starts. Default 64 MiB. */
  readonly warmBytes?: number;
  /** Printed under the table. */
  readonly note?: string;
}

/** "quick" is the part that CI runs: fewer rounds, smaller objects, same ratios. "long" lets slow clients read longer. */
export type Mode = "full" | "quick" | "long";

/** One run's figures. A run that went wrong has a problem and no values. */
export interface RunResult {
  readonly values: Partial<Record<Metric, number>>;
  /** Every first-byte time of the run, ms. */
  readonly firstByteMs: readonly number[];
  readonly samples?: readonly (readonly [number, number])[] | undefined;
  readonly problem?: string | undefined;
}
