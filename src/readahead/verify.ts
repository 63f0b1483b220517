/**
 * Judges an upstream's answer by its status and headers against what was asked: the exact range, the same version, the
 * stored encoding. Pure: the caller owns the response and discards its body when this throws. Bytes are counted
 * elsewhere (the engine); an answer that passes here may still be short, long or late.
 *
 * A 404 stays `not-found` here: only the engine knows whether part 0 was answered, which makes it `changed`.
 */
import { type ErrorKind, ReadaheadError } from "../errors.ts";
import type { Facts, Want } from "../sources/source.ts";
import type { ByteRange } from "./byte-range.ts";
import { byteLength } from "./byte-range.ts";
import { parseContentRange } from "./content-range.ts";
import { parseHttpDate } from "./http-date.ts";

/** Status and headers of an answer; a `Response` is one. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: Headers;
}

/** What was asked of the upstream. */
export interface Asked {
  readonly want: Exclude<Want, "facts">;
  /** The version this read belongs to; absent when opening, where any version will do. */
  readonly known?: Pick<Facts, "size" | "etag" | "lastModified" | "pin" | "headers"> | undefined;
  /** Opening only: whether Content-Encoding may be what the object is stored with, and arrives undecoded. */
  readonly storedEncoding?: boolean | undefined;
  /** Opaque name of the address asked, for errors. */
  readonly replica?: string | undefined;
}

/** An answer that may be used. All but `part` come only when opening. */
export type Checked =
  /**
   * A 206 with exactly these bytes. `size` is unknown where Content-Range has a star; when opening the range may then
   * end early, and is right only if {@link isAnswer} says so of the size found out.
   */
  | { readonly kind: "part"; readonly range: ByteRange; readonly size: number | undefined }
  /** A 200: the store ignored Range, the body is the whole object. */
  | { readonly kind: "whole"; readonly size: number | undefined }
  /** A 416, with the size that it names: the range starts past the end, or the store refuses what it could answer. */
  | { readonly kind: "refused"; readonly size: number | undefined }
  /** A 304 or 412: the store judged the client's conditions. */
  | { readonly kind: "judged" };

/**
 * Checks one answer to a ranged GET.
 *
 * @throws ReadaheadError `protocol` for a wrong or missing Content-Range, multipart, an encoding, a 200 to a later read;
 * `changed` for another version or size and for 412 to a later read; else what {@link statusError} says
 */
export function verifyAnswer(asked: Asked, answer: UpstreamAnswer): Checked {
  const opening = asked.known === undefined;
  switch (answer.status) {
    case 206:
      return verifyPart(asked, answer.headers);
    case 204:
    case 200: {
      if (!opening) {
        compareVersion(asked, answer.headers);
        throw fault(asked, 200, "protocol", "Upstream answered a later read with 200");
      }
      compareEncoding(asked, 200, answer.headers);
      return { kind: "whole", size: parseLength(answer.headers.get("content-length")) };
    }
    case 416:
      return verifyRefusal(asked, answer.headers);
    case 304:
    case 412:
      if (opening) return { kind: "judged" };
      break;
    default:
  }
  throw statusError(answer, asked);
}

function verifyPart(asked: Asked, headers: Headers): Checked {
  if (/^\s*multipart\/byteranges/i.test(headers.get("content-type") ?? ""))
    throw fault(asked, 206, "protocol", "Upstream answered with multipart/byteranges");
  const text = headers.get("content-range");
  const named = text === null ? undefined : parseContentRange(text);
  // Go's and MinIO's words for the last bytes of nothing.
  if (asked.known === undefined && text === "bytes 0--1/0") return { kind: "refused", size: 0 };
  if (named?.range === undefined)
    throw fault(asked, 206, "protocol", "Upstream's Content-Range cannot be used");
  const { range } = named;
  // Version before range: a shorter object clips the range elsewhere, and "changed" says more than "wrong range".
  compareVersion(asked, headers);
  compareSize(asked, 206, named.size);
  if (named.size === undefined && asked.known?.pin?.by === "last-modified")
    throw fault(asked, 206, "protocol", "Upstream names no size to pin by");
  compareEncoding(asked, 206, headers);
  const size = named.size ?? asked.known?.size;
  // When opening, nothing but the size, which the source has to settle, can tell a clipped range from a short one.
  const end = size ?? (asked.known === undefined ? range.end : Infinity);
  if (!isAnswer(asked.want, range, end))
    throw fault(asked, 206, "protocol", `Upstream answered another range than asked: ${text}`);
  const length = headers.get("content-length");
  if (length !== null && parseLength(length) !== byteLength(range))
    throw fault(asked, 206, "protocol", "Upstream's Content-Length cannot be used");
  return { kind: "part", range, size };
}

/** Whether the range is the one that answers, of an object that ends there. */
export function isAnswer(want: Asked["want"], range: ByteRange, size: number): boolean {
  const [start, end] =
    "suffix" in want
      ? [Math.max(0, size - want.suffix), size]
      : [want.start, Math.min(want.end ?? Infinity, size)];
  return range.start === start && range.end === end;
}

