/** What a download sends, in order: ranges of the object, and literal bytes between them (multipart boundaries). */
import { type ByteRange, byteLength } from "./byte-range.ts";

/** A range of the object, or bytes that are sent as they are (from a copy: they stay the caller's). */
export type Segment = ByteRange | Uint8Array;
/** What an answer is made of, in the order in which it is sent. */
export type Layout = readonly Segment[];

export function isLiteral(segment: Segment): segment is Uint8Array {
  return segment instanceof Uint8Array;
}

/** Exact length of the answer in bytes; `Infinity` when the object's length is unknown. */
export function layoutBytes(layout: Layout): number {
  let total = 0;
  for (const segment of layout)
    total += isLiteral(segment) ? segment.byteLength : byteLength(segment);
  return total;
}
