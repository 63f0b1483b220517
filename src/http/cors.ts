/**
 * CORS per mount (https://fetch.spec.whatwg.org/#http-cors-protocol): what a browser's script from elsewhere may ask
 * and see. Without a policy nothing is said, and browsers refuse by themselves.
 */

/** Who may read a mount from a browser. Plain data, read-only. */
export interface CorsPolicy {
  /** `"*"`, or origins as browsers send them (`https://app.example`). */
  readonly origins: "*" | readonly string[];
  /** Request headers allowed beyond the range and condition ones. */
  readonly allowHeaders?: readonly string[] | undefined;
  /** Response headers shown beyond the usual ones. */
  readonly exposeHeaders?: readonly string[] | undefined;
  /** Whether cookies and Authorization may come along; needs a list of origins. */
  readonly credentials?: boolean | undefined;
  /** How long a browser may keep the preflight's answer, seconds. Default 86,400. */
  readonly maxAgeSeconds?: number | undefined;
}

/** Methods of every mount, as Allow and Access-Control-Allow-Methods say them. */
export const allowedMethods = "GET, HEAD, OPTIONS";

const allowHeaders = [
  "range",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "if-range",
];
const exposeHeaders = [
  "accept-ranges",
  "content-disposition",
  "content-encoding",
  "content-length",
  "content-range",
  "etag",
  "last-modified",
  "retry-after",
  "server-timing",
  "x-request-id",
];

/** Adds what a policy grants the request's origin; call it for every answer of the mount, refusals included. */
export function addCorsHeaders(
  headers: Headers,
  policy: CorsPolicy | undefined,
  request: Request,
): void {
  const granted = grantedOrigin(policy, request.headers.get("origin"));
  // The answer depends on Origin even where this one got nothing (caches).
  if (policy !== undefined && policy.origins !== "*") headers.append("vary", "Origin");
  if (policy === undefined || granted === undefined) return;
  headers.set("access-control-allow-origin", granted);
  if (policy.credentials === true && granted !== "*") {
    headers.set("access-control-allow-credentials", "true");
  }
  headers.set(
    "access-control-expose-headers",
    [...exposeHeaders, ...amzNames(headers), ...(policy.exposeHeaders ?? [])].join(", "),
  );
  headers.set("timing-allow-origin", granted);
}

/**
 * Answers OPTIONS: a preflight with what the policy allows, anything else with Allow alone. No body; the origin's grant
 * is added by {@link addCorsHeaders}, as to every answer.
 *
 * @param protocolHeader Says which further headers a protocol's clients may send; those that this one asks for are granted
 */
export function optionsResponse(
  policy: CorsPolicy | undefined,
  request: Request,
  protocolHeader: (name: string) => boolean = () => false,
): Response {
  const headers = new Headers({ allow: allowedMethods });
  const preflight =
    request.headers.has("origin") && request.headers.has("access-control-request-method");
  if (policy === undefined || !preflight) return new Response(null, { status: 204, headers });
  if (grantedOrigin(policy, request.headers.get("origin")) !== undefined) {
    headers.set("access-control-allow-methods", allowedMethods);
    headers.set(
      "access-control-allow-headers",
      [
        ...allowHeaders,
        ...requestedNames(request).filter(protocolHeader),
        ...(policy.allowHeaders ?? []),
      ].join(", "),
    );
    headers.set("access-control-max-age", String(policy.maxAgeSeconds ?? 86_400));
  }
  return new Response(null, { status: 204, headers });
}

function requestedNames(request: Request): string[] {
  const names = request.headers.get("access-control-request-headers") ?? "";
  return names.split(",").map((name) => name.trim().toLowerCase());
}

/** S3's ids and metadata, by name: a star for a prefix is none of CORS. */
function amzNames(headers: Headers): string[] {
  return [...headers.keys()].filter((name) => name.startsWith("x-amz-"));
}

/** The value of Access-Control-Allow-Origin for this origin, or `undefined` for none. */
function grantedOrigin(policy: CorsPolicy | undefined, origin: string | null): string | undefined {
  // To all, also to who does not say from where: a browser may keep an image's answer, and give it to a script's fetch.
  if (policy?.origins === "*") return "*";
  return origin !== null && policy?.origins.includes(origin) ? origin : undefined;
}
