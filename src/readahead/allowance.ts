/**
 * One download's allowance of upstream requests: how many may wait for headers, how many there may be in all, and how
 * long each may be silent.
 *
 * Places go to the oldest part first. A request of the head (its retry, hedge or lookup) never queues behind parts that
 * are only read ahead: at the cap the youngest unanswered one is put back, which costs it no retry.
 */
import { ReadaheadError } from "../errors.ts";
import type { Ask } from "./permits.ts";

/** First-byte deadline where another replica could be asked instead: a hung server is noticed by nobody else for 76 s. */
const ALTERNATIVE_FIRST_BYTE_MS = 3_000;

/** Why a request gave its place up; its part asks again when a place is free. */
export class PutBack extends Error {}

/** Who asks: a part, or what comes before all parts. */
export interface Claimant {
  /** Part number; lower goes first, -1 before all parts. */
  readonly rank: number;
  /** Ends the request, body included; aborted by us on a missed deadline or when the place is needed. */
  readonly controller: AbortController;
  /** True while nothing can be delivered before this: it may take the place of a younger part. */
  urgent(): boolean;
  /** Told what is about to be sent. */
  asks?(ask: Ask): void;
}

/** One request on its way to an answer. */
interface Claim {
  readonly claimant: Claimant;
  readonly ask: Ask;
  readonly deadlineAt: number;
}

interface Waiting {
  readonly claimant: Claimant;
  readonly go: () => void;
  readonly fail: (reason: unknown) => void;
}

/** Limits and hooks of an {@link Allowance}. */
export interface AllowanceOptions {
  readonly unanswered: number;
  readonly subrequests: number;
  readonly firstByteMs: number;
  /** Something waits for an answer now: deadlines must be watched. */
  readonly onWaiting: () => void;
}

export class Allowance {
  readonly #options: AllowanceOptions;
  readonly #claims = new Set<Claim>();
  readonly #queue: Waiting[] = [];
  /** Places given to the queue whose requests have not had their turn yet. */
  #promised = 0;
  #spent = 0;
  #closed: { readonly reason: unknown } | undefined;

  constructor(options: AllowanceOptions) {
    this.#options = options;
  }

  /** Upstream requests sent so far. */
  get spent(): number {
    return this.#spent;
  }

  get left(): number {
    return this.#options.subrequests - this.#spent;
  }

  /** Requests waiting for headers now. */
  get unanswered(): number {
    return this.#claims.size;
  }

  /** True when a request sent now would not have to queue. */
  get free(): boolean {
    return this.#taken < this.#options.unanswered;
  }

  /** Sends one request when its place is free. See `Permits.request`. */
  async request<T>(
    claimant: Claimant,
    ask: Ask,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { signal } = claimant.controller;
    signal.throwIfAborted();
    if (this.#taken >= this.#options.unanswered) {
      this.#hurry(claimant);
      await this.#place(claimant, signal);
      this.#promised -= 1;
      if (signal.aborted) {
        this.#serveNext();
        throw signal.reason;
      }
    }
    if (this.#closed !== undefined) throw this.#closed.reason;
    if (this.#spent >= this.#options.subrequests) {
      this.#serveNext();
      throw new ReadaheadError(
        "too-many-parts",
        `The limit of ${this.#options.subrequests} upstream requests is used up`,
      );
    }
    this.#spent += 1;
    const patienceMs = Math.min(
      this.#options.firstByteMs,
      ask.alternatives === true ? ALTERNATIVE_FIRST_BYTE_MS : Infinity,
    );
    const claim: Claim = { claimant, ask, deadlineAt: performance.now() + patienceMs };
    this.#claims.add(claim);
    claimant.asks?.(ask);
    this.#options.onWaiting();
    try {
      return await send(signal);
    } catch (error) {
      // A fetch aborted by us must say why, whatever the platform makes of the reason.
      throw signal.aborted ? signal.reason : error;
    } finally {
      if (this.#claims.delete(claim)) this.#serveNext();
    }
  }

  /** Aborts requests that were silent for too long. Who became urgent in the queue (a part that is head now) is hurried. */
  checkDeadlines(now: number): void {
    this.#hurry(this.#queue[0]?.claimant);
    for (const claim of this.#claims) {
      if (now < claim.deadlineAt) continue;
      claim.claimant.controller.abort(
        new ReadaheadError("unavailable", "No answer within the first-byte deadline", {
          replica: claim.ask.replica,
          alternatives: claim.ask.alternatives,
          connection: true,
          silent: true,
        }),
      );
    }
  }

  /** Ends the queue: nothing is sent any more. Requests on their way are aborted by whoever owns their controllers. */
  close(reason: unknown): void {
    if (this.#closed !== undefined) return;
    this.#closed = { reason };
    this.#claims.clear();
    for (const waiting of this.#queue.splice(0)) waiting.fail(reason);
  }

  get #taken(): number {
    return this.#claims.size + this.#promised;
  }

  #place(claimant: Claimant, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        const index = this.#queue.indexOf(waiting);
        if (index >= 0) this.#queue.splice(index, 1);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => waiting.fail(signal.reason);
      const waiting: Waiting = {
        claimant,
        go: () => {
          leave();
          resolve();
        },
        fail: (reason) => {
          leave();
          reject(reason as Error);
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      const behind = this.#queue.findIndex((other) => other.claimant.rank > claimant.rank);
      this.#queue.splice(behind < 0 ? this.#queue.length : behind, 0, waiting);
    });
  }

  /** Aborts the youngest request behind one that is urgent. Its place is free when it has settled, not before: a place is a place. */
  #hurry(head: Claimant | undefined): void {
    if (head?.urgent() !== true) return;
    const { rank } = head;
    let youngest: Claim | undefined;
    for (const claim of this.#claims) {
      const { claimant } = claim;
      if (claimant.controller.signal.aborted) return;
      if (claimant.rank > (youngest?.claimant.rank ?? rank)) youngest = claim;
    }
    youngest?.claimant.controller.abort(new PutBack());
  }

  #serveNext(): void {
    const next = this.#queue[0];
    if (next === undefined || this.#taken >= this.#options.unanswered) return;
    this.#promised += 1;
    next.go();
  }
}
