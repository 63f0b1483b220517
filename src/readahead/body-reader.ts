/**
 * Reads a body into buffers of ours, the cheapest way the platform has.
 *
 * workerd: `readAtLeast(min, view)` (the default reader costs 12 to 24 times the CPU on a network body). Elsewhere:
 * `read(view, { min })`. Where a stream is no byte stream: the default reader, copied into the view.
 */
import type { Body } from "../sources/source.ts";

/** One read: the filled part of the view (its buffer may be another one than was passed in), and whether that was all. */
export interface ReadResult {
  readonly view: Uint8Array<ArrayBuffer>;
  readonly done: boolean;
}

export interface BodyReader {
  /**
   * True where a body that ends before `min` bytes answers with what there is. Elsewhere (Streams standard, 4.7.3) the
   * read is refused and what there is lost: `min` must be no more than what is known to come.
   */
  readonly endsShort: boolean;
  /**
   * Reads at least `min` bytes into `view`, fewer only at the end of the body. The view's buffer is gone afterwards.
   */
  read(view: Uint8Array<ArrayBuffer>, min: number): Promise<ReadResult>;
  /** Cancels what is left; never throws. Idempotent. */
  cancel(reason: unknown): void;
}

export function createBodyReader(body: Body): BodyReader {
  if (body instanceof Uint8Array) return readBlocks(body);
  const byob = byobReader(body);
  return byob === undefined ? readBlocks(new Uint8Array(0), body.getReader()) : readByob(byob);
}

/** Cancels a body that nobody reads; one that has a reader is left to it. */
export function discardBody(body: Body | null | undefined, reason?: unknown): void {
  if (!body || body instanceof Uint8Array || body.locked) return;
  body.cancel(reason).then(undefined, () => {});
}

/** A reader whose bytes are decoded in place before anybody sees them. */
export function createDecodingReader(
  reader: BodyReader,
  decode: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
): BodyReader {
  return {
    ...reader,
    async read(view, min) {
      const result = await reader.read(view, min);
      if (result.view.byteLength > 0) await decode(result.view);
      return result;
    },
  };
}

function byobReader(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
}

function readByob(reader: ReadableStreamBYOBReader): BodyReader {
  // Not inferred: a declaration that has workerd's method would rule the other case out.
  const endsShort: boolean = "readAtLeast" in reader;
  return {
    endsShort,
    async read(view, min) {
      const { value, done } = endsShort
        ? await reader.readAtLeast(min, view)
        : await reader.read(view, { min });
      // A cancelled stream answers without a view: the buffer is lost.
      return { view: value ?? new Uint8Array(0), done };
    },
    cancel: (reason) => {
      reader.cancel(reason).then(undefined, () => {});
    },
  };
}

/** Copies what is here into the view, then what the reader brings, if there is one. */
function readBlocks(
  here: Uint8Array,
  reader?: ReadableStreamDefaultReader<Uint8Array>,
): BodyReader {
  let rest = here;
  return {
    endsShort: true,
    async read(view, min) {
      let filled = 0;
      while (filled < min) {
        if (rest.byteLength === 0) {
          const { value, done } = (await reader?.read()) ?? { done: true };
          if (done || value === undefined) return { view: view.subarray(0, filled), done: true };
          rest = value;
        }
        const taken = rest.subarray(0, view.byteLength - filled);
        view.set(taken, filled);
        filled += taken.byteLength;
        rest = rest.subarray(taken.byteLength);
      }
      const done = reader === undefined && rest.byteLength === 0;
      return { view: view.subarray(0, filled), done };
    },
    cancel: (reason) => {
      rest = new Uint8Array(0);
      reader?.cancel(reason).then(undefined, () => {});
    },
  };
}
