/**
 * A stretch of a compressed body. Whether the body is undamaged stands behind its last byte (gzip has its checksum
 * there), so nothing of it is handed on before its end was read, as far as there is memory to hold it.
 *
 * Without memory it is streamed, and only its last block waits. Where it then breaks, nobody knows whether what was
 * handed on was right: that is told, and nobody may go on from there.
 */
import { createBodyReader } from "../../readahead/body-reader.ts";
import { type SliceOptions, sliceBody } from "./slice-body.ts";

export interface ProvenOptions extends SliceOptions {
  /** Told how many bytes the body had, at its clean end; what it throws is the stream's error. */
  readonly onWhole: (bodyBytes: number) => void;
  /** The body broke off, or ended otherwise than well, and bytes of it were handed on. */
  readonly onUnproven: () => void;
}

const blockBytes = 64 * 1024;

/** @returns A byte stream of the stretch, or an error */
export function provenBody(
  body: ReadableStream<Uint8Array>,
  options: ProvenOptions,
): ReadableStream<Uint8Array> {
  const { skip, length, permits, onWhole, onSkipped } = options;
  if (!permits.take(length)) return sliceBody(body, options);
  const reader = createBodyReader(body);
  let read = 0;
  let held = true;
  let handedOn = false;

  /** Gives the memory back and says what was read in vain. Idempotent. */
  function end(): void {
    if (!held) return;
    held = false;
    permits.give(length);
    onSkipped(handedOn ? read - length : read);
  }

  /** To the clean end of the body. */
  async function collect(): Promise<Uint8Array<ArrayBuffer>> {
    const wanted = new Uint8Array(length);
    let block = new ArrayBuffer(blockBytes);
    for (let done = false; !done; ) {
      const result = await reader.read(new Uint8Array(block), 1);
      const { view } = result;
      const part = view.subarray(Math.max(0, skip - read), Math.max(0, skip + length - read));
      if (part.byteLength > 0) wanted.set(part, Math.max(0, read - skip));
      read += view.byteLength;
      done = result.done || view.byteLength === 0;
      block = view.buffer.byteLength === blockBytes ? view.buffer : new ArrayBuffer(blockBytes);
    }
    onWhole(read);
    return wanted;
  }

  return new ReadableStream({
    type: "bytes",
    pull: async (controller) => {
      try {
        if (!handedOn) {
          const bytes = await collect();
          if (!held) return;
          handedOn = true;
          controller.enqueue(bytes);
          return;
        }
        end();
        controller.close();
        controller.byobRequest?.respond(0);
      } catch (error) {
        if (!held) return;
        end();
        reader.cancel(error);
        controller.error(error);
      }
    },
    cancel: (reason) => {
      end();
      reader.cancel(reason);
    },
  });
}
