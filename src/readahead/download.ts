/**
 * One client GET, from the first upstream request to the last byte or the client's leaving: its allowance, its window,
 * and its one way out.
 *
 * Everything that can end a download (the client's signal, the stream's `cancel()`, a failed write, the first fatal
 * error, the end) goes through `close()`, which is synchronous and idempotent: it aborts every upstream request, frees
 * every held buffer and gives the lease back in the same turn, because the runtime may not give us another one.
 */
import { ReadaheadError } from "../errors.ts";
import type { CallContext, OpenObject } from "../sources/source.ts";
import { Allowance, type Claimant } from "./allowance.ts";
import type { Attempt } from "./attempt.ts";
import { discardBody } from "./body-reader.ts";
import { Budget, type Lease } from "./budget.ts";
import type { Engine, RunningTotals } from "./engine.ts";
import {
  type EndedBy,
  noTotals,
  type Observe,
  type ReadaheadEvent,
  type Totals,
} from "./events.ts";
import type { Layout } from "./layout.ts";
import { defaultLimits, type Limits, resolveLimits } from "./limits.ts";
import { Pace } from "./pace.ts";
import type { Ask, Permits } from "./permits.ts";
import { Readahead } from "./readahead.ts";
import { SlowTail } from "./slow-tail.ts";

/** Options of {@link createDownload}; every field is optional. */
export interface DownloadOptions {
  /** Overrides of `defaultLimits`. */
  readonly limits?: Partial<Limits> | undefined;
  /** The client's signal; aborting it closes the download in the same turn. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Isolate-wide budget, with ceilings of its own. Default: the one shared by everything in this isolate, of which this
   * download takes while `limits.budgetBytes` and `limits.openUpstreams` are not reached by all together.
   */
  readonly budget?: Budget | undefined;
  /** Receives every event of this download. */
  readonly onEvent?: Observe | undefined;
}

/** One client GET: the allowance for its upstream requests, its window, its stream, its one way out. */
export interface Download extends CallContext {
  /**
   * Lays out the answer and starts reading. Resolves once part 0's answer was checked, so that headers can be sent.
   *
   * @returns A stream of exactly the layout's bytes, in order (of bytes, but in workerd: see block-stream.ts); cancelling
   * it closes the download
   * @throws What went wrong before the first checked answer; the download is closed then
   */
  start(object: OpenObject, layout: Layout): Promise<ReadableStream<Uint8Array>>;
  /** Counts a retry that belongs to no part. */
  retried(): void;
  /** The one way out; idempotent. Aborts every upstream request in the same turn. */
  close(endedBy: EndedBy, error?: unknown): void;
  /** The way out for what was thrown: `upstream` for an error of a store, `exception` for a fault or full memory of ours. */
  fail(error: unknown): void;
  /** Settles after `close()`, never rejects. Hand it to `waitUntil`. */
  readonly closed: Promise<Totals>;
}

/** Shared by all downloads of the isolate that bring no budget of their own. */
const isolateBudget = new Budget(defaultLimits.budgetBytes, defaultLimits.openUpstreams);

/** With nothing open upstream, a download only has to show that it lives (leases silent for 120 s are reclaimed). */
const IDLE_TICK_MS = 30_000;
/**
 * How long a client that comes for nothing may keep memory from a reserve that is waited for. Kernels between take up to
 * 8 MiB at a gulp, which lasts a client of 40 KB/s for 210 s: it must not be taken for one that has stopped.
 */
const LONGEST_IDLE_MS = 240_000;
const SHORTEST_TICK_MS = 10;
const LONGEST_TICK_MS = 200;

/**
 * Creates the download of one client request. Nothing is sent before `permits` are used or `start` is called.
 *
 * @throws RangeError when a limit is out of its bounds
 */
export function createDownload(options: DownloadOptions = {}): Download {
  return new RunningDownload(options);
}

