/**
 * Reads a text body that should be small: no more of it than that, and no longer than it may take. The permit's deadline
 * is over when headers are there, and no part watches these bytes, so the deadline is here.
 */
import { ReadaheadError } from "../../errors.ts";

/** How much of a body is read, for how long, and for whom. */
export interface TextBounds {
  readonly limitBytes: number;
  /** From now to the body's end, ms. */
  readonly deadlineMs: number;
  /** Ends the reading at once; its reason is what is thrown. */
  readonly signal: AbortSignal;
}

/**
 * The whole body as text, or `undefined` when it is longer than the limit. Whatever is not read is cancelled; no timer
 * and no listener is left.
 *
 * @throws ReadaheadError `unavailable` when the body breaks or does not end in time
 * @throws the signal's reason when aborted
 */
export async function readBoundedText(
  body: ReadableStream<Uint8Array>,
  { limitBytes, deadlineMs, signal }: TextBounds,
): Promise<string | undefined> {
  const reader = body.getReader();
  const given = Promise.withResolvers<never>();
  // Raced below; a rejection before or behind the last read is nobody's.
  given.promise.catch(() => undefined);
  const onAbort = () => given.reject(signal.reason);
  const timer = setTimeout(() => given.reject(broken("in time")), deadlineMs);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const decoder = new TextDecoder();
  let text = "";
  let ended = false;
  try {
    for (let bytes = 0; ; ) {
      const { done, value } = await Promise.race([given.promise, reader.read()]);
      ended = done;
      if (done) return text + decoder.decode();
      bytes += value.byteLength;
      if (bytes > limitBytes) return undefined;
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error instanceof ReadaheadError ? error : broken("whole", error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    if (!ended) reader.cancel().catch(() => undefined);
  }
}

function broken(how: string, cause?: unknown): ReadaheadError {
  return new ReadaheadError("unavailable", `The store's answer did not come ${how}`, {
    cause,
    connection: true,
  });
}
