/**
 * The answer that came with the open. Its body follows no signal, and a download learns of it only when it starts: one
 * that ends before would leave it open for as long as R2 likes.
 */
import { discardBody } from "../../readahead/body-reader.ts";
import type { ByteRange } from "../../readahead/byte-range.ts";
import type { FirstAnswer } from "../source.ts";
import { r2Replica } from "./errors.ts";

/**
 * Cancels the body when the signal aborts, until somebody asks for it. Whoever does, reads or cancels it: then the signal,
 * which lives as long as the download, is left alone.
 */
export function firstAnswer(
  body: ReadableStream<Uint8Array>,
  range: ByteRange,
  signal: AbortSignal,
): FirstAnswer {
  const leave = () => discardBody(body, signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  return {
    range,
    replica: r2Replica,
    get body() {
      signal.removeEventListener("abort", leave);
      return body;
    },
  };
}
