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

/** Whether the client accepts a coding that such a front would choose (RFC 9110 12.5.3). */
export function acceptsCompression(acceptEncoding: string | null): boolean {
  if (acceptEncoding === null) return false;
  return acceptEncoding
    .split(",")
    .some((element) =>
      /^\s*(?:gzip|x-gzip|br|zstd|deflate|\*)\s*(?:$|;(?!\s*q=0(?:\.0*)?\s*$))/i.test(element),
    );
}

/**
 * Whether such a front would send text that is stored in this coding in another one: it knows gzip and br, and takes the
 * first of the two that the client names, or none. A range of a coded body is nothing that it could decode.
 */
export function isTranscoded(coding: string, acceptEncoding: string | null): boolean {
  if (acceptEncoding === null || !isOfFront(coding)) return false;
  const wanted = acceptEncoding
    .toLowerCase()
    .split(",")
    .map((element) => {
      const [name = "", ...parameters] = element.split(";").map((text) => text.trim());
      const weight = parameters.find((text) => text.startsWith("q="))?.slice(2);
      return { name, weight: weight === undefined ? 1 : Number(weight) };
    })
    .filter(({ name, weight }) => weight > 0 && (name === "identity" || isOfFront(name)))
    .toSorted((a, b) => b.weight - a.weight);
  return wanted[0]?.name !== coding;
}

function isOfFront(coding: string): boolean {
  return coding === "gzip" || coding === "br";
}
