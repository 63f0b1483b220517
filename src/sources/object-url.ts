/** A key's URL below a base URL: encoded, inside the base, whatever the key says. */
import { ReadaheadError } from "../errors.ts";

/**
 * Checks and keeps a base URL.
 *
 * @throws TypeError for another scheme than http or https, for a user name or password in it, and for a fragment
 */
export function parseBaseUrl(text: string | URL): URL {
  const base = URL.parse(String(text));
  if (!base || !/^https?:$/.test(base.protocol) || base.username + base.password + base.hash)
    throw new TypeError("The URL must be http or https, with no user or fragment");
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return base;
}

/**
 * The URL of a key.
 *
 * @param key Decoded; `/` separates segments
 * @param spelled The key as the client spelled it; kept, so that `%2F` inside a segment stays what it is. Ignored where
 * it does not decode to `key`: what was checked is what is asked for
 * @param query Added to the base's own query, with or without `?`
 * @throws ReadaheadError `not-found` for a key that would leave the base (`.` and `..` segments, however spelled, path
 * parameters behind them or none)
 */
export function objectUrl(base: URL, key: string, spelled?: string, query?: string): URL {
  const path =
    spelled === undefined || decoded(spelled) !== key
      ? key.split("/").map(encodeURIComponent).join("/")
      : spelled.replace(/[?#\\\s]/g, encodeURIComponent);
  // The URL parser resolves dot segments, `%2e` included (URL Standard, path state), so they are refused before it. The
  // decoded key is judged, which has every segment of the path: an origin may decode `%2F` before it resolves them.
  if (key.split("/").some((segment) => /^(\.|%2e){1,2}(;|$)/i.test(segment)))
    throw new ReadaheadError("not-found", "No key has dot segments");
  const url = new URL(base.href);
  url.pathname = `${base.pathname}${path}`;
  const parts = [base.search.slice(1), query?.replace(/^\?/, "")];
  url.search = parts.filter(Boolean).join("&");
  return url;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
