/**
 * Facts + decision -> status and headers; then, with a stream, the Response.
 *
 * In workerd the length comes from the engine's stream (`expectedLength`; a content-length header on a stream made in
 * JS is dropped there); elsewhere, and for HEAD, the header set here is what counts. Both say the same number.
 */
import { formatContentRange } from "../readahead/content-range.ts";
import { contentTypeOf } from "../sources/content-type.ts";
import type { Facts, OpenObject } from "../sources/source.ts";
import { acceptsCompression, isTranscoded } from "./accept-encoding.ts";
import { isCompressible } from "./compressible.ts";
import type { Decision } from "./decision.ts";
import { formatAttachment } from "./disposition.ts";

/** What the headers depend on beside facts and decision. */
export interface HeaderContext {
  /** Decoded key: Content-Type by extension, name of a download. */
  readonly key: string;
  /** What a front between here and the client was told; `null` where there is none. */
  readonly acceptEncoding: string | null;
  /** Replaces the store's Cache-Control. */
  readonly cacheControl?: string | undefined;
  /** Name to be saved under, "" for the key's own; `undefined`: not asked for. */
  readonly attachment?: string | undefined;
  /** Exact bytes of the answer; `undefined` when unknown. */
  readonly length?: number | undefined;
  /** Content-Type of a multipart answer. */
  readonly multipartType?: string | undefined;
}

/** Content-Type of the object itself: the store's, else by extension. */
export function objectType(facts: Facts, key: string): string {
  return facts.headers["content-type"] ?? contentTypeOf(key);
}

/** Headers of a 200 or 206. */
export function objectHeaders(
  object: Pick<OpenObject, "facts" | "rangeable">,
  decision: Decision,
  context: HeaderContext,
): Headers {
  const { facts } = object;
  const headers = new Headers({ ...facts.headers });
  addValidators(headers, facts, context);
  const type = objectType(facts, context.key);
  headers.set("content-type", context.multipartType ?? type);
  // A guessed type is no statement of the store: let no browser guess further.
  if (facts.headers["content-type"] === undefined) headers.set("x-content-type-options", "nosniff");
  if (facts.size !== undefined && object.rangeable !== false) headers.set("accept-ranges", "bytes");
  if (decision.kind === "single") {
    headers.set("content-range", formatContentRange(decision.range, facts.size));
  }
  if (context.length !== undefined) headers.set("content-length", String(context.length));
  if (context.attachment !== undefined) {
    headers.set("content-disposition", formatAttachment(context.attachment, context.key));
  }
  guardCoding(headers, context.multipartType ?? type, context.acceptEncoding);
  return headers;
}

/**
 * What stands between here and the client (`wrangler dev`, Cloudflare's front) compresses such types for clients that
 * accept it, even a 206: length and range then lie, and validators turn weak. A coding that is already named stops it
 * ("identity" is odd on the wire but understood; `no-transform` does not stop wrangler 4.155). One that it knows it puts
 * into another for clients that prefer that, and a 206 fails with 500: in capitals, the same coding to every client
 * (RFC 9110 8.4.1), it goes through as stored. Both only where needed.
 */
function guardCoding(headers: Headers, type: string, acceptEncoding: string | null): void {
  if (!isCompressible(type)) return;
  const coding = headers.get("content-encoding");
  if (coding === null && acceptsCompression(acceptEncoding))
    headers.set("content-encoding", "identity");
  else if (coding !== null && isTranscoded(coding, acceptEncoding))
    headers.set("content-encoding", coding.toUpperCase());
}

/** Headers of a 304: what RFC 9110 15.4.5 wants repeated, and nothing about a body. */
export function notModifiedHeaders(
  facts: Facts,
  context: Pick<HeaderContext, "cacheControl">,
): Headers {
  const headers = new Headers();
  for (const name of ["age", "cache-control", "content-location", "expires", "vary"]) {
    const value = facts.headers[name];
    if (value !== undefined) headers.set(name, value);
  }
  addValidators(headers, facts, context);
  return headers;
}

/**
 * Puts stream and headers together.
 *
 * @param stream Of exactly `content-length` bytes, or `null`: HEAD, 304, empty answers
 */
export function respond(
  stream: ReadableStream<Uint8Array> | null,
  status: number,
  headers: Headers,
): Response {
  // A stored coding is passed on as stored: workerd would otherwise encode the bytes once more.
  const encodeBody = headers.has("content-encoding") ? "manual" : "automatic";
  return new Response(stream, { status, headers, encodeBody });
}

function addValidators(
  headers: Headers,
  facts: Facts,
  context: Pick<HeaderContext, "cacheControl">,
): void {
  if (facts.etag !== undefined) headers.set("etag", facts.etag);
  if (facts.lastModified !== undefined) {
    headers.set("last-modified", new Date(facts.lastModified).toUTCString());
  }
  if (context.cacheControl === undefined) return;
  headers.set("cache-control", context.cacheControl);
  // How long an answer was on its way counts against the lifetime that the store gave it, not against this one.
  headers.delete("age");
}
