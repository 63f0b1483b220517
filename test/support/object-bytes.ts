/**
 * Object contents that show a displaced byte: a ramp of prime period 251 (parts are multiples of 256, so a slice moved
 * by whole parts shows), and a seeded four-byte counter for property tests (unique up to 16 GiB). Both are functions of
 * the position, so an object of any size costs nothing.
 */

/** How the bytes of an object are made. Plain data. */
export type Content =
  /** Byte `i` is `(i + from) % 251`; `from` is 0 unless said. */
  | { readonly kind: "ramp"; readonly from?: number }
  /** Every four bytes: their index plus the seed, big-endian, modulo 2^32. */
  | { readonly kind: "counter"; readonly seed: number }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array };

export const ramp: Content = { kind: "ramp" };

/** The bytes `[start, end)` of an object with this content. */
export function contentBytes(content: Content, start: number, end: number): Uint8Array {
  if (content.kind === "bytes") return content.bytes.slice(start, end);
  const bytes = new Uint8Array(Math.max(0, end - start));
  if (content.kind === "ramp") {
    for (let i = 0, value = (start + (content.from ?? 0)) % 251; i < bytes.length; i++) {
      bytes[i] = value;
      value = value === 250 ? 0 : value + 1;
    }
    return bytes;
  }
  for (let i = 0; i < bytes.length; i++) {
    const position = start + i;
    const word = (Math.floor(position / 4) + content.seed) % 2 ** 32;
    bytes[i] = (word >>> ((3 - (position % 4)) * 8)) & 255;
  }
  return bytes;
}

/** Position of the first byte that differs, or -1: cheaper to read in a failure than two arrays. */
export function firstDifference(actual: Uint8Array, expected: Uint8Array): number {
  const length = Math.max(actual.length, expected.length);
  for (let i = 0; i < length; i++) if (actual[i] !== expected[i]) return i;
  return -1;
}
