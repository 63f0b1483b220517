/**
 * Requests for the S3 front and ways to spoil them, from one random seed: path, query, headers, method, before or after
 * signing. What comes out is sent as it is; nothing here knows what the answer should be.
 */
import type { Random } from "../../support/random.ts";
import { origin } from "./support.ts";

/** A request that can still be changed. */
export interface Draft {
  method: string;
  /** Absolute, as text: only sending parses it. */
  url: string;
  headers: [string, string][];
}

export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError("Nothing to pick from");
  return item;
}

const paths = [
  "/media/key",
  "/media/reports/a",
  "/media/a%20b%2Bc",
  "/media/nothing",
  "/media",
  "/media/",
  "/other/key",
  "/open/key",
  "/open",
  "/",
];
const queries = [
  "",
  "",
  "",
  "list-type=2",
  "list-type=2&prefix=reports/&max-keys=2",
  "delimiter=/",
  "versionId=1",
  "partNumber=1",
  "location",
  "response-content-type=text/html",
];

/** A sound request. */
export function draft(random: Random): Draft {
  const query = pick(random, queries);
  const headers: [string, string][] = random() < 0.3 ? [["range", pick(random, ranges)]] : [];
  const url = origin + pick(random, paths) + (query === "" ? "" : `?${query}`);
  return { method: random() < 0.85 ? "GET" : "HEAD", url, headers };
}

const ranges = [
  "bytes=0-9",
  "bytes=5-",
  "bytes=-5",
  "bytes=0-0,5-9",
  "bytes=999-",
  "bytes=-0",
  "bytes=9-5",
  "octets=0-1",
  "bytes=18446744073709551616-",
  "bytes=0-99999999999999999999",
  "bytes=,,",
  "x",
];
const fragments = [
  "/",
  "//",
  "%2F",
  "%2f",
  "%5C",
  "\\",
  "..",
  "/../",
  "%2e%2e/",
  ".",
  "%00",
  "%0d%0a",
  "%",
  "%zz",
  "%25",
  "%2541",
  "+",
  "%20",
  " ",
  "?",
  "#",
  "&",
  "=",
  ";",
  ":",
  "@",
  "*",
  "'",
  "~",
  "é",
  "%C3%A9",
  "%ff",
  "%ED%A0%80",
  "🙂",
  "\t",
  "media",
  "open",
  "other",
  "key",
  "x".repeat(300),
];
const names =
  "acl attributes bucket-region cors delete delimiter encoding-type encryption fetch-owner legal-hold lifecycle list-type location logging marker max-buckets max-keys notification object-lock partNumber policy prefix replication requestPayment response-cache-control response-content-disposition response-content-type response-expires restore retention select start-after tagging torrent uploadId uploads versionId versioning versions website x-id foo download explain continuation-token X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires X-Amz-SignedHeaders X-Amz-Signature X-Amz-Security-Token X-Amz-Content-Sha256 AWSAccessKeyId Signature Expires __proto__ constructor".split(
    " ",
  );
