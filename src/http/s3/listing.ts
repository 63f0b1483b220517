/**
 * The XML of a bucket: lists of its keys (both versions), and its location.
 *
 * Tokens and markers are keys: a page starts behind the last key of the page before, so any isolate can give it.
 */
import { base64url } from "jose";
import { afterAll } from "../../sources/key-order.ts";
import type { ListPage } from "../../sources/source.ts";
import { encodeKey } from "../key.ts";
import { S3Refusal } from "./error.ts";
import { element, type Markup, optionalElement, xmlDocument } from "./xml.ts";

/** AWS's longest page. */
const mostKeys = 1000;
/** S3 names an owner; there is one here. */
export const owner = element("Owner", [element("ID", "edge-readahead")]);
/** Stores that keep no date for a key still have to name one: clients parse it. */
export const noDate = 0;

/** A list request in our words. */
export interface ListQuestion {
  readonly version: 1 | 2;
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly maxKeys: number;
  /** Exclusive start key of the page. */
  readonly after: string | undefined;
  readonly urlEncoded: boolean;
  readonly fetchOwner: boolean;
  /** As sent, to be repeated. */
  readonly marker: string | undefined;
  readonly startAfter: string | undefined;
  readonly token: string | undefined;
}

/** @throws S3Refusal `InvalidArgument` for numbers, tokens and encodings that are none */
export function readListQuestion(version: 1 | 2, query: URLSearchParams): ListQuestion {
  const text = (name: string): string | undefined => query.get(name) ?? undefined;
  const maxKeys = text("max-keys") ?? String(mostKeys);
  if (!/^\d{1,10}$/.test(maxKeys) || Number(maxKeys) > 2_147_483_647)
    throw invalidArgument(
      "max-keys",
      "Argument maxKeys must be an integer between 0 and 2147483647",
    );
  const encoding = text("encoding-type");
  if (encoding !== undefined && encoding !== "url")
    throw invalidArgument("encoding-type", "Invalid Encoding Method specified in Request");
  const prefix = text("prefix") ?? "";
  const delimiter = text("delimiter") || undefined;
  const token = text("continuation-token");
  const marker = text("marker");
  const startAfter = text("start-after");
  const after = token === undefined ? (startAfter ?? marker) : parseToken(token);
  return {
    version,
    prefix,
    delimiter,
    maxKeys: Math.min(Number(maxKeys), mostKeys),
    after: version === 1 ? behindMarker(after, prefix, delimiter) : after || undefined,
    urlEncoded: encoding === "url",
    fetchOwner: text("fetch-owner") === "true",
    marker,
    startAfter,
    token,
  };
}

/** Names the parameter that is none. */
export function invalidArgument(name: string, message: string): S3Refusal {
  return new S3Refusal("InvalidArgument", message, { ArgumentName: name });
}

/** Version 1 gives a rolled-up prefix as the marker of the next page: all keys below it have been told then. */
function behindMarker(
  marker: string | undefined,
  prefix: string,
  delimiter: string | undefined,
): string | undefined {
  if (marker === undefined || marker === "") return undefined;
  const rolled =
    delimiter !== undefined &&
    marker.startsWith(prefix) &&
    marker.endsWith(delimiter) &&
    marker.length > prefix.length;
  return rolled ? marker + afterAll : marker;
}

/** A start key as a token: base64url of its UTF-8. */
export function formatToken(key: string): string {
  return base64url.encode(key);
}

/** @throws S3Refusal `InvalidArgument` for what {@link formatToken} never wrote */
export function parseToken(token: string): string {
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return decoder.decode(base64url.decode(token));
  } catch {
    throw invalidArgument("continuation-token", "The continuation token provided is incorrect");
  }
}

/** The page as ListBucketResult. */
export function formatListing(bucket: string, question: ListQuestion, page: ListPage): string {
  const text = (value: string): string => (question.urlEncoded ? encodeKey(value) : value);
  const withOwner = question.version === 1 || question.fetchOwner;
  const contents = page.entries.map((entry) =>
    element("Contents", [
      element("Key", text(entry.key)),
      element("LastModified", new Date(entry.lastModified ?? noDate).toISOString()),
      ...optionalElement("ETag", entry.etag),
      element("Size", entry.size),
      ...(withOwner ? [owner] : []),
      element("StorageClass", entry.storageClass ?? "STANDARD"),
    ]),
  );
  const prefixes = page.prefixes.map((prefix) =>
    element("CommonPrefixes", [element("Prefix", text(prefix))]),
  );
  return xmlDocument(
    element("ListBucketResult", [
      element("Name", bucket),
      element("Prefix", text(question.prefix)),
      ...optionalElement("Delimiter", question.delimiter && text(question.delimiter)),
      element("MaxKeys", question.maxKeys),
      ...optionalElement("EncodingType", question.urlEncoded ? "url" : undefined),
      ...(question.version === 2 ? paging2(question, page, text) : paging1(question, page, text)),
      element("IsTruncated", page.next !== undefined),
      ...contents,
      ...prefixes,
    ]),
    true,
  );
}

function paging2(
  question: ListQuestion,
  page: ListPage,
  text: (value: string) => string,
): Markup[] {
  const { token, startAfter } = question;
  return [
    element("KeyCount", page.entries.length + page.prefixes.length),
    ...optionalElement("StartAfter", startAfter && text(startAfter)),
    ...optionalElement("ContinuationToken", token),
    ...optionalElement("NextContinuationToken", page.next && formatToken(page.next)),
  ];
}

/** NextMarker is always told, where AWS tells it only beside a delimiter; the prefix form of it is AWS's. */
function paging1(
  question: ListQuestion,
  page: ListPage,
  text: (value: string) => string,
): Markup[] {
  const { delimiter } = question;
  // Without a delimiter a marker is a key like any other, and `a/` would start the page with `a/` again.
  const rolled = delimiter !== undefined && page.next?.endsWith(delimiter + afterAll);
  const next = rolled ? page.next?.slice(0, -afterAll.length) : page.next;
  return [
    element("Marker", text(question.marker ?? "")),
    ...optionalElement("NextMarker", next && text(next)),
  ];
}

/** GetBucketLocation: `us-east-1` is an empty element, as ever. */
export function formatLocation(region: string): string {
  return xmlDocument(element("LocationConstraint", region === "us-east-1" ? "" : region), true);
}
