/**
 * The canonical form of a request in Signature Version 4, as S3 reads it: path encoded once and never normalised,
 * query sorted after encoding, header values trimmed. Pure text; it knows no keys and decides nothing.
 *
 * Works on bytes, so that a path with percent-encoded bytes that are no UTF-8 has a canonical form too.
 */

const encoder = new TextEncoder();
const hexDigits = "0123456789ABCDEF";
/** RFC 3986 2.3: the only characters AWS leaves as they are. */
const unreserved = /^[A-Za-z0-9\-._~]$/;
const plainPath = /^[A-Za-z0-9\-._~/]*$/;

const encodedBytes = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (unreserved.test(character)) return character;
  return `%${hexDigits.charAt(byte >> 4)}${hexDigits.charAt(byte & 15)}`;
});

function hexValue(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 48 && byte <= 57) return byte - 48;
  const upper = byte & 0xdf;
  return upper >= 65 && upper <= 70 ? upper - 55 : -1;
}

/** Decodes percent signs and encodes again; `undefined` where a percent sign is followed by no two hex digits. */
function recode(text: string, keepSlash: boolean, plusIsSpace: boolean): string | undefined {
  if (plainPath.test(text) && (keepSlash || !text.includes("/"))) return text;
  const bytes = encoder.encode(text);
  let out = "";
  for (let i = 0; i < bytes.length; i++) {
    let byte = bytes[i] ?? 0;
    if (byte === 0x25) {
      const high = hexValue(bytes[i + 1]);
      const low = hexValue(bytes[i + 2]);
      if (high < 0 || low < 0) return undefined;
      byte = high * 16 + low;
      i += 2;
    } else if (byte === 0x2b && plusIsSpace) byte = 0x20;
    out += byte === 0x2f && keepSlash ? "/" : encodedBytes[byte];
  }
  return out;
}

/** Canonical form of a raw (still encoded) path; `undefined` when it is malformed. */
export function canonicalPath(rawPath: string): string | undefined {
  return recode(rawPath === "" ? "/" : rawPath, true, false);
}

/**
 * Canonical form of a raw query without its question mark, leaving out one parameter by name (the signature itself).
 *
 * @returns `undefined` when a percent sign is malformed
 */
export function canonicalQuery(rawQuery: string, except?: string): string | undefined {
  if (rawQuery === "") return "";
  const pairs: (readonly [string, string])[] = [];
  for (const item of rawQuery.split("&")) {
    if (item === "") continue;
    const cut = item.indexOf("=");
    const name = recode(cut < 0 ? item : item.slice(0, cut), false, true);
    const value = recode(cut < 0 ? "" : item.slice(cut + 1), false, true);
    if (name === undefined || value === undefined) return undefined;
    if (name !== except) pairs.push([name, value]);
  }
  // Encoded text is ASCII, so comparing code units is comparing bytes, as AWS asks.
  pairs.sort(([nameA, valueA], [nameB, valueB]) =>
    nameA === nameB ? compare(valueA, valueB) : compare(nameA, nameB),
  );
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Trims a header value and folds its runs of blanks, as the canonical headers want it. */
function canonicalValue(value: string): string {
  return value.trim().replace(/[ \t\r\n]+/g, " ");
}

/** What a canonical request is made of; every field but the headers is canonical already. */
export interface CanonicalParts {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Lower-case names, sorted: the order in which they were signed. */
  readonly signedHeaders: readonly string[];
  /** The value of a signed header; absent ones count as empty. */
  readonly header: (name: string) => string | null | undefined;
  /** Hex SHA-256 of the body, or the word that stands for it. */
  readonly payloadHash: string;
}

/** The text whose SHA-256 goes into the string to sign. */
export function canonicalRequest(parts: CanonicalParts): string {
  const headers = parts.signedHeaders
    .map((name) => `${name}:${canonicalValue(parts.header(name) ?? "")}\n`)
    .join("");
  return [
    parts.method,
    parts.path,
    parts.query,
    headers,
    parts.signedHeaders.join(";"),
    parts.payloadHash,
  ].join("\n");
}
