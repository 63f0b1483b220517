/**
 * Content-Range text <-> half-open ranges (RFC 9110 14.4). Both sides of the house use it: answers of an upstream are
 * read with it, answers to a client are written with it. The Range request field is not here (`http/range.ts`, and
 * `sources/request-headers.ts` for what we ask).
 */
import type { ByteRange } from "./byte-range.ts";

/** What a Content-Range says. `size` is absent where a star stands for it, `range` where the answer refuses (416). */
export interface ContentRange {
  readonly range?: ByteRange | undefined;
  readonly size?: number | undefined;
}

// At most 16 digits: 2^53 has 16, so a longer number could not be exact; Number.isSafeInteger judges the rest.
const pattern = /^bytes +(?:(\d{1,16})-(\d{1,16})|\*)\/(?:(\d{1,16})|\*)$/i;

/**
 * Reads one Content-Range field value.
 *
 * @returns `undefined` for anything malformed: another unit, an inverted range, a range past the size, a number from
 * 2^53, several values in one field, and the combination of two stars, which says nothing
 */
export function parseContentRange(text: string): ContentRange | undefined {
  const match = pattern.exec(text.trim());
  if (match === null) return undefined;
  const [, first, last, length] = match;
  const size = length === undefined ? undefined : Number(length);
  if (size !== undefined && !Number.isSafeInteger(size)) return undefined;
  if (first === undefined || last === undefined) return size === undefined ? undefined : { size };
  const range = { start: Number(first), end: Number(last) + 1 };
  if (!Number.isSafeInteger(range.end) || range.start >= range.end) return undefined;
  if (size !== undefined && range.end > size) return undefined;
  return { range, size };
}

/**
 * Writes the field value of an answer with these bytes.
 *
 * @param range Not empty: an empty range has no inclusive form
 * @param size Whole object in bytes; `undefined` writes `*`
 */
export function formatContentRange(range: ByteRange, size: number | undefined): string {
  return `bytes ${range.start}-${range.end - 1}/${size ?? "*"}`;
}

/** Writes the field value of a 416. @param size Whole object in bytes */
export function formatUnsatisfiedRange(size: number): string {
  return `bytes */${size}`;
}
