/** Placeholder of the engine's front: signatures only, so that the rooms around it can be built against them. */
import type { CallContext, OpenObject } from "../sources/source.ts";
import type { Budget } from "./budget.ts";
import type { EndedBy, Observe, Totals } from "./events.ts";
import type { Layout } from "./layout.ts";
import type { Limits } from "./limits.ts";

/** Options of {@link createDownload}; every field is optional. */
export interface DownloadOptions {
  /** Overrides of `defaultLimits`. */
  readonly limits?: Partial<Limits> | undefined;
  /** The client's signal; aborting it closes the download in the same turn. */
  readonly signal?: AbortSignal | undefined;
  /** Isolate-wide budget; default: the one shared by everything in this isolate. */
  readonly budget?: Budget | undefined;
  readonly onEvent?: Observe | undefined;
}

/** One client GET: the allowance for its upstream requests, its window, its stream, its one way out. */
export interface Download extends CallContext {
  /**
   * Lays out the answer and starts reading. Resolves once part 0's answer was checked, so that headers can be sent;
   * rejects with what went wrong before (then the download is closed).
   */
  start(object: OpenObject, layout: Layout): Promise<ReadableStream<Uint8Array>>;
  /** The one way out; idempotent. Aborts every upstream request in the same turn. */
  close(endedBy: EndedBy, error?: unknown): void;
  /** Settles after `close()`: never rejects. Hand it to `waitUntil`. */
  readonly closed: Promise<Totals>;
}

export declare function createDownload(options?: DownloadOptions): Download;
