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
