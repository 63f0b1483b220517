/**
 * The one table: what went wrong -> HTTP status, S3 code, whether the engine asks again, and the outcome that the
 * summary record names. Errors never build responses; the S3 front renders the same rows as XML.
 *
 * Nothing of the upstream leaves through here: kinds about a key's existence have a fixed text, and what other messages
 * say is stripped of anything that looks like an address.
 */
import { type ErrorKind, ReadaheadError } from "../errors.ts";
import { formatUnsatisfiedRange } from "../readahead/content-range.ts";

/** How a request ended (closed list of the summary record). */
export type Outcome =
  | "complete"
  | "not-modified"
  | "refused"
  | "client-left"
  | "upstream-failed"
  | "failed";

/** One row of the table. */
export interface ProblemRow {
  /** HTTP status of an answer that failed before its headers. */
  readonly status: number;
  /** Code of the S3 error document. */
  readonly s3Code: string;
  /** Whether the engine asks the same address again. `refresh`: another replica, or after looking the piece up again. */
  readonly retried: "yes" | "refresh" | "no";
  readonly outcome: Outcome;
  /** What the client is told. Absent: the error's own message, scrubbed. */
  readonly detail?: string;
  /** Seconds for Retry-After where the store named none: trying again later makes sense. */
  readonly retryAfterSeconds?: number;
}

/** Every error kind of the project. */
export const problems: Readonly<Record<ErrorKind, ProblemRow>> = {
  "not-found": {
    status: 404,
    s3Code: "NoSuchKey",
    retried: "refresh",
    outcome: "refused",
    detail: "There is nothing here",
  },
  denied: {
    status: 403,
    s3Code: "AccessDenied",
    retried: "refresh",
    outcome: "refused",
    detail: "Access denied",
  },
  changed: {
    status: 503,
    s3Code: "ServiceUnavailable",
    retried: "no",
    outcome: "upstream-failed",
    detail: "The object changed while it was being opened; ask again for the new version",
    retryAfterSeconds: 1,
  },
  unsatisfiable: {
    status: 416,
    s3Code: "InvalidRange",
    retried: "no",
    outcome: "refused",
    detail: "The range asked for lies outside of the object",
  },
  throttled: {
    status: 503,
    s3Code: "SlowDown",
    retried: "yes",
    outcome: "upstream-failed",
    detail: "The store asks to wait",
    retryAfterSeconds: 5,
  },
  unavailable: {
    status: 503,
    s3Code: "ServiceUnavailable",
    retried: "yes",
    outcome: "upstream-failed",
    retryAfterSeconds: 5,
  },
  truncated: { status: 502, s3Code: "InternalError", retried: "yes", outcome: "upstream-failed" },
  protocol: { status: 502, s3Code: "InternalError", retried: "yes", outcome: "upstream-failed" },
  lost: { status: 502, s3Code: "InternalError", retried: "no", outcome: "upstream-failed" },
  "key-missing": { status: 400, s3Code: "InvalidRequest", retried: "no", outcome: "refused" },
  "key-wrong": {
    status: 403,
    s3Code: "AccessDenied",
    retried: "no",
    outcome: "refused",
    detail: "The key does not open this object",
  },
  unsupported: { status: 501, s3Code: "NotImplemented", retried: "no", outcome: "refused" },
  "too-many-parts": { status: 501, s3Code: "NotImplemented", retried: "no", outcome: "refused" },
  overloaded: {
    status: 503,
    s3Code: "SlowDown",
    retried: "no",
    outcome: "failed",
    retryAfterSeconds: 2,
  },
  config: { status: 500, s3Code: "InternalError", retried: "no", outcome: "failed" },
};

/** What HTTP itself refuses, without any error from below. */
export type RefusalCode =
  | "precondition-failed"
  | "method-not-allowed"
  | "bad-path"
  | "bad-request"
  | "internal";

const refusals: Readonly<
  Record<RefusalCode, Omit<ProblemRow, "retried"> & { readonly detail: string }>
> = {
  "precondition-failed": {
    status: 412,
    s3Code: "PreconditionFailed",
    outcome: "refused",
    detail: "A condition of the request does not hold for the object as it is now",
  },
  "method-not-allowed": {
    status: 405,
    s3Code: "MethodNotAllowed",
    outcome: "refused",
    detail: "Only GET, HEAD and OPTIONS are answered here",
  },
  "bad-path": {
    status: 400,
    s3Code: "InvalidURI",
    outcome: "refused",
    detail: "The path cannot be read as a key",
  },
  "bad-request": {
    status: 400,
    s3Code: "InvalidRequest",
    outcome: "refused",
    detail: "The request cannot be understood",
  },
  internal: {
    status: 500,
    s3Code: "InternalError",
    outcome: "failed",
    detail: "Something went wrong here; the request id finds it in the log",
  },
};

