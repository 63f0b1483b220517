/**
 * The engine for people without an HTTP server: a source, a key and a range in, an ordered byte stream out.
 *
 * Nothing is asked before the stream is read. It owns one download, whose window, budget and cancellation are the
 * handler's; it only hands blocks on. It knows no conditions and no several ranges: those are HTTP's.
 */
import { ReadaheadError } from "../errors.ts";
import type { OpenObject, Source } from "../sources/source.ts";
import { discardBody } from "./body-reader.ts";
import type { ByteRange } from "./byte-range.ts";
import { createDownload, type Download, type DownloadOptions } from "./download.ts";
import { resolveLimits } from "./limits.ts";
import { openObject } from "./open.ts";
import { firstPartBytes } from "./plan.ts";

/** Names an object of a store. */
export interface ObjectName {
  readonly source: Source;
  readonly key: string;
  /** Version id, where the store knows some. Default: the current version, pinned by what the first answer shows. */
  readonly version?: string | undefined;
}

/** Options of {@link readahead}; every field is optional. */
export interface ReadaheadOptions extends DownloadOptions {
  /** Called once the object is open, before its first byte: size, validator, headers. */
  readonly onOpen?: ((facts: OpenObject["facts"]) => void) | undefined;
}

/**
 * Reads a range of an object ahead of whoever consumes the stream.
 *
 * Bytes come in order, all of one version. At most `windowParts` parts are in flight and `budgetBytes` held by all
 * streams of the process together. Cancelling the stream, or aborting `signal`, ends every upstream request at once; one
 * that is neither cancelled nor read to its end keeps its memory and its share of the budget, also when it is forgotten.
 * Blocks are `Uint8Array`s of up to 1 MiB. A stream that ends without an error is complete.
 *
 * @param range Bytes, half-open; absent fields mean the object's own ends. An `end` beyond the object is its end.
 * @returns a byte stream; it errors with {@link ReadaheadError}, or with the signal's reason
 * @throws RangeError for a range or a limit that cannot be
 * @example
 * const source = createHttpSource({ url: "https://origin.example/data/" });
 * for await (const block of readahead({ source, key: "film.mp4" }, { start: 1_000_000 })) use(block);
 */
export function readahead(
  object: ObjectName,
  range: Partial<ByteRange> = {},
  options: ReadaheadOptions = {},
): ReadableStream<Uint8Array> {
  const start = range.start ?? 0;
  const end = range.end ?? Infinity;
  if (!Number.isSafeInteger(start) || start < 0 || !(end >= start) || end % 1 > 0)
    throw new RangeError(`There is no range [${start}, ${end})`);
  const limits = resolveLimits(options.limits);
  const firstEnd = Math.min(end, start + firstPartBytes(limits));
  let download: Download | undefined;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  async function begin(): Promise<ReadableStreamDefaultReader<Uint8Array>> {
    download = createDownload(options);
    let first: OpenObject["first"];
    try {
      const want = { want: { start, end: Math.max(firstEnd, start + 1) }, version: object.version };
      const opened = await openObject(object.source, object.key, want, download);
      ({ first } = opened);
      options.onOpen?.(opened.facts);
      const size = opened.facts.size ?? Infinity;
      if (opened.rangeable === false && (start > 0 || end < size))
        throw new ReadaheadError("unsupported", "Upstream cannot send a part of this object");
      const layout = start < Math.min(end, size) ? [{ start, end: Math.min(end, size) }] : [];
      return (await download.start(opened, layout)).getReader();
    } catch (error) {
      // Closing aborts requests, but a body that came without a signal (R2) would stay open.
      discardBody(first?.body, error);
      download.fail(error);
      throw error;
    }
  }

  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      reader ??= await begin();
      const { done, value } = await reader.read();
      if (!done) controller.enqueue(value);
      else {
        controller.close();
        // A read that waits with a buffer of its own is answered only so (Streams standard, 4.7.3).
        controller.byobRequest?.respond(0);
      }
    },
    async cancel(reason) {
      download?.close("stream-cancel", reason);
      await reader?.cancel(reason);
    },
  });
}
