/** JSON as Go's encoding/json writes it, where its very bytes count. Pure. */
import { compareUtf8 } from "../../key-order.ts";

/**
 * A map as Go's encoding/json writes it: keys sorted, `<`, `>`, `&` and two separators escaped. The key hangs on it. The
 * pairs are joined by hand: an object puts names that look like numbers first, in the order of the numbers.
 */
export function goJson(map: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(map).toSorted(([a], [b]) => compareUtf8(a, b));
  const texts = pairs.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return `{${texts.join(",")}}`.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
