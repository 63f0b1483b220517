/**
 * The bytes of a chunk manifest: protobuf `FileChunkManifest { repeated FileChunk chunks = 1 }`. Pure.
 *
 * Field numbers are those of SeaweedFS 4.44 (filer.proto); fields not known are skipped, as protobuf wants it.
 */
import { PbfReader } from "pbf";
import { ReadaheadError } from "../../errors.ts";
import { type Chunk, checkChunk, type RawChunk } from "./chunk.ts";
import type { FileId } from "./file-id.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Reads the chunks in list order.
 *
 * @throws ReadaheadError `protocol` for a blob that ends early or holds what no chunk can be
 */
export function parseManifest(blob: Uint8Array): Chunk[] {
  const chunks: Chunk[] = [];
  const reader = new PbfReader(blob);
  try {
    while (reader.pos < reader.length) {
      const field = nextField(reader, reader.length);
      if (field === 1) chunks.push(checkChunk(readChunk(reader)));
      else skip(reader);
    }
  } catch (error) {
    if (error instanceof ReadaheadError) throw error;
    throw new ReadaheadError("protocol", "The chunk manifest cannot be read", { cause: error });
  }
  return chunks;
}

/**
 * Writers give a manifest the span of its chunks, and a mount that truncates the file makes it shorter, never longer. A
 * list that covers less has lost chunks, which would read as holes: zeros.
 *
 * @throws ReadaheadError `protocol`
 */
export function checkSpan(
  children: readonly Chunk[],
  { offset, size }: Pick<Chunk, "offset" | "size">,
): void {
  let start = Infinity;
  let end = 0;
  for (const child of children) {
    start = Math.min(start, child.offset);
    end = Math.max(end, child.offset + child.size);
  }
  if (start === offset && end >= offset + size) return;
  throw new ReadaheadError(
    "protocol",
    `A chunk manifest of [${offset}, ${offset + size}) lists chunks of [${start}, ${end})`,
  );
}

function readChunk(reader: PbfReader): RawChunk {
  const end = messageEnd(reader);
  const chunk: Mutable<RawChunk> = {
    fileId: "",
    fid: undefined,
    offset: 0,
    size: 0,
    timestamp: 0n,
    etag: "",
    cipherKey: undefined,
    compressed: false,
    manifest: false,
    sseType: 0,
    sseMetadata: undefined,
  };
  while (reader.pos < end) {
    const field = nextField(reader, end);
    if (field === 1) chunk.fileId = text(reader, end);
    else if (field === 2) chunk.offset = safeNumber(varint(reader, end));
    else if (field === 3) chunk.size = safeNumber(varint(reader, end));
    else if (field === 4) chunk.timestamp = signed(varint(reader, end));
    else if (field === 5) chunk.etag = text(reader, end);
    else if (field === 7) chunk.fid = readFileId(reader, end);
    else if (field === 9) chunk.cipherKey = bytes(reader, end);
    else if (field === 10) chunk.compressed = varint(reader, end) !== 0n;
    else if (field === 11) chunk.manifest = varint(reader, end) !== 0n;
    else if (field === 12) chunk.sseType = safeNumber(varint(reader, end));
    else if (field === 13) chunk.sseMetadata = bytes(reader, end);
    else skip(reader);
  }
  inside(reader, end);
  return chunk;
}

function readFileId(reader: PbfReader, outer: number): FileId {
  const end = messageEnd(reader, outer);
  const id = { volume: 0, key: 0n, cookie: 0 };
  while (reader.pos < end) {
    const field = nextField(reader, end);
    if (field === 1) id.volume = safeNumber(varint(reader, end));
    else if (field === 2) id.key = varint(reader, end);
    else if (field === 3) {
      if (reader.type !== 5) throw malformed();
      id.cookie = reader.readFixed32();
    } else skip(reader);
  }
  inside(reader, end);
  return id;
}

/** No field has the number 0: it is what bytes that were never written look like. */
function nextField(reader: PbfReader, end: number): number {
  const field = reader.nextField(end);
  if (field === 0) throw malformed();
  return field;
}

function messageEnd(reader: PbfReader, outer = reader.length): number {
  if (reader.type !== 2) throw malformed();
  const end = Number(rawVarint(reader, outer)) + reader.pos;
  if (end > outer) throw malformed();
  return end;
}

function text(reader: PbfReader, end: number): string {
  return new TextDecoder().decode(bytes(reader, end) ?? new Uint8Array(0));
}

function bytes(reader: PbfReader, end: number): Uint8Array<ArrayBuffer> | undefined {
  const stop = messageEnd(reader, end);
  const value = reader.buf.slice(reader.pos, stop);
  reader.pos = stop;
  return value.byteLength === 0 ? undefined : value;
}

function varint(reader: PbfReader, end: number): bigint {
  if (reader.type !== 0) throw malformed();
  return rawVarint(reader, end);
}

/** Unsigned 64 bits, exact: the library's own reader makes doubles of them. */
function rawVarint(reader: PbfReader, end: number): bigint {
  let low = 0;
  let high = 0n;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = reader.buf[reader.pos];
    if (byte === undefined || reader.pos >= end) throw malformed();
    reader.pos += 1;
    const value = byte & 0x7f;
    if (shift < 28) low |= value << shift;
    else high |= BigInt(value) << BigInt(shift);
    if (byte < 0x80) return BigInt.asUintN(64, high | BigInt(low));
  }
  throw malformed();
}

function signed(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

function safeNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw malformed();
  return number;
}

function skip(reader: PbfReader): void {
  reader.skip(reader.type);
  inside(reader, reader.length);
}

function inside(reader: PbfReader, end: number): void {
  if (reader.pos > end) throw malformed();
}

function malformed(): ReadaheadError {
  return new ReadaheadError("protocol", "The chunk manifest is damaged or cut off");
}
