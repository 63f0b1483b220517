/** R2 metadata -> response headers to pass on. */
import { encodeBase64 } from "../../encoding/base64.ts";
import type { R2ObjectHead } from "./binding.ts";

/**
 * Standard headers as stored, and custom metadata as `x-amz-meta-*`, the names that R2's S3 door gives it.
 *
 * A custom value that is not plain ASCII goes out encoded by RFC 2047, as S3 does; another value that no header can
 * carry, and a custom name that is no header name, are left out.
 */
export function r2Headers(object: R2ObjectHead): Record<string, string> {
  const headers: Record<string, string> = {};
  const set = (name: string, value: string | undefined) => {
    if (value !== undefined && value !== "" && isPlain(value)) headers[name] = value;
  };
  const { httpMetadata = {}, customMetadata = {} } = object;
  set("content-type", httpMetadata.contentType);
  set("content-language", httpMetadata.contentLanguage);
  set("content-disposition", httpMetadata.contentDisposition);
  const encoding = httpMetadata.contentEncoding?.trim().toLowerCase();
  if (encoding !== "identity") set("content-encoding", encoding);
  set("cache-control", httpMetadata.cacheControl);
  set("expires", httpMetadata.cacheExpiry?.toUTCString());
  for (const [name, value] of Object.entries(customMetadata)) {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) continue;
    set(`x-amz-meta-${name.toLowerCase()}`, isPlain(value) ? value : encodedWord(value));
  }
  return headers;
}

function isPlain(value: string): boolean {
  return /^[\x20-\x7e\t]*$/.test(value);
}

function encodedWord(value: string): string {
  const bytes = new TextEncoder().encode(value);
  return `=?UTF-8?B?${encodeBase64(bytes)}?=`;
}
