/**
 * One HTTP request to a store: sent under a permit, redirects followed within the host, failures of the network named.
 * Judges no status but redirects; the caller checks the answer and owns its body.
 */
import { ReadaheadError } from "../errors.ts";
import { discardBody } from "../readahead/body-reader.ts";
import type { Ask, Permits } from "../readahead/permits.ts";
import { inWorkerd } from "../runtime.ts";

/** What is passed to `fetch`. A subset that every runtime understands, but for `encodeResponseBody`. */
export interface UpstreamInit {
  readonly method: "GET" | "HEAD";
  readonly headers: Record<string, string>;
  readonly redirect: "manual";
  readonly signal: AbortSignal;
  /**
   * workerd only, others ignore it: the body as it came. Without it workerd decodes gzip and brotli by the header alone,
   * and a 206 with a slice of them fails with "Gzip decompression failed" (measured, workerd 1.20261023.1).
   */
  readonly encodeResponseBody: "manual";
}

/** The platform's `fetch`, or anything like it. */
export type FetchFunction = (url: string, init: UpstreamInit) => Promise<Response>;

/** A service, VPC or mTLS binding. */
export interface Fetcher {
  fetch: FetchFunction;
}

/** Where requests go. Taken apart once an object: each look at a `URL` is a native call, and parts are many. */
export interface Address {
  readonly href: string;
  /** Host and port: what is avoided for a while when it fails. */
  readonly replica: string;
}

/** An answer and where it came from after redirects. */
export interface Upstream {
  readonly response: Response;
  readonly address: Address;
}

export interface UpstreamRequest {
  readonly address: Address;
  readonly method: "GET" | "HEAD";
  readonly headers: Record<string, string>;
  readonly purpose: Ask["purpose"];
  readonly permits: Permits;
}

// A store behind a canonical-host or trailing-slash redirect needs one or two; more is a loop or a login page.
const redirectHops = 3;

/**
 * Sends a request and follows up to three redirects within the host, each with its own permit (a hop is a subrequest).
 *
 * @throws ReadaheadError `unavailable` with `connection` where no answer came, `too-many-parts` where the runtime refuses
 * further subrequests, `protocol` for a redirect to elsewhere
 * @throws the signal's reason when aborted
 */
export async function sendUpstream(
  fetch: FetchFunction,
  request: UpstreamRequest,
): Promise<Upstream> {
  let { address } = request;
  for (let hop = 0; ; hop++) {
    const response = await sendOnce(fetch, address, request);
    const location = redirectTarget(response);
    if (location === undefined) return { response, address };
    discard(response);
    const next = URL.parse(location, address.href);
    if (hop === redirectHops || next === null || !sameHost(new URL(address.href), next))
      throw new ReadaheadError("protocol", "Upstream redirects elsewhere", {
        status: response.status,
        replica: address.replica,
      });
    next.hash = "";
    address = addressOf(next);
  }
}

function sendOnce(
  fetch: FetchFunction,
  { href, replica }: Address,
  request: UpstreamRequest,
): Promise<Response> {
  return request.permits.request({ replica, purpose: request.purpose }, async (signal) => {
    try {
      return await fetch(href, {
        method: request.method,
        headers: request.headers,
        redirect: "manual",
        signal,
        encodeResponseBody: "manual",
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw networkError(error, replica);
    }
  });
}

/** A rejected `fetch` as an error of ours. */
export function networkError(cause: unknown, replica: string): ReadaheadError {
  // workerd: "Too many subrequests by single Worker invocation."
  if (cause instanceof Error && /too many subrequests/i.test(cause.message))
    return new ReadaheadError("too-many-parts", "The runtime allows no further subrequest", {
      cause,
      replica,
    });
  return new ReadaheadError("unavailable", "Upstream could not be reached", {
    cause,
    replica,
    connection: true,
  });
}

export function addressOf(url: URL): Address {
  return { href: url.href, replica: url.host };
}

function redirectTarget(response: Response): string | undefined {
  const { status } = response;
  if (![301, 302, 303, 307, 308].includes(status)) return undefined;
  return response.headers.get("location") ?? undefined;
}

/** Same scheme, host and port; or the same host name going from http to https on the default ports. */
function sameHost(from: URL, to: URL): boolean {
  if (to.username !== "" || to.password !== "") return false;
  if (from.origin === to.origin) return true;
  return (
    from.protocol === "http:" && to.protocol === "https:" && from.host === to.host && to.port === ""
  );
}

/** Ends an answer nobody will read. Never rejects, never waits. */
export function discard(response: Response): void {
  discardBody(response.body);
}

/** What `judge` says of an answer; one that it throws at is ended. */
export function discardOnThrow<T>(response: Response, judge: () => T): T {
  try {
    return judge();
  } catch (error) {
    discard(response);
    throw error;
  }
}

/** The body, or no bytes where the answer has none. */
export function bodyOf(response: Response): ReadableStream<Uint8Array> | Uint8Array {
  return response.body ?? new Uint8Array(0);
}

/**
 * How a source sends its requests: through the binding where there is one.
 *
 * @throws TypeError for a `via` without a `fetch()`
 */
export function fetchThrough(
  via: Fetcher | undefined,
  own: FetchFunction = platformFetch,
): FetchFunction {
  if (via === undefined) return own;
  if (typeof via.fetch !== "function") throw new TypeError("via must be a binding with a fetch()");
  return (url, init) => via.fetch(url, init);
}

/** Whether bodies come as they are stored: Node's own `fetch` decodes them (undici 8.12), a given one is trusted not to. */
export function comesAsStored(via: Fetcher | undefined, own: FetchFunction | undefined): boolean {
  return via !== undefined || own !== undefined || inWorkerd;
}

/** Looked up at every call, so that a replaced global (tests, instrumentation) counts. */
const platformFetch: FetchFunction = (url, init) => fetch(url, init);