function verifyRefusal(asked: Asked, headers: Headers): Checked {
  const size = parseContentRange(headers.get("content-range") ?? "")?.size;
  if (asked.known !== undefined) {
    compareVersion(asked, headers, false);
    compareSize(asked, 416, size);
    throw fault(asked, 416, "protocol", "Upstream refused the range");
  }
  return { kind: "refused", size };
}

/**
 * The same version as the one known, by its pin.
 *
 * A 206 must carry the validators that a 200 would have (RFC 9110 15.3.7), so an answer without them cannot be trusted
 * to be the pinned version. Without a pin (the mount trusts) whatever both answers name must agree, a weak tag weakly.
 */
function compareVersion(asked: Asked, headers: Headers, required = true): void {
  const { known } = asked;
  if (known === undefined) return;
  const etag = headers.get("etag") ?? undefined;
  const pinned = known.pin?.by;
  // Beside a matching entity tag Last-Modified proves nothing: servers behind one name differ in it by a second.
  const byDate = pinned === "last-modified" || etag === undefined || known.etag === undefined;
  const modified = byDate ? parseHttpDate(headers.get("last-modified")) : undefined;
  if (required && pinned !== undefined && pinned !== "version-id") {
    const named = pinned === "etag" ? etag : modified;
    if (named === undefined)
      throw fault(asked, 206, "protocol", `Upstream's answer lacks its ${pinned}`);
  }
  const tagsDiffer =
    etag !== undefined &&
    known.etag !== undefined &&
    (pinned === "etag" ? etag !== known.etag : opaque(etag) !== opaque(known.etag));
  const datesDiffer =
    modified !== undefined && known.lastModified !== undefined && modified !== known.lastModified;
  if (tagsDiffer || datesDiffer)
    throw fault(asked, undefined, "changed", "The object changed while it was read");
}

/** An entity tag without its mark of weakness. */
export function opaque(etag: string): string {
  return etag.replace(/^W\//, "");
}

/** An answer that names no size contradicts none. */
function compareSize(asked: Asked, status: number, size: number | undefined): void {
  const known = asked.known?.size;
  if (known !== undefined && size !== undefined && known !== size)
    throw fault(
      asked,
      status,
      "changed",
      `The object changed while it was read, from ${known} bytes to ${size}`,
    );
}

/** The encoding known, or, when opening, none but one that the object may be stored with. */
export function compareEncoding(
  asked: Pick<Asked, "known" | "storedEncoding" | "replica">,
  status: number,
  headers: Headers,
): void {
  const encoding = contentEncoding(headers);
  const known = asked.known?.headers["content-encoding"];
  const allowed = asked.known === undefined && asked.storedEncoding === true;
  if (encoding !== known && !allowed)
    throw fault(asked, status, "protocol", "Upstream sent an encoding not asked for");
}

/** Content-Encoding, lower case; `undefined` for none and for `identity`. */
export function contentEncoding(headers: Headers): string | undefined {
  const value = headers.get("content-encoding")?.trim().toLowerCase();
  return value === "identity" ? undefined : value || undefined;
}

/** Content-Length as a number; `undefined` where it is absent or no exact number. */
export function parseLength(text: string | null): number | undefined {
  if (text === null || !/^\d{1,16}$/.test(text)) return undefined;
  const length = Number(text);
  return Number.isSafeInteger(length) ? length : undefined;
}

/**
 * How long Retry-After asks to wait, in milliseconds (RFC 9110 10.2.3: seconds or a date). A date is counted from the
 * answer's own Date, so that a wrong clock on either side does no harm.
 */
export function retryAfterMs(headers: Headers, now: number): number | undefined {
  const text = headers.get("retry-after")?.trim();
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const until = parseHttpDate(text);
  if (until === undefined) return undefined;
  return Math.max(0, until - (parseHttpDate(headers.get("date")) ?? now));
}

/** The error for an answer that brings no bytes: status -> kind, with Retry-After where it makes sense. */
export function statusError(
  answer: UpstreamAnswer,
  context: { readonly replica?: string | undefined; readonly now?: number | undefined } = {},
): ReadaheadError {
  const wait = retryAfterMs(answer.headers, context.now ?? Date.now());
  const kind = statusKind(answer.status, wait);
  return new ReadaheadError(kind, `Upstream answered ${answer.status}`, {
    status: answer.status,
    replica: context.replica,
    retryAfterMs: kind === "throttled" || kind === "unavailable" ? wait : undefined,
  });
}

function statusKind(status: number, wait: number | undefined): ErrorKind {
  // A 503 that says when to come back is load shed on purpose (S3 SlowDown), another one is a fault.
  if (status === 503 && wait !== undefined) return "throttled";
  return statusKinds[status] ?? (status >= 500 ? "unavailable" : "protocol");
}

const statusKinds: Readonly<Record<number, ErrorKind>> = {
  401: "denied",
  403: "denied",
  404: "not-found",
  408: "unavailable",
  410: "not-found",
  412: "changed",
  416: "unsatisfiable",
  429: "throttled",
  501: "unsupported",
};

function fault(
  asked: Pick<Asked, "replica">,
  status: number | undefined,
  kind: ErrorKind,
  message: string,
): ReadaheadError {
  return new ReadaheadError(kind, message, { replica: asked.replica, status });
}
