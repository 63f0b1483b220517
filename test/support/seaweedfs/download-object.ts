/** Reads a key through the engine, as the HTTP handler does. */
import type { Budget } from "../../../src/readahead/budget.ts";
import { createDownload } from "../../../src/readahead/download.ts";
import type { ReadaheadEvent, Totals } from "../../../src/readahead/events.ts";
import type { Limits } from "../../../src/readahead/limits.ts";
import type { ClientKeys, Source } from "../../../src/sources/source.ts";

export interface DownloadOptions {
  readonly range?: { readonly start: number; readonly end: number };
  readonly limits?: Partial<Limits>;
  readonly budget?: Budget;
  readonly clientKeys?: ClientKeys;
  readonly onEvent?: (event: ReadaheadEvent) => void;
  /** Called with the bytes so far after each block. */
  readonly onProgress?: (bytes: number) => void | Promise<void>;
}

export interface Downloaded {
  readonly bytes: Uint8Array;
  readonly totals: Totals;
}

/** Rejects with what went wrong before headers or in the body; the download is closed either way. */
export async function downloadKey(
  source: Source,
  key: string,
  options: DownloadOptions = {},
): Promise<Downloaded> {
  const { range, limits, budget, clientKeys, onEvent, onProgress } = options;
  const download = createDownload({ limits, budget, onEvent });
  try {
    const object = await source.open(key, {
      permits: download.permits,
      signal: download.signal,
      observe: download.observe,
      want: range ?? { start: 0 },
      clientKeys,
    });
    const asked = range ?? { start: 0, end: object.facts.size ?? 0 };
    const bytes = new Uint8Array(asked.end - asked.start);
    const stream = await download.start(object, [asked]);
    const reader = stream.getReader();
    let length = 0;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      bytes.set(value, length);
      length += value.byteLength;
      await onProgress?.(length);
    }
    if (length !== bytes.byteLength) throw new Error(`Only ${length} bytes came`);
    return { bytes, totals: await download.closed };
  } catch (error) {
    download.close("exception", error);
    await download.closed;
    throw error;
  }
}