class RunningDownload implements Download {
  readonly permits: Permits;
  readonly closed: Promise<Totals>;
  readonly #limits: Limits;
  readonly #allowance: Allowance;
  readonly #lease: Lease;
  readonly #controller = new AbortController();
  readonly #live = new Set<Attempt>();
  /** Requests before or beside the parts, whose bodies may still be read. */
  readonly #requests = new Set<AbortController>();
  #onEvent: Observe | undefined;
  readonly #clientSignal: AbortSignal | undefined;
  readonly #onClientLeft = () => this.close("client-signal", this.#clientSignal?.reason);
  readonly #totals: RunningTotals = { ...noTotals };
  #settle: (totals: Totals) => void = () => {};
  #readahead: Readahead | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #busyTimer = false;
  #lookups = 0;
  /** Announced to the listener and not answered. */
  readonly #openLookups = new Set<number>();
  #closed = false;

  constructor(options: DownloadOptions) {
    this.#limits = resolveLimits(options.limits);
    this.#onEvent = options.onEvent;
    const { budgetBytes, openUpstreams } = this.#limits;
    this.#lease =
      options.budget?.lease() ?? isolateBudget.lease({ bytes: budgetBytes, openUpstreams });
    this.#allowance = new Allowance({
      unanswered: this.#limits.unanswered,
      subrequests: this.#limits.subrequests,
      firstByteMs: this.#limits.firstByteMs,
      onWaiting: () => this.#watch(),
    });
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.permits = this.#permits((ask, send) => this.#requestBeforeParts(ask, send));
    this.#clientSignal = options.signal;
    if (options.signal?.aborted === true) this.#onClientLeft();
    else options.signal?.addEventListener("abort", this.#onClientLeft, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly observe: Observe = (event) => {
    if (event.type === "wasted") {
      this.#totals.bytesFetched += event.bytes;
      this.#totals.bytesWasted += event.bytes;
    }
    this.#emit(event);
  };

  async start(object: OpenObject, layout: Layout): Promise<ReadableStream<Uint8Array>> {
    try {
      await object.reserve?.(layout)?.take(this.#lease, this.signal);
      this.signal.throwIfAborted();
      const readahead = new Readahead(this.#engine(object), layout);
      this.#readahead = readahead;
      await readahead.start();
      return readahead.stream;
    } catch (error) {
      discardBody(object.first?.body, error);
      this.fail(error);
      // Closed by now, and if not by this then by what came first.
      throw this.signal.reason;
    }
  }

  retried(): void {
    this.#totals.retries += 1;
  }

  close(endedBy: EndedBy, error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    const at = performance.now();
    this.#clientSignal?.removeEventListener("abort", this.#onClientLeft);
    clearTimeout(this.#timer as never);
    const reason = error ?? new DOMException(`The download has ended: ${endedBy}`, "AbortError");
    this.#allowance.close(reason);
    this.#controller.abort(reason);
    for (const controller of this.#requests) controller.abort(reason);
    const open = [...this.#live];
    for (const attempt of open) attempt.end("aborted", reason);
    for (const id of this.#openLookups) this.#lookupAnswered(id, false);
    this.#readahead?.close(endedBy, reason);
    this.#lease.release();
    const totals = this.#totals;
    // Counted, not assumed: what was open and has not been told to end.
    totals.openAfterClose = [...open, ...this.#requests].filter((it) => !it.signal.aborted).length;
    totals.subrequests = this.#allowance.spent;
    totals.abortMs = performance.now() - at;
    const final: Totals = { ...totals };
    this.#emit({ type: "closed", at, endedBy, error, totals: final });
    // The record is out: what comes later belongs to nobody.
    this.#onEvent = undefined;
    this.#settle(final);
  }

  #engine(object: OpenObject): Engine {
    return {
      limits: this.#limits,
      object,
      pace: new Pace(this.#limits.partBytes / this.#limits.holdMs, performance.now()),
      slowTail: new SlowTail(),
      lease: this.#lease,
      allowance: this.#allowance,
      totals: this.#totals,
      live: this.#live,
      emit: this.#onEvent && ((event) => this.#emit(event)),
      resumable:
        object.facts.unversioned === undefined &&
        object.facts.size !== undefined &&
        object.rangeable !== false,
      context: this,
      provenBlockBytes: 0,
      permits: (claimant) => this.#permits((ask, send) => this.#request(claimant, ask, send)),
      answered: (part) => this.#readahead?.answered(part),
      news: () => this.#readahead?.news(),
      fail: (error) => this.fail(error),
      watch: () => this.#watch(),
      close: (endedBy, error) => this.close(endedBy, error),
    };
  }

  /** A request of no part: its own controller, so that a missed deadline ends it alone. */
  #requestBeforeParts<T>(ask: Ask, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.#requests.add(controller);
    return this.#request({ rank: -1, controller, urgent: () => true }, ask, send);
  }

  #permits(request: Permits["request"]): Permits {
    return {
      request,
      take: (bytes) => this.#lease.take(bytes),
      give: (bytes) => this.#lease.give(bytes),
    };
  }

  async #request<T>(
    claimant: Claimant,
    ask: Ask,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (ask.purpose === "read" || this.#onEvent === undefined) {
      return this.#allowance.request(claimant, ask, send);
    }
    const id = ++this.#lookups;
    const { purpose, replica } = ask;
    this.#openLookups.add(id);
    this.#emit({ type: "lookup-requested", at: performance.now(), id, purpose, replica });
    let kind: ReadaheadError["kind"] | undefined;
    let ok = false;
    try {
      const answer = await this.#allowance.request(claimant, ask, send);
      ok = true;
      return answer;
    } catch (error) {
      if (error instanceof ReadaheadError) kind = error.kind;
      throw error;
    } finally {
      this.#lookupAnswered(id, ok, kind);
    }
  }

  #lookupAnswered(id: number, ok: boolean, kind?: ReadaheadError["kind"]): void {
    this.#openLookups.delete(id);
    this.#emit({ type: "lookup-answered", at: performance.now(), id, ok, kind });
  }

  #emit(event: ReadaheadEvent): void {
    try {
      this.#onEvent?.(event);
    } catch {
      // A listener's fault is not the client's.
    }
  }

  /** The error as the client should see it: a 404 in the middle of an object means that it changed. */
  #explain(error: unknown): unknown {
    if (!(error instanceof ReadaheadError) || error.kind !== "not-found") return error;
    if (this.#readahead?.started !== true) return error;
    return new ReadaheadError("changed", "The object is gone", {
      cause: error,
    });
  }

  fail(error: unknown): void {
    // No store can help that our memory is full.
    const ofStore = error instanceof ReadaheadError && error.kind !== "overloaded";
    this.close(ofStore ? "upstream" : "exception", this.#explain(error));
  }

  /** One timer for every deadline of the download: first byte, stall, undrained answers, sign of life. */
  #watch(): void {
    if (this.#closed) return;
    const busy = this.#live.size > 0 || this.#allowance.unanswered > 0;
    if (this.#timer !== undefined) {
      if (!busy || this.#busyTimer) return;
      clearTimeout(this.#timer);
    }
    this.#busyTimer = busy;
    const { holdMs, firstByteMs, stallMs } = this.#limits;
    const shortest = Math.min(holdMs, firstByteMs, stallMs) / 4;
    const tickMs = Math.min(LONGEST_TICK_MS, Math.max(SHORTEST_TICK_MS, shortest));
    this.#timer = setTimeout(() => this.#tick(), busy ? tickMs : IDLE_TICK_MS);
    // Node: a stream that nobody reads on keeps no process alive.
    (this.#timer as { unref?: () => void }).unref?.();
  }

  #tick(): void {
    this.#timer = undefined;
    const now = performance.now();
    this.#lease.touch();
    this.#allowance.checkDeadlines(now);
    this.#readahead?.tick(now);
    const idleMs = this.#readahead?.idleMs(now) ?? 0;
    if (idleMs > LONGEST_IDLE_MS && this.#lease.othersWait())
      this.fail(new ReadaheadError("overloaded", "Client took nothing while others waited"));
    this.#watch();
  }
}
