/**
 * Keys in paths: percent-decoded exactly once, and refused when in doubt. Pure.
 *
 * URL parsing has already resolved `.`, `..` and `%2e%2e` segments before a mount was chosen, so those cannot leave it.
 * What is left are the forms that only a store would take for a way up: encoded slashes and backslashes beside dots, and
 * dots with path parameters (`..;x`: Tomcat drops those before it resolves dots).
 */
import { encodeUri } from "../encoding/percent.ts";

/**
 * Decodes the rest of a path behind a mount's prefix.
 *
 * @param rawKey As it stands in the URL, percent-encoded
 * @returns `undefined` for what cannot be a key: broken percent-encoding, bytes that are no UTF-8, control characters,
 * and a `.` or `..` segment between slashes or backslashes of either spelling, parameters behind it or none
 */
export function decodeKey(rawKey: string): string | undefined {
  let key: string;
  try {
    key = decodeURIComponent(rawKey);
  } catch {
    return undefined;
  }
  // Lone surrogates cannot come out of UTF-8; C0 controls and DEL are no characters of a name.
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(key)) return undefined;
  if (/(?:^|[/\\])\.\.?(?:[/\\;]|$)/.test(key)) return undefined;
  return key;
}

/** Percent-encodes a key for a path, slashes kept: the inverse of {@link decodeKey}. */
export function encodeKey(key: string): string {
  return key.split("/").map(encodeUri).join("/");
}
