/**
 * A store in memory that speaks the contract of a source directly: no HTTP, no timers, bytes made from their position,
 * so an object of any size costs nothing. Every answer can be held back, broken, cut or stalled by number. It records
 * what was asked in which order, keeps each request's signal, and counts open bodies. One block per pull.
 */

import { ReadaheadError } from "../../../src/errors.ts";
import type { ByteRange } from "../../../src/readahead/byte-range.ts";
import { delay } from "../../../src/readahead/delay.ts";
import type { Ask, Permits } from "../../../src/readahead/permits.ts";
import { Reserve } from "../../../src/readahead/reserve.ts";
import type {
  Answer,
  CallContext,
  Facts,
  KnownPiece,
  OpenObject,
  OpenRequest,
  ReadRequest,
  Source,
  StoredPiece,
} from "../../../src/sources/source.ts";
import { rampBytes } from "./ramp.ts";

/** What goes wrong with one request. `after` counts body bytes. */
export type MemoryFault =
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "error"; readonly error: ReadaheadError }
  | { readonly kind: "reset"; readonly after: number | "before-headers" }
  | { readonly kind: "stall"; readonly after: number | "before-headers" }
  | { readonly kind: "short"; readonly bytes: number };

export interface MemoryStoreOptions {
  /** Bytes of the object. Default 8 MiB. */
  readonly size?: number | undefined;
  /** Faults of the n-th request with bytes, from 0; the open's own counts where it brings bytes. */
  readonly faults?: ReadonlyArray<{ readonly at: number; readonly fault: MemoryFault }> | undefined;
  readonly blockBytes?: number | undefined;
  /** Bodies wait whole in a queue that is closed already, as `new Response(bytes)` makes them. */
  readonly queued?: boolean | undefined;
  /** From this byte of the object on, every body brings one block in so many ms. */
  readonly slow?: { readonly from: number; readonly everyMs: number } | undefined;
  readonly replicas?: readonly string[] | undefined;
  /** Overrides of the facts: `{ size: undefined, unversioned: "..." }`, say. */
  readonly facts?: Partial<Facts> | undefined;
  /** Open sends no request and brings no bytes: facts were known. */
  readonly known?: boolean | undefined;
  /** Every answer waits for `answer(n)`. */
  readonly manual?: boolean | undefined;
  /** What `refresh` does; absent: the source has none. `hold` waits for a lookup that never comes. */
  readonly refresh?: "changed" | "unchanged" | "hold" | undefined;
  readonly pieces?: ((range: ByteRange) => Iterable<StoredPiece | KnownPiece>) | undefined;
  readonly pieceCount?: ((range: ByteRange) => number) | undefined;
  readonly reserveBytes?: number | undefined;
  readonly suspectTailBytes?: number | undefined;
}

/** One request as the store saw it. */
export interface SeenRead {
  readonly range: ByteRange;
  readonly purpose: Ask["purpose"];
  readonly replica: string;
  readonly signal: AbortSignal;
  /** Milliseconds of `performance.now()`. */
  readonly at: number;
  state: "unanswered" | "open" | "over";
  /** Body bytes given to the reader. */
  given: number;
  /** When the reader last came for bytes, or was answered. */
  pulledAt: number;
}

export class MemoryStore {
  readonly source: Source;
  /** Every upstream request in the order sent, lookups too. */
  readonly seen: SeenRead[] = [];
  maxUnanswered = 0;
  maxOpen = 0;
  refreshes = 0;
  readonly size: number;
  readonly #options: MemoryStoreOptions;
  readonly #held = new Map<number, () => void>();
  readonly #released = new Set<number>();
  #reads = 0;

