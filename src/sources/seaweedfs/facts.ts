/**
 * An entry as facts: size, entity tag, time, and the headers that go to the client. Pure.
 *
 * Internal names never leave: `Seaweed-*`, `xattr-*`, `x-seaweedfs-*`, tags, and everything that the answer to the client
 * writes by itself. (Filer and S3 gateway of 4.44 do leak `Seaweed-*`.)
 */

import { decodeBase64, encodeBase64 } from "../../encoding/base64.ts";
import { encodeHex } from "../../encoding/hex.ts";
import { inWorkerd } from "../../runtime.ts";
import { contentTypeOf } from "../content-type.ts";
import { md5 } from "../md5.ts";
import type { PassHeaders } from "../pass-headers.ts";
import type { Facts } from "../source.ts";
import {
  type Entry,
  extendedBytes,
  extendedText,
  isRemoteOnly,
  type RemoteEntry,
} from "./entry.ts";
import { kmsRecordName } from "./sse/encryption.ts";
import { goJson } from "./sse/go-json.ts";
import { type KmsRecord, parseKmsRecord } from "./sse/record.ts";
import { versionIdName } from "./versions.ts";

/** Which of SeaweedFS's two entity tags an object carries: the filer's, or the S3 gateway's where one is stored. */
export type EtagStyle = "filer" | "s3";

/** Headers kept in `Extended` that reach the client unless the mount names others. */
export const seaweedfsPassHeaders: readonly string[] = [
  "content-type",
  "content-disposition",
  "content-language",
  "content-encoding",
  "cache-control",
  "expires",
  "x-amz-meta-*",
  "x-amz-storage-class",
  "x-amz-tagging-count",
  "x-amz-website-redirect-location",
  "x-amz-server-side-encryption",
  "x-amz-server-side-encryption-customer-algorithm",
  "x-amz-server-side-encryption-customer-key-md5",
  "x-amz-server-side-encryption-aws-kms-key-id",
  "x-amz-server-side-encryption-context",
  "x-amz-server-side-encryption-bucket-key-enabled",
];

/** @param pass Which stored headers go to the client */
export function factsOf(entry: Entry, style: EtagStyle, pass: PassHeaders): Facts {
  const versionId = extendedText(entry, versionIdName) ?? "";
  return {
    size: entry.size,
    etag: etagOf(entry, style),
    lastModified:
      entry.modified === undefined ? undefined : Math.floor(entry.modified / 1000) * 1000,
    pin: { by: "version-id", value: entry.identity },
    // It goes out as a header: one that none can carry is no id that a client could ask for again.
    ...(/^[\x21-\x7e]+$/.test(versionId) && { versionId }),
    headers: headersOf(entry, pass),
  };
}

/** Quoted entity tag as SeaweedFS computes it; `undefined` where it has none (one chunk without a checksum). */
export function etagOf(entry: Entry, style: EtagStyle): string | undefined {
  const stored = style === "s3" ? extendedText(entry, "Seaweed-X-Amz-ETag") : undefined;
  if (stored !== undefined && stored !== "") return quoteTag(stored);
  const { remote } = entry;
  if (
    remote !== undefined &&
    (isRemoteOnly(entry) || (style === "s3" && isUnchanged(entry, remote)))
  )
    return quoteTag(remote.etag);
  if (entry.md5 !== "") return quoteTag(entry.md5);
  const [first] = entry.chunks;
  if (first !== undefined && entry.chunks.length === 1) {
    const digest = encodeHex(decodeBase64(first.etag) ?? new Uint8Array(0));
    return digest === "" ? undefined : quoteTag(digest);
  }
  const digests = entry.chunks.map((chunk) => decodeBase64(chunk.etag) ?? new Uint8Array(0));
  const joined = new Uint8Array(digests.reduce((sum, digest) => sum + digest.byteLength, 0));
  let at = 0;
  for (const digest of digests) {
    joined.set(digest, at);
    at += digest.byteLength;
  }
  return quoteTag(`${encodeHex(md5(joined))}-${entry.chunks.length}`);
}

/**
 * Whether the filer's copy of a remote object still has the remote's bytes. The gateway keeps the remote's tag then (4.53,
 * objectETag), so that an object's tag does not change when it is read for the first time.
 */
