/** One chunk of an object, as the filer's JSON and as a manifest's protobuf tell it. Pure. */
import { ReadaheadError } from "../../errors.ts";
import {
  asFields,
  bytesField,
  countField,
  type Fields,
  flagField,
  integerField,
  textField,
} from "./field.ts";
import { canonicalVolume, type FileId, formatFileId, parseFileId } from "./file-id.ts";

/** Server-side encryption of a chunk by the S3 gateway. */
export type SseType = "none" | "sse-c" | "sse-kms" | "sse-s3";

/** A stretch of the object stored as one needle, or (manifest) a needle that lists more of them. Plain data. */
export interface Chunk {
  /** Canonical file id. */
  readonly fid: string;
  readonly volume: number;
  /** First byte in the object. */
  readonly offset: number;
  /** Clear bytes; of a manifest, the span it covers. */
  readonly size: number;
  /** Nanoseconds since the epoch; the newest chunk over a byte wins. */
  readonly timestamp: bigint;
  /** AES-256-GCM key of the volume cipher. */
  readonly cipherKey?: Uint8Array<ArrayBuffer> | undefined;
  /** A hint: copies leave it on plain needles, volume servers compress without it. */
  readonly compressed: boolean;
  readonly manifest: boolean;
  readonly sse: SseType;
  /** JSON text with this chunk's key record. */
  readonly sseMetadata?: string | undefined;
  /** Base64 MD5 as stored; only an ETag is made of it, it decides nothing (stale on rewritten copies). */
  readonly etag: string;
}

/** What both encodings bring before it is checked. */
export interface RawChunk {
  readonly fileId: string;
  readonly fid: FileId | undefined;
  readonly offset: number;
  readonly size: number;
  readonly timestamp: bigint;
  readonly etag: string;
  readonly cipherKey: Uint8Array<ArrayBuffer> | undefined;
  readonly compressed: boolean;
  readonly manifest: boolean;
  readonly sseType: number;
  readonly sseMetadata: Uint8Array<ArrayBuffer> | undefined;
}

const sseTypes: readonly SseType[] = ["none", "sse-c", "sse-kms", "sse-s3"];
// AES-256.
const cipherKeyBytes = 32;

/** @throws ReadaheadError `protocol` for an id, size or key that cannot be */
export function checkChunk(raw: RawChunk): Chunk {
  const { fid, volume } = place(raw);
  if (!Number.isSafeInteger(raw.offset + raw.size) || raw.offset < 0 || raw.size < 0)
    throw new ReadaheadError("protocol", `The chunk at ${raw.offset} has an impossible size`);
  if (raw.cipherKey !== undefined && raw.cipherKey.byteLength !== cipherKeyBytes)
    throw new ReadaheadError("protocol", `The chunk at ${raw.offset} has no 32-byte cipher key`);
  const sse = sseTypes[raw.sseType];
  if (sse === undefined)
    throw new ReadaheadError("unsupported", `Encryption of type ${raw.sseType} is not known`);
  return {
    fid,
    volume,
    offset: raw.offset,
    size: raw.size,
    timestamp: raw.timestamp,
    cipherKey: raw.cipherKey,
    compressed: raw.compressed,
    manifest: raw.manifest,
    sse,
    sseMetadata:
      raw.sseMetadata === undefined ? undefined : new TextDecoder().decode(raw.sseMetadata),
    etag: raw.etag,
  };
}

/** A filer writes ids as they are asked for: without arithmetic on keys a list is read in half the time (measured). */
function place(raw: RawChunk): Pick<Chunk, "fid" | "volume"> {
  const written = canonicalVolume(raw.fileId);
  if (written !== undefined) return { fid: raw.fileId, volume: written };
  const id = raw.fileId === "" ? raw.fid : parseFileId(raw.fileId);
  if (id === undefined)
    throw new ReadaheadError("protocol", `The chunk at ${raw.offset} has no readable file id`);
  return { fid: formatFileId(id), volume: id.volume };
}

/** True where nothing tells the two apart. */
export function isSameChunk(a: Chunk, b: Chunk): boolean {
  return (
    a.fid === b.fid &&
    a.volume === b.volume &&
    a.offset === b.offset &&
    a.size === b.size &&
    a.timestamp === b.timestamp &&
    isSameKey(a.cipherKey, b.cipherKey) &&
    a.compressed === b.compressed &&
    a.manifest === b.manifest &&
    a.sse === b.sse &&
    a.sseMetadata === b.sseMetadata &&
    a.etag === b.etag
  );
}

function isSameKey(a: Chunk["cipherKey"], b: Chunk["cipherKey"]): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index]);
}

/** Reads one element of the filer's `chunks`. Zero values are left out there. */
export function chunkFromJson(value: unknown): Chunk {
  const fields = asFields(value, "chunk");
  const fileId = textField(fields, "file_id");
  return checkChunk({
    fileId,
    fid: fileId === "" ? fidFromJson(fields) : undefined,
    offset: countField(fields, "offset"),
    size: countField(fields, "size"),
    timestamp: integerField(fields, "modified_ts_ns"),
    etag: textField(fields, "e_tag"),
    cipherKey: bytesField(fields, "cipher_key"),
    compressed: flagField(fields, "is_compressed"),
    manifest: flagField(fields, "is_chunk_manifest"),
    sseType: countField(fields, "sse_type"),
    sseMetadata: bytesField(fields, "sse_metadata"),
  });
}

function fidFromJson(fields: Fields): FileId | undefined {
  if (fields["fid"] === undefined || fields["fid"] === null) return undefined;
  const fid = asFields(fields["fid"], "file id");
  return {
    volume: countField(fid, "volume_id"),
    key: integerField(fid, "file_key"),
    cookie: countField(fid, "cookie"),
  };
}
