/** What the client said in Accept-Encoding, and whether something between it and the Worker would act on it. */

/**
 * The client's own Accept-Encoding. Cloudflare, and `wrangler dev` in its stead, replace the header on the way to a
 * Worker (`br, gzip`, whatever was sent) and keep the original in `request.cf`.
 */
export function clientAcceptEncoding(request: Request): string | null {
  const cf: unknown = Reflect.get(request, "cf");
  if (typeof cf === "object" && cf !== null && "clientAcceptEncoding" in cf) {
    if (typeof cf.clientAcceptEncoding === "string") return cf.clientAcceptEncoding;
  }
  return request.headers.get("accept-encoding");
}

/**
 * The client's Accept-Encoding, where a front stands between that may act on it: `wrangler dev`, or Cloudflare's, which
 * say where they are, or what they replaced. `null` elsewhere: bare workerd and other runtimes send what they are given.
 */
export function frontAcceptEncoding(request: Request): string | null {
  const cf: unknown = Reflect.get(request, "cf");
  if (typeof cf !== "object" || cf === null) return null;
  return "colo" in cf || "clientAcceptEncoding" in cf ? clientAcceptEncoding(request) : null;
}

/** Whether the client accepts a coding that such a front would choose (RFC 9110 12.5.3). */
export function acceptsCompression(acceptEncoding: string | null): boolean {
  return acceptedCodings(acceptEncoding).some((name) => compressions.has(name));
}

/**
 * Whether such a front would send text that is stored in this coding in another one: it knows gzip and br, and takes the
 * first of the two that the client names, or none. A range of a coded body is nothing that it could decode.
 */
export function isTranscoded(coding: string, acceptEncoding: string | null): boolean {
  if (acceptEncoding === null || !isOfFront(coding)) return false;
  const known = acceptedCodings(acceptEncoding);
  return known.find((name) => name === "identity" || isOfFront(name)) !== coding;
}

const compressions: ReadonlySet<string> = new Set(["gzip", "x-gzip", "br", "zstd", "deflate", "*"]);

function isOfFront(coding: string): boolean {
  return coding === "gzip" || coding === "br";
}

/** Names of what the client accepts, in lower case, heaviest first; a weight that is no number counts for nothing. */
function acceptedCodings(acceptEncoding: string | null): string[] {
  return (acceptEncoding ?? "")
    .toLowerCase()
    .split(",")
    .map((element) => {
      const [name = "", ...parameters] = element.split(";").map((text) => text.trim());
      const weight = Number.parseFloat(
        parameters.find((text) => text.startsWith("q="))?.slice(2) ?? "1",
      );
      return { name, weight: Number.isNaN(weight) ? 1 : weight };
    })
    .filter(({ weight }) => weight > 0)
    .toSorted((a, b) => b.weight - a.weight)
    .map(({ name }) => name);
}
