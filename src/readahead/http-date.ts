/**
 * HTTP dates (RFC 9110 5.6.7), all three forms. `Date.parse` alone takes far more ("0", "1", "2024-01-01"): an origin
 * must ignore such a condition, so a version pinned by one would not be pinned at all. Pure.
 */
const httpDate = /^[A-Z][a-z]+,? \w+[- ].+ \d\d:\d\d:\d\d (GMT|\d{4})$/;

/** Milliseconds since the epoch; `undefined` where it is absent or no HTTP date. */
export function parseHttpDate(text: string | null | undefined): number | undefined {
  const value = text?.trim() ?? "";
  if (!httpDate.test(value)) return undefined;
  const time = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : time;
}
