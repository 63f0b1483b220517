/**
 * multipart/byteranges (RFC 9110 14.6): several ranges in one answer, laid out as literal headers between ranges of the
 * object. The length is exact, boundaries included: it is the sum of the segments.
 */
import type { ByteRange } from "../readahead/byte-range.ts";
import { formatContentRange } from "../readahead/content-range.ts";
import type { Layout } from "../readahead/layout.ts";

/** What is sent, and the Content-Type that says how to take it apart. */
export interface Multipart {
  readonly layout: Layout;
  readonly contentType: string;
}

/**
 * Lays out the parts in the order given.
 *
 * @param ranges At least one, none empty
 * @param size Whole object in bytes
 * @param contentType Of the object; repeated in each part (RFC 9110 15.3.7.2)
 * @param boundary Must not occur in the object: 128 random bits by default
 */
export function layOutMultipart(
  ranges: readonly ByteRange[],
  size: number,
  contentType: string,
  boundary: string = randomBoundary(),
): Multipart {
  const encoder = new TextEncoder();
  const layout = ranges.flatMap((range): Layout => {
    const head = [
      // The first one, too, begins with a line end, as nginx has it: zsync 0.6 reads nothing else, and asks for ever.
      `\r\n--${boundary}`,
      `Content-Type: ${contentType}`,
      `Content-Range: ${formatContentRange(range, size)}`,
      "\r\n",
    ].join("\r\n");
    return [encoder.encode(head), { start: range.start, end: range.end }];
  });
  return {
    layout: [...layout, encoder.encode(`\r\n--${boundary}--\r\n`)],
    contentType: `multipart/byteranges; boundary=${boundary}`,
  };
}

function randomBoundary(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
