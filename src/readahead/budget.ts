/**
 * The isolate's budget of held bytes and open upstreams, shared by every download.
 *
 * It answers at once and never waits: a request that waits on another request's promise is killed as hung by the
 * runtime. Shared state is plain data. What a download holds is a lease with the time of its last sign of life, because
 * `finally` does not run when the runtime kills a request; silent leases are reclaimed by whoever takes next.
 *
 * Shares are fair: a lease may hold `bytes / leases`. A lone download gets everything, the hundredth does not starve.
 */

/** A lease without a sign of life for this long belongs to a killed request (a live one ticks every 30 s at most). */
const LEASE_SILENCE_MS = 120_000;

/** Whoever waits for a reserve asks again within this time (`reserve.ts`: 375 ms at most). */
const WAITING_MS = 1_000;

/** What one download holds of the budget. All methods answer at once. */
export interface Lease {
  /** Takes bytes, all or nothing, within the fair share. */
  take(bytes: number): boolean;
  /** Takes bytes for a moment, beyond the fair share, while half of the budget is free: one block on its way through. */
  borrow(bytes: number): boolean;
  /** Takes bytes beyond the fair share: for stores that must hold a whole chunk to answer at all. */
  reserve(bytes: number): boolean;
  /** True when a `reserve()` of any download failed within the last second. */
  othersWait(): boolean;
  /** False when `bytes` can never be reserved. */
  couldReserve(bytes: number): boolean;
  give(bytes: number): void;
  /** The fair share now, bytes. */
  share(): number;
  /** True when another upstream may be opened in the isolate. */
  mayOpen(): boolean;
  opened(): void;
  ended(): void;
  /** A sign of life. */
  touch(): void;
  /** Gives everything back, once. */
  release(): void;
}

interface LeaseState {
  held: number;
  /** Something was reserved: the room kept for reserves is its own. */
  reserved: boolean;
  open: number;
  touched: number;
}

/** How much one download may see taken by all before it takes no more: its mount may set its own. */
export interface Ceilings {
  /** Bytes held in the isolate. */
  readonly bytes: number;
  /** Upstream responses open in the isolate. */
  readonly openUpstreams: number;
}

/**
 * The limits of one isolate and what is taken of them. Downloads that are given the same one share it, fairly: a lone one
 * gets everything. Nothing waits here; a download that gets no memory reads its head in blocks of 64 KiB.
 */
export class Budget implements Ceilings {
  readonly bytes: number;
  readonly openUpstreams: number;
  readonly #leases = new Set<LeaseState>();
  #held = 0;
  #open = 0;
  /**
   * The largest reserve that was ever asked for: room for it is left by downloads that need none, whose read-ahead would
   * else keep it out for as long as their clients pause.
   */
  #kept = 0;
  /** When a reserve was last asked for in vain. */
  #refusedAt = -Infinity;

  /**
   * @param bytes Most bytes held at the same time; 0 or more
   * @param openUpstreams Upstream responses open at the same time, beyond which a download reads one part after the other
   * @throws RangeError for what is negative, or no number
   */
  constructor(bytes: number, openUpstreams: number) {
    if (!(bytes >= 0 && openUpstreams >= 0)) throw new RangeError("A budget is a number");
    this.bytes = bytes;
    this.openUpstreams = openUpstreams;
  }

  /** Bytes taken now, never above the highest ceiling of any lease. */
  get held(): number {
    return this.#held;
  }

  /** Upstream responses open now. */
  get open(): number {
    return this.#open;
  }

  /** Downloads that hold a lease now. */
  get leases(): number {
    return this.#leases.size;
  }

  /** @param ceilings Default: the budget's own */
  lease(ceilings: Ceilings = this): Lease {
    const most = ceilings.bytes;
    const mostOpen = ceilings.openUpstreams;
    const state: LeaseState = {
      held: 0,
      reserved: false,
      open: 0,
      touched: performance.now(),
    };
    this.#leases.add(state);
    const live = () => this.#leases.has(state);
    const takeUpTo = (bytes: number, ceiling: number, kept = 0): boolean => {
      if (this.#held + bytes > most - kept) this.#reclaim();
      if (!live() || this.#held + bytes > most - kept || state.held + bytes > ceiling) return false;
      state.held += bytes;
      this.#held += bytes;
      return true;
    };
    const share = () => most / Math.max(1, this.#leases.size);
    const count = (open: number): void => {
      if (!live()) return;
      state.open += open;
      this.#open += open;
    };
    return {
      // What no half of this ceiling could hold is no concern of it.
      take: (bytes) =>
        takeUpTo(bytes, share(), state.reserved || this.#kept > most / 2 ? 0 : this.#kept),
      borrow: (bytes) => this.#held + bytes <= most / 2 && takeUpTo(bytes, most),
      reserve: (bytes) => {
        this.#kept = Math.max(this.#kept, bytes);
        const taken = takeUpTo(bytes, Infinity);
        state.reserved ||= taken;
        if (!taken) this.#refusedAt = performance.now();
        return taken;
      },
      othersWait: () => performance.now() - this.#refusedAt < WAITING_MS,
      couldReserve: (bytes) => bytes <= most,
      give: (bytes) => {
        if (!live()) return;
        state.held -= bytes;
        this.#held -= bytes;
      },
      share,
      mayOpen: () => {
        if (this.#open >= mostOpen) this.#reclaim();
        return this.#open < mostOpen;
      },
      opened: () => count(1),
      ended: () => count(-1),
      touch: () => {
        state.touched = performance.now();
      },
      release: () => this.#release(state),
    };
  }

  #release(state: LeaseState): void {
    if (!this.#leases.delete(state)) return;
    this.#held -= state.held;
    this.#open -= state.open;
  }

  #reclaim(): void {
    const oldest = performance.now() - LEASE_SILENCE_MS;
    for (const state of this.#leases) if (state.touched < oldest) this.#release(state);
  }
}
