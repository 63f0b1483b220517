/**
 * An entry of the filer, from the JSON of `?metadata=true`. Plain data: kept for the next request of the isolate. Pure.
 *
 * Chunks here are the top-level list: manifests are not opened (see chunk-list.ts).
 */
import { decodeBase64 } from "../../encoding/base64.ts";
import { encodeHex } from "../../encoding/hex.ts";
import { ReadaheadError } from "../../errors.ts";
import { type Chunk, chunkFromJson } from "./chunk.ts";
import {
  asFields,
  bytesField,
  countField,
  type Fields,
  integerField,
  parseFields,
  textField,
} from "./field.ts";

/** An object that lies in a mounted remote storage. */
export interface RemoteEntry {
  readonly etag: string;
  readonly size: number;
  /** The filer has a copy, made from this version. */
  readonly synced: boolean;
}

export interface Entry {
  readonly path: string;
  readonly directory: boolean;
  /** Bytes of the object. */
  readonly size: number;
  /** Milliseconds since the epoch; `undefined` where the filer knows none. */
  readonly modified: number | undefined;
  /** From when on the entry no longer exists (time to live), ms since the epoch. */
  readonly expires: number | undefined;
  readonly mime: string;
  /** MD5 of the whole object in hex, "" when not known. */
  readonly md5: string;
  /** Stored headers and records; values in base64 as the filer sends them. */
  readonly extended: Readonly<Record<string, string>>;
  readonly chunks: readonly Chunk[];
  /** The object's bytes, when they are stored with the entry. */
  readonly content: Uint8Array<ArrayBuffer> | undefined;
  readonly remote: RemoteEntry | undefined;
  /** Changes whenever the bytes or the chunk list do. */
  readonly identity: string;
}

// Go's os.ModeDir.
const directoryBit = 0x80000000;

/**
 * Reads the filer's answer.
 *
 * @throws ReadaheadError `protocol` for anything that is not a filer's entry, chunks past the object's end included
 */
export function parseEntry(text: string): Entry {
  return entryFromJson(parseFields(text, "filer's metadata"));
}

/** Reads one element of a filer's listing, or a whole metadata answer, parsed exactly. */
export function entryFromJson(value: unknown): Entry {
  const fields = asFields(value, "filer's entry");
  const path = textField(fields, "FullPath");
  if (!path.startsWith("/")) throw new ReadaheadError("protocol", "The filer's entry has no path");
  const mtime = textField(fields, "Mtime");
  const fileSize = countField(fields, "FileSize");
  const chunks = readChunks(fields, fileSize);
  const content = bytesField(fields, "Content");
  const remote = readRemote(fields);
  const md5 = encodeHex(bytesField(fields, "Md5") ?? new Uint8Array(0));
  const directory = (countField(fields, "Mode") & directoryBit) !== 0;
  return {
    path,
    directory,
    // Content may be longer: a mount that truncates a file leaves it as it was, and what was cut off is nobody's any more.
    size: fileSize,
    modified: parseTime(mtime),
    expires: readExpiry(fields, mtime),
    mime: textField(fields, "Mime"),
    md5,
    extended: readExtended(fields),
    chunks,
    content,
    remote,
    identity: identify(mtime, fileSize, md5, chunks, content, remote),
  };
}

/**
 * The entry under the path that was asked for: what is asked again is that one, inside the mount's root, whatever path
 * the answer names.
 */
export function entryAt(path: string, entry: Entry): Entry {
  return entry.path === path ? entry : { ...entry, path };
}

