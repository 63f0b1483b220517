/**
 * Where an S3 store keeps things: bucket and key -> URL, path style or virtual host style. Pure.
 *
 * Keys are encoded byte by byte and never normalised, so `a//b`, `/a`, `a+b` and `a%20b` stay what they are. Only keys
 * with a `.` or `..` segment cannot be addressed: every URL parser resolves them, also when encoded (WHATWG URL 4.5).
 */

import { encodeUri } from "../../encoding/percent.ts";
import { ReadaheadError } from "../../errors.ts";

/** The store's address as configured. */
export interface S3AddressOptions {
  /** http(s) URL of the store; may carry a path. */
  readonly endpoint: string;
  readonly bucket: string;
  /** Bucket before the host name instead of before the key. */
  readonly virtualHost?: boolean | undefined;
}

/** Writes URLs of one bucket. */
export interface S3Address {
  /** Opaque name for permits: host and port. */
  readonly replica: string;
  /** URL of an object. @throws ReadaheadError `not-found` for a key that no URL can say */
  object(key: string, query?: readonly (readonly [string, string])[]): string;
  /** URL of the bucket itself. */
  bucket(query: readonly (readonly [string, string])[]): string;
}

function formatQuery(query: readonly (readonly [string, string])[]): string {
  if (query.length === 0) return "";
  return `?${query.map(([name, value]) => `${encodeUri(name)}=${encodeUri(value)}`).join("&")}`;
}

/**
 * Reads the address once.
 *
 * @throws TypeError for an endpoint that is no http(s) URL, or carries a query, a fragment or a password
 */
export function createS3Address(options: S3AddressOptions): S3Address {
  if (!URL.canParse(options.endpoint))
    throw new TypeError("S3 endpoint must be an http or https URL");
  const endpoint = new URL(options.endpoint);
  if (endpoint.protocol !== "https:" && endpoint.protocol !== "http:")
    throw new TypeError("S3 endpoint must be an http or https URL");
  if (endpoint.search + endpoint.hash + endpoint.username + endpoint.password !== "")
    throw new TypeError("S3 endpoint must not carry a query, a fragment, a user or a password");
  if (!options.bucket || options.bucket.includes("/"))
    throw new TypeError("S3 bucket must be a name without slashes");
  const base = endpoint.pathname.replace(/\/+$/, "");
  const root =
    options.virtualHost === true
      ? `${endpoint.protocol}//${options.bucket}.${endpoint.host}${base}`
      : `${endpoint.protocol}//${endpoint.host}${base}/${encodeUri(options.bucket)}`;
  if (!URL.canParse(root)) throw new TypeError("S3 bucket cannot stand before the endpoint's host");
  return {
    replica: new URL(root).host,
    object(key, query = []) {
      if (key === "" || !key.isWellFormed())
        throw new ReadaheadError("not-found", "No object can have this key");
      const segments = key.split("/");
      if (segments.some((segment) => segment === "." || segment === ".."))
        throw new ReadaheadError("not-found", "No key has dot segments");
      return `${root}/${segments.map(encodeUri).join("/")}${formatQuery(query)}`;
    },
    bucket: (query) => `${root}${options.virtualHost === true ? "/" : ""}${formatQuery(query)}`,
  };
}
