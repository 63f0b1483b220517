/**
 * Half-open byte ranges. HTTP's inclusive form exists only where its fields are read and written: `http/range.ts`,
 * `content-range.ts` and `sources/request-headers.ts`.
 */

/** The bytes `start` up to, not including, `end`. `end` is `Infinity` where the length is unknown. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Number of bytes in the range. */
export function byteLength(range: ByteRange): number {
  return range.end - range.start;
}

/** The bytes in both ranges, or `undefined` where they do not meet. */
export function intersect(a: ByteRange, b: ByteRange): ByteRange | undefined {
  const start = Math.max(a.start, b.start);
  const end = Math.min(a.end, b.end);
  return start < end ? { start, end } : undefined;
}
