/**
 * How an HTTP answer's validators tie later reads to one version: a strong entity tag, else a Last-Modified that is old
 * enough to be one (RFC 9110 8.8.2.2), else a reason why there is no tie.
 */
import { parseHttpDate } from "../readahead/http-date.ts";
import type { Facts, Pin } from "./source.ts";

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
  const etag = headers.get("etag")?.trim() || undefined;
  const modifiedText = headers.get("last-modified")?.trim();
  const lastModified = parseHttpDate(modifiedText);
  const named: VersionFacts = {
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
  const pin = pinOf(etag, modifiedText, lastModified, size, headers, now);
  if (pin !== undefined) return { ...named, pin };
  if (unpinned === "trust") return named;
  return { ...named, unversioned: reason(etag, lastModified, size) };
}

function pinOf(
  etag: string | undefined,
  modifiedText: string | undefined,
  lastModified: number | undefined,
  size: number | undefined,
  headers: Headers,
  now: number,
): Pin | undefined {
  // Characters beyond ASCII do not reach the origin as they came (obs-text): If-Match would name another tag.
  if (etag !== undefined && /^"[!#-~]*"$/.test(etag)) return { by: "etag", value: etag };
  if (modifiedText === undefined || lastModified === undefined || size === undefined)
    return undefined;
  const date = parseHttpDate(headers.get("date")) ?? now;
  if (date - lastModified < strongDateAgeMs) return undefined;
  return { by: "last-modified", value: modifiedText };
}

function reason(
  etag: string | undefined,
  lastModified: number | undefined,
  size: number | undefined,
): string {
  const tag = etag === undefined ? "no entity tag" : "only a weak entity tag";
  if (lastModified === undefined) return `${tag} and no modification date`;
  return size === undefined
    ? `${tag} and no size`
    : `${tag} and a modification date under 60 s old`;
}