const values = [
  "",
  "0",
  "1",
  "2",
  "-1",
  "1000",
  "10001",
  "99999999999",
  "url",
  "reports/",
  "key",
  "null",
  "true",
  "%00",
  "%0d%0aSet-Cookie:a",
  "%zz",
  "a/b",
  "*",
  "<script>",
  "é",
  "x".repeat(2000),
];
const headerNames = [
  "range",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "if-range",
  "accept-encoding",
  "content-type",
  "content-encoding",
  "content-length",
  "expect",
  "host",
  "x-forwarded-host",
  "x-original-url",
  "x-rewrite-url",
  "x-http-method-override",
  "origin",
  "cookie",
  "x-amz-date",
  "x-amz-content-sha256",
  "x-amz-security-token",
  "x-amz-checksum-mode",
  "x-amz-copy-source",
  "x-amz-acl",
  "x-amz-server-side-encryption-customer-algorithm",
  "x-amz-server-side-encryption-customer-key",
  "x-amz-server-side-encryption-customer-key-md5",
  "x-amz-expected-bucket-owner",
  "x-amz-request-payer",
  "date",
  "authorization",
  "te",
  "connection",
];
const headerValues = [
  "",
  "*",
  '"v1"',
  'W/"v1"',
  "bytes=0-1",
  "Thu, 01 Jan 1970 00:00:00 GMT",
  "Sat, 01 Jan 2050 00:00:00 GMT",
  "identity",
  "gzip",
  "ENABLED",
  "AES256",
  "UNSIGNED-PAYLOAD",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  "20200101T000000Z",
  "media.edge.example",
  "evil.example",
  "/media/key",
  "AWS AKWHOLE:abc",
  "Bearer x",
  "AWS4-HMAC-SHA256",
  "AWS4-HMAC-SHA256 Credential=/////,SignedHeaders=,Signature=",
  "0".repeat(64),
  "x".repeat(5000),
  "a,b",
  "\u00e9",
];
const methods = ["PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "GET", "PROPFIND"];

function insert(random: Random, text: string, what: string, from: number): string {
  const at = from + Math.floor(random() * (text.length - from + 1));
  const cut = random() < 0.3 ? Math.floor(random() * 4) : 0;
  return text.slice(0, at) + what + text.slice(at + cut);
}

/** One mutation in place. */
export function mutate(request: Draft, random: Random): void {
  const cut = request.url.indexOf("?");
  const path = cut < 0 ? request.url : request.url.slice(0, cut);
  const query = cut < 0 ? "" : request.url.slice(cut + 1);
  const kind = random();
  if (kind < 0.25) {
    const edited = insert(random, path, pick(random, fragments), origin.length + 1);
    request.url = edited + (query === "" ? "" : `?${query}`);
  } else if (kind < 0.55) {
    const pairs = query === "" ? [] : query.split("&");
    const pair = `${pick(random, names)}${random() < 0.2 ? "" : `=${pick(random, values)}`}`;
    const at = Math.floor(random() * (pairs.length + 1));
    // Added, put in another's place, or one taken out, said twice, or moved.
    const how = random();
    if (how < 0.5) pairs.splice(at, 0, pair);
    else if (how < 0.65) pairs.splice(at, 1, pair);
    else if (how < 0.8) pairs.splice(at, 1);
    else if (how < 0.9 && pairs[at] !== undefined) pairs.push(pairs[at]);
    else pairs.reverse();
    request.url = path + (pairs.length === 0 ? "" : `?${pairs.join("&")}`);
  } else if (kind < 0.62) {
    request.url = insert(random, request.url, pick(random, fragments), origin.length + 1);
  } else if (kind < 0.88) {
    mutateHeaders(request, random);
  } else if (kind < 0.94) {
    request.method = pick(random, methods);
  } else {
    request.url = request.url.replace(
      origin,
      pick(random, [
        "https://media.edge.example",
        "https://open.edge.example",
        "https://evil.example",
        "https://media",
      ]),
    );
  }
}

function mutateHeaders(request: Draft, random: Random): void {
  const at = Math.floor(random() * request.headers.length);
  const existing = request.headers[at];
  const how = random();
  if (existing === undefined || how < 0.5) {
    request.headers.push([pick(random, headerNames), pick(random, headerValues)]);
  } else if (how < 0.65) {
    request.headers.splice(at, 1);
  } else {
    // A changed digit in a date, a scope, a signature: the interesting places are in what is there.
    const [name, value] = existing;
    const place = Math.floor(random() * Math.max(1, value.length));
    const piece =
      random() < 0.7
        ? String.fromCharCode(33 + Math.floor(random() * 94))
        : pick(random, headerValues);
    request.headers[at] = [name, value.slice(0, place) + piece + value.slice(place + 1)];
  }
}