function isUnchanged({ chunks, content, size }: Entry, remote: RemoteEntry): boolean {
  const bare = chunks.length === 0 && (content?.byteLength ?? 0) === 0;
  return remote.etag !== "" && remote.size === size && (remote.synced || bare);
}

/** The tag in quotes, whether it was stored with them or not; `undefined` where HTTP cannot carry it. */
export function quoteTag(tag: string): string | undefined {
  const bare = tag.replaceAll('"', "");
  // RFC 9110 8.8.3: no space, quote or control character; others are not sent at all.
  return bare === "" || !/^[\x21\x23-\x7e]+$/.test(bare) ? undefined : `"${bare}"`;
}

function headersOf(entry: Entry, pass: PassHeaders): Record<string, string> {
  const headers = new Headers();
  for (const name of Object.keys(entry.extended)) {
    const lower = name.toLowerCase();
    if (isInternalName(lower) || !/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(lower)) continue;
    const value = headerValue(extendedBytes(entry, name));
    if (value !== undefined) headers.set(lower, value);
  }
  dropTransferCoding(headers);
  const tags = Object.keys(entry.extended).filter((name) => /^x-amz-tagging-/i.test(name)).length;
  if (tags > 0) headers.set("x-amz-tagging-count", String(tags));
  for (const [name, value] of Object.entries(kmsHeaders(entry))) headers.set(name, value);
  headers.set("content-type", contentType(entry));
  return pass.pick(headers);
}

/**
 * Stored bytes as the value of a header that goes out as the same bytes: workerd writes text as UTF-8, others write one
 * byte a character. `undefined` for what is empty or what no header can carry: it would break the whole answer.
 */
function headerValue(bytes: Uint8Array | undefined): string | undefined {
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes).trim();
  if (bytes === undefined || !/^[\t\x20-\x7e\u0080-\ufffc\u{10000}-\u{10ffff}]+$/u.test(text))
    return undefined;
  return inWorkerd ? text : String.fromCharCode(...new TextEncoder().encode(text));
}

/** True for a lower-case name in `Extended` that is nobody's but the cluster's. */
export function isInternalName(name: string): boolean {
  return /^(?:seaweed-|xattr-|x-seaweedfs-)/.test(name);
}

/** The checksum that was given at upload, of the whole object, under S3's names. */
export function checksumHeaders(entry: Entry): Record<string, string> {
  const text = (name: string) => extendedText(entry, `x-seaweedfs-checksum-${name}`) ?? "";
  const name = text("algorithm").toLowerCase();
  const value = text("value");
  if (!/^x-amz-checksum-[a-z0-9]+$/.test(name) || !/^[A-Za-z0-9+/=-]+$/.test(value)) return {};
  const type = /^[A-Z_]+$/.exec(text("type"))?.[0];
  return { [name]: value, ...(type !== undefined && { "x-amz-checksum-type": type }) };
}

/** 4.44 stored the coding of the upload itself, `aws-chunked`, with the object's: no client could decode it. */
function dropTransferCoding(headers: Headers): void {
  const codings = headers.get("content-encoding")?.split(",") ?? [];
  const own = codings.filter((coding) => coding.trim().toLowerCase() !== "aws-chunked");
  if (own.length === codings.length) return;
  if (own.length === 0) headers.delete("content-encoding");
  else headers.set("content-encoding", own.join(",").trim());
}

/** What the S3 gateway tells of an SSE-KMS object beside what is stored as headers. */
function kmsHeaders(entry: Entry): Record<string, string> {
  const text = extendedText(entry, kmsRecordName);
  if (text === undefined) return {};
  let record: KmsRecord;
  try {
    record = parseKmsRecord(text);
  } catch {
    // Reading is refused for it; facts are told as far as they can be.
    return {};
  }
  const context = new TextEncoder().encode(goJson(record.context));
  return {
    ...(Object.keys(record.context).length === 0
      ? {}
      : { "x-amz-server-side-encryption-context": encodeBase64(context) }),
    ...(record.bucketKey ? { "x-amz-server-side-encryption-bucket-key-enabled": "true" } : {}),
  };
}

/** The stored type; without one filer and gateway go by the name, too. */
function contentType(entry: Entry): string {
  if (/^[\x20-\x7e]+$/.test(entry.mime)) return entry.mime;
  // Go's mime package has it so.
  return /\.xml$/i.test(entry.path) ? "text/xml; charset=utf-8" : contentTypeOf(entry.path);
}
