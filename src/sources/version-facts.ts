/**
 * How an HTTP answer's validators tie later reads to one version: a strong entity tag, else a Last-Modified that is old
 * enough to be one (RFC 9110 8.8.2.2), else a reason why there is no tie.
 */
import { parseHttpDate } from "../readahead/http-date.ts";
import type { Facts } from "./source.ts";

/** The part of {@link Facts} that says which version this is. */
export type VersionFacts = Pick<Facts, "etag" | "lastModified" | "pin" | "unversioned">;

// Two changes within one second leave the same date, and clocks differ: RFC 9110 8.8.2.2 names 60 s as a sound margin.
const strongDateAgeMs = 60_000;

/**
 * Reads ETag, Last-Modified and Date.
 *
 * @param size A date pins only together with the size
 * @param unpinned `single-stream`: say why there is no pin. `trust`: the mount vouches that objects never change
 * @param now Milliseconds since the epoch, used where the answer has no Date
 */
export function versionFacts(
  headers: Headers,
  size: number | undefined,
  unpinned: "single-stream" | "trust",
  now: number,
): VersionFacts {
  const given = headers.get("etag") ?? "";
  // Text without quotes is no entity-tag (RFC 9110 8.8.3): clients would send it back, and it could match nothing. Bytes
  // beyond ASCII may all be one character here (workerd reads UTF-8): two versions would look like one.
  const etag = /^(W\/)?"[ -~]*"$/.test(given) ? given : undefined;
  const modifiedText = headers.get("last-modified") ?? undefined;
  const lastModified = parseHttpDate(modifiedText);
  const named = { etag, lastModified };
  // Spaces and quotes are no part of a tag: origins read another one in If-Match.
  if (etag !== undefined && /^"[!#-~]*"$/.test(etag))
    return { ...named, pin: { by: "etag", value: etag } };
  const unversioned = whyNoDatePins(lastModified, size, parseHttpDate(headers.get("date")) ?? now);
  if (unversioned === undefined && modifiedText !== undefined)
    return { ...named, pin: { by: "last-modified", value: modifiedText } };
  if (unpinned === "trust") return named;
  const tag = etag === undefined ? "no entity tag" : "only a weak entity tag";
  return { ...named, unversioned: `${tag} and ${unversioned}` };
}

/** `undefined` for a date that pins. */
function whyNoDatePins(
  lastModified: number | undefined,
  size: number | undefined,
  date: number,
): string | undefined {
  if (lastModified === undefined) return "no modification date";
  if (size === undefined) return "no size";
  return date - lastModified < strongDateAgeMs ? "a modification date under 60 s old" : undefined;
}