/** The last segment of its path. */
export function nameOf({ path }: Entry): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The bytes stored under a name of `Extended`, as text; `undefined` when there is none. */
export function extendedText(entry: Entry, name: string): string | undefined {
  const bytes = extendedBytes(entry, name);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** The bytes stored under a name of `Extended`. */
export function extendedBytes(entry: Entry, name: string): Uint8Array<ArrayBuffer> | undefined {
  const value = entry.extended[name];
  return value === undefined ? undefined : decodeBase64(value);
}

/** On a directory that is an object as well (4.53): an empty one leaves no other trace of it. */
const prefixObjectName = "x-seaweedfs-prefix-object";

/** True for a directory that is an object as well: a file that others were put below. */
export function hasData({ chunks, content, size, extended }: Entry): boolean {
  return chunks.length > 0 || (content !== undefined && size > 0) || prefixObjectName in extended;
}

/** True for what a key without a slash at its end can name. */
export function isObject(entry: Entry): boolean {
  return !entry.directory || hasData(entry);
}

/** True when the bytes are only in the remote storage: no chunk list, the filer fetches them. */
export function isRemoteOnly(entry: Entry): boolean {
  return (
    entry.chunks.length === 0 &&
    entry.content === undefined &&
    entry.remote !== undefined &&
    entry.remote.size > 0
  );
}

function readChunks(fields: Fields, fileSize: number): Chunk[] {
  const list = fields["chunks"] ?? [];
  if (!Array.isArray(list)) throw new ReadaheadError("protocol", "The filer's chunks are no list");
  const chunks = list.map(chunkFromJson);
  for (const { offset, size } of chunks) {
    if (offset + size > fileSize)
      throw new ReadaheadError(
        "protocol",
        `The chunk list reaches to ${offset + size}, past the object's ${fileSize} bytes`,
      );
  }
  return chunks;
}

function readExtended(fields: Fields): Record<string, string> {
  const value = fields["Extended"] ?? {};
  const extended: Record<string, string> = {};
  for (const [name, text] of Object.entries(asFields(value, "filer's Extended"))) {
    if (typeof text === "string") extended[name] = text;
    else if (text === null) extended[name] = "";
    else throw new ReadaheadError("protocol", `The stored header ${name} is no text`);
  }
  return extended;
}

function readRemote(fields: Fields): RemoteEntry | undefined {
  if (fields["Remote"] === undefined || fields["Remote"] === null) return undefined;
  const remote = asFields(fields["Remote"], "remote entry");
  return {
    etag: textField(remote, "remote_e_tag"),
    size: countField(remote, "remote_size"),
    synced: integerField(remote, "last_local_sync_ts_ns") > 0n,
  };
}

/** Crtime plus TtlSec, or Mtime plus TtlSec for objects that S3 lets expire. */
function readExpiry(fields: Fields, mtime: string): number | undefined {
  const ttlSeconds = countField(fields, "TtlSec");
  if (ttlSeconds === 0) return undefined;
  const byModified = asFields(fields["Extended"] ?? {}, "filer's Extended");
  const from = parseTime(
    "X-Seaweedfs-Expires-S3" in byModified ? mtime : textField(fields, "Crtime"),
  );
  return from === undefined ? undefined : from + ttlSeconds * 1000;
}

/** RFC 3339 with up to nine fractional digits; Go's zero time means unknown. */
function parseTime(text: string): number | undefined {
  if (text === "" || text.startsWith("0001-01-01")) return undefined;
  const time = Date.parse(text.replace(/(\.\d{3})\d+/, "$1"));
  if (Number.isNaN(time))
    throw new ReadaheadError("protocol", `The filer's time cannot be read: ${text.slice(0, 40)}`);
  return time;
}

function identify(
  mtime: string,
  size: number,
  md5: string,
  chunks: readonly Chunk[],
  content: Uint8Array | undefined,
  remote: RemoteEntry | undefined,
): string {
  const hash = new Fingerprint();
  for (const { fid, volume, offset, size: bytes, timestamp } of chunks) {
    // The cookie is random, and new with every needle; of key and time, the digits that differ.
    const key = Math.max(fid.indexOf(",") + 1, fid.length - 16);
    hash.mix(volume);
    hash.mix(Number.parseInt(fid.slice(key, -8), 16));
    hash.mix(Number.parseInt(fid.slice(-8), 16));
    hash.mix(offset / 2 ** 32);
    hash.mix(offset);
    hash.mix(bytes);
    hash.mix(Number(BigInt.asUintN(32, timestamp)));
  }
  if (content !== undefined) for (const byte of content) hash.mix(byte);
  if (remote !== undefined && chunks.length === 0)
    for (let i = 0; i < remote.etag.length; i++) hash.mix(remote.etag.charCodeAt(i));
  return `${mtime}-${size}-${md5}-${hash.text}`;
}

/** Two 32-bit sums made in different ways: tells chunk lists apart, resists nobody. */
class Fingerprint {
  #a = 0x811c9dc5;
  #b = 0x01000193;

  /** Adds the lower 32 bits. */
  mix(word: number): void {
    this.#a = Math.imul(this.#a ^ word, 0x01000193);
    this.#b = Math.imul((this.#b << 5) ^ (this.#b >>> 27) ^ word, 0x85ebca6b);
  }

  get text(): string {
    return (this.#a >>> 0).toString(16) + (this.#b >>> 0).toString(16);
  }
}
