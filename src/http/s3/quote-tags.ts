/**
 * S3 takes entity tags with and without their quotes; SDKs hand on what the program wrote. Here they get them, so that
 * all that judges conditions, the store included, sees tags by RFC 9110. Pure.
 */

// A tag in quotes, or what stands bare between commas and blanks.
const tag = /(?:W\/)?"[^"]*"|[^\s,"]+/g;

/**
 * The request's headers with every bare tag of If-Match and If-None-Match in quotes. If-Range stays as it is: its bare
 * value is a date, and a tag it cannot be read as brings the whole object, which is never wrong.
 */
export function quoteTags(headers: Headers): Headers {
  const named = ["if-match", "if-none-match"].filter((name) => headers.has(name));
  if (named.length === 0) return headers;
  const quoted = new Headers(headers);
  for (const name of named) quoted.set(name, (headers.get(name) ?? "").replace(tag, inQuotes));
  return quoted;
}

/** A star is no tag; what has quotes keeps them, a `W/` before them included. */
function inQuotes(found: string): string {
  return found === "*" || found.endsWith('"') ? found : `"${found}"`;
}
