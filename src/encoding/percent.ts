/** Percent-encoding: for URLs that are signed, or compared with signed ones, and for extended header values. Pure. */

/**
 * Encodes all but the unreserved characters of RFC 3986 (2.3): `encodeURIComponent` leaves five more as they are. What
 * stays is an attr-char of RFC 8187 (3.2.1), too.
 */
export function encodeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
