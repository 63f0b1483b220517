/**
 * An S3 store in this process: the project's fake store behind S3's addresses, with signatures checked by WebCrypto
 * (the source signs with aws4fetch, so neither side proves itself), error documents, versions by id, parts by number,
 * and ListObjectsV2. Its clock can be set.
 */
import { Authenticator } from "../../../src/http/s3/authenticate.ts";
import { S3Refusal, s3ErrorResponse, s3Statuses } from "../../../src/http/s3/error.ts";
import type { S3FrontMount } from "../../../src/http/s3/mount.ts";
import { element, xmlDocument } from "../../../src/http/s3/xml.ts";
import type { FetchFunction } from "../../../src/sources/http.ts";
import { compareUtf8 } from "../../../src/sources/key-order.ts";
import { createStoreFetch } from "../../support/store-fetch.ts";
import type { SpaceScript } from "../../support/store-script.ts";
import { StoreSpace } from "../../support/store-space.ts";

export const testCredentials = { accessKeyId: "AKIDTEST", secretAccessKey: "secret/with+signs=" };

/** AWS's words. */
const encryptedMessage =
  "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.";

export interface FakeS3Options {
  readonly bucket?: string;
  readonly region?: string;
  readonly script?: SpaceScript;
  /** Refuses signatures and takes anything unsigned. */
  readonly public?: boolean;
  /** The store's clock. */
  readonly now?: () => number;
}

export interface SeenS3Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

export interface FakeS3 {
  readonly space: StoreSpace;
  readonly fetch: FetchFunction;
  readonly seen: readonly SeenS3Request[];
  /** Names the bytes of a multipart upload's parts; sizes add up to the object's. */
  setParts(key: string, partBytes: readonly number[]): void;
  /** Objects encrypted with this key (SSE-C, base64). */
  encrypt(key: string, customerKey: string): void;
}

/** Keys are put into `space` directly. */
export function createFakeS3(options: FakeS3Options = {}): FakeS3 {
  const bucket = options.bucket ?? "bucket";
  const space = new StoreSpace(options.script);
  const store = createStoreFetch(space);
  const keys = new Set<string>();
  const storeObject = space.store.bind(space);
  space.store = (key, object) => {
    keys.add(key);
    storeObject(key, object);
  };
  const parts = new Map<string, readonly number[]>();
  const encrypted = new Map<string, string>();
  const seen: SeenS3Request[] = [];
  const mount: S3FrontMount = {
    bucket,
    access: "signed",
    listAccess: "signed",
    credentials: [testCredentials],
    regions: [options.region ?? "us-east-1"],
    hosts: [],
  };
  const now = options.now ?? Date.now;
  const authenticator = new Authenticator([mount], now);

  const fetch: FetchFunction = async (text, init) => {
    init.signal.throwIfAborted();
    const url = new URL(text);
    const headers = new Headers(init.headers);
    seen.push({ method: init.method, url: text, headers });
    const error = (
      status: number,
      code: string,
      details: Record<string, string> = {},
      message = "No",
    ) =>
      s3ErrorResponse({
        status,
        code,
        message,
        resource: url.pathname,
        requestId: "1",
        details,
        headers: new Headers({ date: new Date(now()).toUTCString() }),
        bodyless: init.method === "HEAD",
      });
    try {
      const identity = await authenticator.identify({
        method: init.method,
        rawPath: url.pathname,
        rawQuery: url.search.slice(1),
        query: url.searchParams,
        headers,
        host: url.host,
      });
      if ((identity.kind === "anonymous") !== (options.public === true))
        return error(403, "AccessDenied");
    } catch (refusal) {
      if (!(refusal instanceof S3Refusal)) throw refusal;
      return error(s3Statuses[refusal.code], refusal.code, refusal.details);
    }
    const path = url.pathname.slice(1);
    if (path === bucket && url.searchParams.get("list-type") === "2") {
      return new Response(listing(keys, space, url.searchParams));
    }
    if (!path.startsWith(`${bucket}/`)) return error(404, "NoSuchBucket");
    const rawKey = path.slice(bucket.length + 1);
    const key = decodeURIComponent(rawKey);
    const customerKey = headers.get("x-amz-server-side-encryption-customer-key");
    if (encrypted.has(key) && customerKey === null)
      return error(400, "InvalidRequest", {}, encryptedMessage);
    if (encrypted.has(key) && customerKey !== encrypted.get(key)) return error(403, "AccessDenied");
    const partNumber = url.searchParams.get("partNumber");
    const lengths = parts.get(key);
    const plain: Record<string, string> = Object.fromEntries(headers);
    if (partNumber !== null && lengths !== undefined) {
      // As Ceph does: https://github.com/sapcc/maria-back-me-up/pull/143
      if (headers.has("if-match")) return error(412, "PreconditionFailed");
      const start = lengths.slice(0, Number(partNumber) - 1).reduce((sum, bytes) => sum + bytes, 0);
      const length = lengths[Number(partNumber) - 1];
      if (length === undefined) return error(416, "InvalidPartNumber");
      plain["range"] = `bytes=${start}-${start + length - 1}`;
    }
    const answer = await store(`https://store/${rawKey}`, { ...init, headers: plain });
    if (partNumber !== null && lengths !== undefined)
      answer.headers.set("x-amz-mp-parts-count", String(lengths.length));
    const size = space.object(key)?.size;
    if (answer.status === 404) return error(404, "NoSuchKey");
    if (answer.status === 403) return error(403, "AccessDenied");
    if (answer.status === 412) return error(412, "PreconditionFailed");
    if (answer.status === 416)
      return error(416, "InvalidRange", { ActualObjectSize: String(size) });
    return answer;
  };
  return {
    space,
    fetch,
    seen,
    setParts: (key, partBytes) => {
      parts.set(key, partBytes);
    },
    encrypt: (key, customerKey) => {
      encrypted.set(key, customerKey);
    },
  };
}

function listing(keys: ReadonlySet<string>, space: StoreSpace, query: URLSearchParams): string {
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  const after = query.get("start-after") ?? "";
  const limit = Number(query.get("max-keys") ?? 1000);
  const contents: string[] = [];
  const prefixes: string[] = [];
  let truncated = false;
  for (const key of [...keys].toSorted(compareUtf8)) {
    const object = space.object(key);
    if (object === undefined || !key.startsWith(prefix) || compareUtf8(key, after) <= 0) continue;
    const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const rolled = cut < 0 ? undefined : key.slice(0, cut + delimiter.length);
    if (rolled !== undefined && prefixes.includes(rolled)) continue;
    if (contents.length + prefixes.length === limit) {
      truncated = true;
      break;
    }
    if (rolled !== undefined) prefixes.push(rolled);
    else contents.push(key);
  }
  return xmlDocument(
    element("ListBucketResult", [
      element("Name", "bucket"),
      element("EncodingType", "url"),
      element("IsTruncated", truncated),
      ...contents.map((key) =>
        element("Contents", [
          element("Key", encode(key)),
          element("LastModified", "2026-01-01T00:00:00.000Z"),
          element("ETag", space.object(key)?.etag ?? ""),
          element("Size", space.object(key)?.size ?? 0),
        ]),
      ),
      ...prefixes.map((name) => element("CommonPrefixes", [element("Prefix", encode(name))])),
    ]),
    true,
  );
}

/** As AWS: a blank is a plus sign. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll("%20", "+");
}
