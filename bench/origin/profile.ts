/**
 * How the origin behaves for the requests that name a profile in their path, and what it counted for them.
 *
 * One origin process serves many profiles side by side, so that runs with different latencies need not wait for each
 * other. All chance comes from one seeded generator a profile: the same seed gives the same faults in the same order.
 */
import { createRandom, type Random } from "../../test/support/random.ts";
import type { Sse } from "./seaweedfs.ts";

/** A fault that meets every Nth GET of its profile, counted from 1. */
export interface EveryNth {
  readonly every: number;
  /** Share of the body sent before it strikes, 0 to 1; "random" draws from 0.2 to 0.8. Default 0.5. */
  readonly at?: number | "random" | undefined;
}

/** Behaviour of the origin; every field is optional and absent means "no such thing". Times in ms, rates in bytes a second. */
export interface Profile {
  /** Before each answer with object bytes. */
  readonly latencyMs?: number | undefined;
  /** Before each answer of a SeaweedFS filer or master. */
  readonly lookupMs?: number | undefined;
  /** Objects of the profile are asked for as SeaweedFS files in chunks of so many bytes, a power of two. */
  readonly chunkBytes?: number | undefined;
  /** Every file's chunks lie in a volume of their own, which nobody has looked up. */
  readonly freshVolumes?: boolean | undefined;
  /** How SeaweedFS chunks of the profile lie encrypted. */
  readonly sse?: Sse | undefined;
  /** Added to the latency: uniform from 0 to this. */
  readonly jitterMs?: number | undefined;
  /** Each connection's rate: a token bucket that holds 20 ms of it, so that a late timer costs nothing. */
  readonly connectionRate?: number | undefined;
  /** The rate of all connections of the profile together. */
  readonly totalRate?: number | undefined;
  readonly stall?: (EveryNth & { readonly ms: number }) | undefined;
  readonly trickle?: (EveryNth & { readonly rate: number }) | undefined;
  readonly reset?: EveryNth | undefined;
  /** Never answers. */
  readonly hang?: { readonly every: number } | undefined;
  readonly unavailable?: { readonly every: number; readonly retryAfterS?: number } | undefined;
  readonly seed?: number | undefined;
}

/** What a profile's requests cost, since it was set or last reset. */
export interface Counters {
  /** Requests for object bytes. */
  requests: number;
  /** Requests of metadata and locations. */
  lookups: number;
  gets: number;
  heads: number;
  /** Body bytes the kernel took. */
  bytesWritten: number;
  /** Responses begun and not over. */
  openResponses: number;
  /** Connections that have served this profile and are open. */
  openSockets: number;
  peakSockets: number;
  completed: number;
  /** Responses that ended before their last byte, by whose doing. */
  cutByClient: number;
  cutByFault: number;
  stalls: number;
  trickles: number;
  resets: number;
  hangs: number;
  refusals: number;
  /** Milliseconds since the epoch of the last 10,000 closes of connections. */
  closes: number[];
  /** The same for the arrival of the first and of the last request. */
  firstRequestAt: number;
  lastRequestAt: number;
}

function createCounters(): Counters {
  return {
    requests: 0,
    lookups: 0,
    gets: 0,
    heads: 0,
    bytesWritten: 0,
    openResponses: 0,
    openSockets: 0,
    peakSockets: 0,
    completed: 0,
    cutByClient: 0,
    cutByFault: 0,
    stalls: 0,
    trickles: 0,
    resets: 0,
    hangs: 0,
    refusals: 0,
    closes: [],
    firstRequestAt: 0,
    lastRequestAt: 0,
  };
}

/** What will happen to one response. */
export type Fate =
  | { readonly kind: "whole" }
  | { readonly kind: "hang" }
  | { readonly kind: "unavailable"; readonly retryAfterS: number }
  | { readonly kind: "stall"; readonly at: number; readonly ms: number }
  | { readonly kind: "trickle"; readonly at: number; readonly rate: number }
  | { readonly kind: "reset"; readonly at: number };

/** A profile at work: its behaviour, its counters, its place in the script of faults. */
export class ActiveProfile {
  readonly behaviour: Profile;
  counters: Counters = createCounters();
  #random: Random;

  constructor(behaviour: Profile) {
    this.behaviour = behaviour;
    this.#random = createRandom(behaviour.seed ?? 1);
  }

  /** Counters and script start again; connections that are open stay counted. */
  reset(): void {
    const { openSockets, openResponses } = this.counters;
    this.counters = createCounters();
    this.counters.openSockets = openSockets;
    this.counters.peakSockets = openSockets;
    this.counters.openResponses = openResponses;
    this.#random = createRandom(this.behaviour.seed ?? 1);
  }

  latencyMs(): number {
    const { latencyMs = 0, jitterMs = 0 } = this.behaviour;
    return jitterMs === 0 ? latencyMs : latencyMs + jitterMs * this.#random();
  }

  /** The fate of GET number `counters.gets`; where several faults meet, the harshest wins. */
  fate(): Fate {
    const { hang, unavailable, reset, stall, trickle } = this.behaviour;
    const n = this.counters.gets;
    const meets = (fault: { readonly every: number } | undefined) =>
      fault !== undefined && n % fault.every === 0;
    if (hang !== undefined && meets(hang)) return { kind: "hang" };
    if (unavailable !== undefined && meets(unavailable))
      return { kind: "unavailable", retryAfterS: unavailable.retryAfterS ?? 1 };
    if (reset !== undefined && meets(reset)) return { kind: "reset", at: this.#share(reset.at) };
    if (stall !== undefined && meets(stall))
      return { kind: "stall", at: this.#share(stall.at), ms: stall.ms };
    if (trickle !== undefined && meets(trickle))
      return { kind: "trickle", at: this.#share(trickle.at), rate: trickle.rate };
    return { kind: "whole" };
  }

  #share(at: EveryNth["at"]): number {
    return at === "random" ? 0.2 + 0.6 * this.#random() : (at ?? 0.5);
  }
}
