/** Percent-encoding for URLs that are signed, or compared with signed ones. */

/** Encodes all but RFC 3986's unreserved characters (2.3): `encodeURIComponent` leaves five more as they are. */
export function encodeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
