/** The order in which stores list keys: that of their UTF-8 bytes. Pure. */

/** Greater than every key that starts with what it is put behind: the last code point there is. */
export const afterAll = "\u{10ffff}";

/** Order of UTF-8 bytes, which is that of code points; UTF-16 units differ from it above the surrogates. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = rank(a.charCodeAt(i)) - rank(b.charCodeAt(i));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Moves the surrogates behind U+FFFF, where the code points they stand for are. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