  constructor(options: MemoryStoreOptions = {}) {
    this.#options = options;
    this.size = options.size ?? 8 * 1024 * 1024;
    this.source = { open: (_key, request) => this.#open(request) };
  }

  /** Requests with bytes, in order. */
  get reads(): readonly SeenRead[] {
    return this.seen.filter(({ purpose }) => purpose !== "lookup");
  }

  get unanswered(): number {
    return this.seen.filter(({ state }) => state === "unanswered").length;
  }

  get openBodies(): number {
    return this.seen.filter(({ state }) => state === "open").length;
  }

  /** Sends the headers of the n-th request with bytes; also before it was asked. */
  answer(number: number): void {
    this.#released.add(number);
    this.#held.get(number)?.();
  }

  /** The object as `open` would give it, without a request. */
  object(): OpenObject {
    const { facts, pieces, refresh, ...options } = this.#options;
    return {
      facts: {
        size: this.size,
        etag: '"v1"',
        pin: { by: "etag", value: '"v1"' },
        headers: {},
        ...facts,
      },
      ...(pieces && { pieces: (range: ByteRange) => inTurns(pieces(range)) }),
      ...(options.pieceCount && { pieceCount: options.pieceCount }),
      ...(options.reserveBytes !== undefined && {
        reserve: () => new Reserve(options.reserveBytes ?? 0),
      }),
      ...(refresh && { refresh: (_: StoredPiece, context: CallContext) => this.#refresh(context) }),
      read: (_piece, range, request) => this.#read(range, "read", request.permits, request),
    };
  }

  async #open(request: OpenRequest): Promise<OpenObject> {
    const object = this.object();
    const { want } = request;
    if (this.#options.known === true || want === "facts" || "suffix" in want) return object;
    const unknown = object.facts.size === undefined;
    const end = object.facts.unversioned === undefined ? (want.end ?? this.size) : this.size;
    const range = { start: want.start, end: Math.min(end, this.size) };
    const answer = await this.#read(range, "open", request.permits);
    return {
      ...object,
      first: { ...answer, range: unknown ? { ...range, end: Number.POSITIVE_INFINITY } : range },
    };
  }

  async #refresh(context: CallContext): Promise<boolean> {
    this.refreshes += 1;
    const range = { start: 0, end: 0 };
    await context.permits.request({ replica: "directory", purpose: "lookup" }, async (signal) => {
      const seen = this.#record(range, "lookup", "directory", signal);
      try {
        if (this.#options.refresh === "hold") await aborted(signal);
      } finally {
        seen.state = "over";
      }
    });
    return this.#options.refresh === "changed";
  }

  async #read(
    range: ByteRange,
    purpose: "open" | "read",
    permits: Permits,
    request?: ReadRequest,
  ): Promise<Answer> {
    const replicas = this.#options.replicas ?? ["door"];
    const untried = replicas.filter((name) => request?.tried(name) !== true);
    const replica =
      untried.find((name) => request?.suspect(name) !== true) ??
      untried[0] ??
      replicas[0] ??
      "door";
    const alternatives = untried.some((name) => name !== replica);
    return permits.request({ replica, purpose, alternatives }, async (signal) => {
      const number = this.#reads++;
      const fault = this.#options.faults?.find(({ at }) => at === number)?.fault;
      const seen = this.#record(range, purpose, replica, signal);
      try {
        if (this.#options.manual === true) await this.#release(number, signal);
        if (fault?.kind === "stall" && fault.after === "before-headers") await aborted(signal);
        failBeforeHeaders(fault, replica, alternatives);
      } catch (error) {
        seen.state = "over";
        throw error;
      }
      if (seen.state === "over") throw signal.reason;
      seen.state = "open";
      seen.pulledAt = performance.now();
      this.maxOpen = Math.max(this.maxOpen, this.openBodies);
      const suspectTailBytes = this.#options.suspectTailBytes;
      return { body: this.#body(seen, fault), replica, suspectTailBytes };
    });
  }

  #record(range: ByteRange, purpose: Ask["purpose"], replica: string, signal: AbortSignal) {
    const at = performance.now();
    const seen: SeenRead = {
      range,
      purpose,
      replica,
      signal,
      at,
      state: "unanswered",
      given: 0,
      pulledAt: at,
    };
    this.seen.push(seen);
    signal.addEventListener("abort", () => {
      seen.state = "over";
    });
    this.maxUnanswered = Math.max(this.maxUnanswered, this.unanswered);
    return seen;
  }

  async #release(number: number, signal: AbortSignal): Promise<void> {
    if (this.#released.has(number)) return;
    const released = new Promise<void>((resolve) => this.#held.set(number, resolve));
    await Promise.race([released, aborted(signal)]);
  }

  #body(seen: SeenRead, fault: MemoryFault | undefined): ReadableStream<Uint8Array> {
    const { signal, range } = seen;
    const blockBytes = this.#options.blockBytes ?? 64 * 1024;
    const end = Math.min(range.end, this.size);
    const after =
      fault?.kind === "reset" || fault?.kind === "stall" ? Number(fault.after) : Infinity;
    const limit = Math.min(range.start + after, fault?.kind === "short" ? end - fault.bytes : end);
    if (this.#options.queued === true) {
      seen.state = "over";
      return new Response(rampBytes(range.start, limit)).body ?? new ReadableStream();
    }
    return new ReadableStream({
      type: "bytes",
      start: (controller) => {
        signal.addEventListener("abort", () => {
          try {
            controller.error(signal.reason);
          } catch {
            // Closed already.
          }
        });
      },
      pull: (controller) => {
        seen.pulledAt = performance.now();
        const position = range.start + seen.given;
        if (position >= limit) {
          if (fault?.kind === "stall") return aborted(signal).catch(() => undefined);
          seen.state = "over";
          if (fault?.kind === "reset") return controller.error(new TypeError("Connection lost"));
          controller.close();
          controller.byobRequest?.respond(0);
          return undefined;
        }
        const next = Math.min(limit, position + blockBytes);
        const give = () => {
          if (seen.state !== "open") return;
          seen.given += next - position;
          controller.enqueue(rampBytes(position, next));
        };
        const { slow } = this.#options;
        if (slow === undefined || position < slow.from) return give();
        return delay(slow.everyMs, signal).then(give, () => undefined);
      },
      cancel: () => {
        seen.state = "over";
      },
    });
  }
}

function failBeforeHeaders(
  fault: MemoryFault | undefined,
  replica: string,
  alternatives: boolean,
): void {
  if (fault?.kind === "error") throw fault.error;
  if (fault?.kind === "status") {
    const { status } = fault;
    throw new ReadaheadError(kindOf(status), "Refused by script", {
      status,
      replica,
      alternatives,
    });
  }
  if (fault?.kind === "reset" && fault.after === "before-headers") {
    throw new ReadaheadError("unavailable", "Reset by script", {
      replica,
      alternatives,
      connection: true,
    });
  }
}

function kindOf(status: number): ReadaheadError["kind"] {
  if (status === 404) return "not-found";
  if (status === 403) return "denied";
  if (status === 412) return "changed";
  return status === 429 ? "throttled" : "unavailable";
}

/** Rejects with the signal's reason when it aborts; never resolves. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    else signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

async function* inTurns<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) yield item;
}
