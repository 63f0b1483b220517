/**
 * Which response headers of a store reach the client: a list of names, never the hop-by-hop ones, nor those that the
 * answer to the client writes itself, nor cookies.
 */

/** Passed on from every HTTP store. A trailing `*` stands for any ending. */
export const defaultPassHeaders: readonly string[] = [
  "content-type",
  "content-disposition",
  "content-language",
  "content-encoding",
  "cache-control",
  "expires",
  "age",
  "x-amz-meta-*",
  "x-robots-tag",
];

// Connection-specific (RFC 9110 7.6.1), message framing and what http/response.ts writes by itself, and what speaks of
// the upstream's relation with us (cookies, challenges, timings).
const never =
  /^(accept-ranges|alt-svc|connection|content-(length|location|range)|date|etag|keep-alive|last-modified|location|proxy-(authenticate|connection)|retry-after|server|server-timing|set-cookie2?|strict-transport-security|te|trailer|transfer-encoding|upgrade|via|www-authenticate)$/;

/** Picks the headers to pass on. Reusable; keeps nothing of what it is given. */
export interface PassHeaders {
  /** @returns Lower-case names, in the order of the answer, without `content-encoding: identity` */
  pick(headers: Headers): Record<string, string>;
}

/**
 * @param names Lower-case header names; `x-custom-*` for a prefix. Default {@link defaultPassHeaders}
 * @throws TypeError for a name that is never passed on, or is no header name
 */
export function createPassHeaders(names: readonly string[] = defaultPassHeaders): PassHeaders {
  const exact = new Set<string>();
  const prefixes: string[] = [];
  for (const name of names) {
    const lower = name.toLowerCase();
    if (never.test(lower) || !/^[!#$%&'+\-.^_`|~0-9a-z]+\*?$/.test(lower))
      throw new TypeError(`Cannot pass on a header called ${JSON.stringify(name)}`);
    if (lower.endsWith("*")) prefixes.push(lower.slice(0, -1));
    else exact.add(lower);
  }
  return {
    pick(headers) {
      const picked: Record<string, string> = {};
      for (const [name, value] of headers) {
        if (never.test(name)) continue;
        if (!exact.has(name) && !prefixes.some((prefix) => name.startsWith(prefix))) continue;
        if (name === "content-encoding" && /^\s*(identity)?\s*$/i.test(value)) continue;
        picked[name] = name === "content-encoding" ? value.trim().toLowerCase() : value;
      }
      return picked;
    },
  };
}
