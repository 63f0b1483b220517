/**
 * One request that reached a mount: its downloads, its watcher, its end.
 *
 * Whoever answers asks `download()` for an allowance, says with `stream()` which download is the answer's body, and the
 * handler calls `end()` once. Every other download is closed then; `finished` settles when all are closed and the
 * watcher was told, which is what `waitUntil` gets. Holds no bytes.
 */
import { ReadaheadError } from "../errors.ts";
import type { Budget } from "../readahead/budget.ts";
import type { ByteRange } from "../readahead/byte-range.ts";
import { createDownload, type Download } from "../readahead/download.ts";
import { type EndedBy, noTotals, type Observe, type Totals } from "../readahead/events.ts";
import type { Limits } from "../readahead/limits.ts";
import type { Mount } from "./mount.ts";
import type { Observation, Observer } from "./observer.ts";
import { logFault, RequestRefusal } from "./problem.ts";
import type { RecentFacts } from "./recent-facts.ts";

/** What an exchange is made of. */
export interface ExchangeOptions {
  readonly id: string;
  readonly request: Request;
  readonly url: URL;
  readonly mount: Mount;
  readonly rawKey: string;
  /** Decoded, or `undefined` where the path names no key. */
  readonly key: string | undefined;
  /** Defaults, the handler's and the mount's limits together. */
  readonly limits: Limits;
  readonly budget?: Budget | undefined;
  readonly observer?: Observer | undefined;
  readonly recentFacts: RecentFacts;
}

/** What the record says of the answer. */
export interface Noted {
  readonly ranges: readonly ByteRange[];
  readonly size: number | undefined;
  readonly unversioned: string | undefined;
  /** Whether `?explain` was asked, and no byte of the object. */
  readonly explain?: true | undefined;
}

export class Exchange {
  readonly id: string;
  readonly request: Request;
  readonly url: URL;
  readonly mount: Mount;
  readonly rawKey: string;
  readonly key: string | undefined;
  readonly limits: Limits;
  readonly recentFacts: RecentFacts;
  /** Settles, never rejects, when every download closed and the watcher was told. */
  readonly finished: Promise<void>;
  readonly #budget: Budget | undefined;
  readonly #observation: Observation | undefined;
  readonly #downloads: Download[] = [];
  readonly #resolveFinished: () => void;
  #streaming: Download | undefined;
  #noted: Noted | undefined;
  #refusedFor: unknown;
  #closing: { readonly endedBy: EndedBy; readonly error?: unknown } | undefined;

  constructor(options: ExchangeOptions) {
    this.id = options.id;
    this.request = options.request;
    this.url = options.url;
    this.mount = options.mount;
    this.rawKey = options.rawKey;
    this.key = options.key;
    this.limits = options.limits;
    this.recentFacts = options.recentFacts;
    this.#budget = options.budget;
    const finished = Promise.withResolvers<void>();
    this.finished = finished.promise;
    this.#resolveFinished = finished.resolve;
    this.#observation = quietly(() =>
      options.observer?.begin({
        id: options.id,
        request: options.request,
        mount: options.mount.name,
        key: options.key ?? null,
      }),
    );
  }

  /**
   * A fresh allowance for upstream requests, tied to the client's signal. Closed by the engine, or by {@link end}.
   * How the last of them closed is how the request ended.
   */
  download(): Download {
    return this.#create((event) => {
      if (event.type === "closed") this.#closing = event;
      this.#observation?.onEvent(event);
    });
  }

  /** An allowance for something beside the answer (a look at whether a store is empty): its end says nothing. */
  aside(): Download {
    return this.#create((event) => this.#observation?.onEvent(event));
  }

  /** Says that the answer's body is this download's stream: it lives on after {@link end}. */
  stream(download: Download): void {
    this.#streaming = download;
  }

  /** Keeps what the record should say of the answer; `undefined` where that answer is not given after all. */
  note(noted: Noted | undefined): void {
    this.#noted = noted;
  }

  /**
   * Keeps what the answer is refused for; counts where no download ended with an error. What is nobody's refusal (a fault
   * of a mount's or a source's code) is logged, with or without an observer: the answer says that the log has it.
   */
  noteRefusal(reason: unknown): void {
    this.#refusedFor = reason;
    if (!(reason instanceof ReadaheadError || reason instanceof RequestRefusal) && !this.clientLeft)
      logFault(this.id, reason);
  }

  /** Field value of Server-Timing, as far as known now. */
  serverTiming(): string | undefined {
    return quietly(() => this.#observation?.serverTiming());
  }

  /** Whether the client is gone. */
  get clientLeft(): boolean {
    return this.request.signal.aborted;
  }

  /**
   * Ends the exchange once its response is there. Returns at once.
   *
   * @param status `null` when nothing is sent
   * @param error What the refusal was made of
   */
  end(status: number | null, error?: unknown): void {
    for (const download of this.#downloads) {
      if (download !== this.#streaming) download.close("done");
    }
    void Promise.all(this.#downloads.map((download) => download.closed))
      .then((totals) => this.#finish(status, error, totals))
      .catch(() => {})
      .finally(this.#resolveFinished);
  }

  #create(onEvent: Observe): Download {
    const download = createDownload({
      limits: this.limits,
      signal: this.request.signal,
      budget: this.#budget,
      onEvent,
    });
    this.#downloads.push(download);
    return download;
  }

  #finish(status: number | null, error: unknown, totals: readonly Totals[]): void {
    const closing = this.#closing;
    const reason = closing?.error ?? error ?? this.#refusedFor;
    // The store that refuses a range names the size.
    const refusedSize = reason instanceof ReadaheadError ? reason.size : undefined;
    this.#observation?.finish({
      status,
      endedBy: closing?.endedBy ?? (status === null ? "client-signal" : "done"),
      error: reason,
      ranges: this.#noted?.ranges ?? [],
      size: this.#noted?.size ?? refusedSize ?? null,
      unversioned: this.#noted?.unversioned,
      explain: this.#noted?.explain,
      totals: sum(totals),
    });
  }
}

/** Calls a watcher; what it throws is dropped. */
function quietly<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

function sum(all: readonly Totals[]): Totals {
  return all.reduce(
    (a, b) => ({
      bytesSent: a.bytesSent + b.bytesSent,
      bytesFetched: a.bytesFetched + b.bytesFetched,
      bytesWasted: a.bytesWasted + b.bytesWasted,
      parts: a.parts + b.parts,
      attempts: a.attempts + b.attempts,
      retries: a.retries + b.retries,
      hedges: a.hedges + b.hedges,
      letGo: a.letGo + b.letGo,
      subrequests: a.subrequests + b.subrequests,
      openAfterClose: a.openAfterClose + b.openAfterClose,
      abortMs: Math.max(a.abortMs, b.abortMs),
    }),
    noTotals,
  );
}