/** One answer that is not the object, ready to be rendered (problem document or S3 XML). */
export interface Refusal {
  readonly code: ErrorKind | RefusalCode;
  readonly status: number;
  readonly s3Code: string;
  readonly outcome: Outcome;
  readonly detail: string;
  readonly retryAfterSeconds?: number | undefined;
  /** Object's size for the Content-Range of a 416. */
  readonly size?: number | undefined;
  /** Further headers (Allow). */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The error underneath, for the record; never rendered. */
  readonly error?: unknown;
}

/** Why a request was refused before any store was at fault, for the record: a code, and words without a secret. */
export class RequestRefusal extends Error {
  override readonly name: string = "RequestRefusal";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What the record is told of a refusal: the error underneath, or its own words. */
export function reasonOf(refusal: Refusal): unknown {
  return refusal.error ?? new RequestRefusal(refusal.code, refusal.detail);
}

/** Logs what an `internal` refusal hides from the client. `edge-readahead tail` knows it by its first word. */
export function logFault(requestId: string, fault: unknown): void {
  console.error(`edge-readahead could not answer request ${requestId}`, fault);
}

/** The refusal for whatever was thrown. Anything that is no {@link ReadaheadError} is `internal` and tells nothing. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof ReadaheadError)) return { ...refuse("internal"), error };
  const row = problems[error.kind];
  const retryAfterSeconds =
    row.retryAfterSeconds === undefined
      ? undefined
      : error.retryAfterMs === undefined
        ? row.retryAfterSeconds
        : Math.max(1, Math.ceil(error.retryAfterMs / 1_000));
  return {
    code: error.kind,
    status: row.status,
    s3Code: row.s3Code,
    outcome: row.outcome,
    // A configuration's fault is told in words that hold no value of it, but may show an address as an example.
    detail: row.detail ?? (error.kind === "config" ? error.message : scrub(error.message)),
    retryAfterSeconds,
    size: error.size,
    error,
  };
}

/** The refusal for a code of HTTP's own. */
export function refuse(code: RefusalCode, headers?: Readonly<Record<string, string>>): Refusal {
  return { code, ...refusals[code], headers };
}

/**
 * Renders a refusal as `application/problem+json` (RFC 9457) with a stable `code` and the request id.
 *
 * @param method A HEAD gets the headers alone
 */
export function problemResponse(refusal: Refusal, requestId: string, method = "GET"): Response {
  const body = `${JSON.stringify({
    type: "about:blank",
    title: titles[refusal.status] ?? "Error",
    status: refusal.status,
    code: refusal.code,
    detail: refusal.detail,
    request_id: requestId,
  })}\n`;
  const headers = refusalHeaders(refusal, requestId);
  headers.set("content-type", "application/problem+json");
  headers.set("content-length", String(new TextEncoder().encode(body).byteLength));
  return new Response(method === "HEAD" ? null : body, { status: refusal.status, headers });
}

/** The headers that every rendering of a refusal shares: Retry-After, Content-Range of a 416, request id, no-store. */
export function refusalHeaders(refusal: Refusal, requestId: string): Headers {
  const headers = new Headers({ ...refusal.headers });
  // 404, 405, 410, 501 would be cacheable by default (RFC 9110 15.1).
  headers.set("cache-control", "no-store");
  headers.set("x-content-type-options", "nosniff");
  headers.set("x-request-id", requestId);
  if (refusal.retryAfterSeconds !== undefined) {
    headers.set("retry-after", String(refusal.retryAfterSeconds));
  }
  if (refusal.status === 416 && refusal.size !== undefined) {
    headers.set("content-range", formatUnsatisfiedRange(refusal.size));
  }
  return headers;
}

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  412: "Precondition Failed",
  416: "Range Not Satisfiable",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

/** A message of ours is shorter; looking through a long one for addresses takes the square of its length. */
const longestDetail = 1_000;
// URLs, dotted host names or addresses with a port, bracketed IPv6. A net under the promise that messages name none.
const addresses =
  /[a-z][a-z0-9+.-]*:\/\/\S+|\[[0-9a-f:.]+\](?::\d+)?|\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*:\d{2,5}\b/gi;

function scrub(message: string): string {
  return message.slice(0, longestDetail).replace(addresses, "[address]");
}
