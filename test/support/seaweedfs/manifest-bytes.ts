/** The protobuf of a chunk manifest, as a filer writes it: ids as messages, no text. */
import { PbfWriter } from "pbf";

export interface ManifestChunk {
  readonly fid: string;
  readonly volume: number;
  readonly key: bigint;
  readonly cookie: number;
  readonly offset: number;
  readonly size: number;
  readonly timestamp: bigint;
  readonly cipherKey?: Uint8Array | undefined;
  readonly compressed?: boolean;
  readonly manifest?: boolean;
  readonly sseType?: number | undefined;
  readonly sseMetadata?: string | undefined;
}

export function encodeManifest(chunks: readonly ManifestChunk[]): Buffer {
  const writer = new PbfWriter();
  for (const chunk of chunks) writer.writeMessage(1, writeChunk, chunk);
  return Buffer.from(writer.finish());
}

function writeChunk(chunk: ManifestChunk, writer: PbfWriter): void {
  if (chunk.offset !== 0) bigVarintField(writer, 2, BigInt(chunk.offset));
  bigVarintField(writer, 3, BigInt(chunk.size));
  bigVarintField(writer, 4, chunk.timestamp);
  writer.writeMessage(7, writeFileId, chunk);
  if (chunk.cipherKey !== undefined) writer.writeBytesField(9, chunk.cipherKey);
  if (chunk.compressed === true) writer.writeBooleanField(10, true);
  if (chunk.manifest === true) writer.writeBooleanField(11, true);
  if (chunk.sseType !== undefined) writer.writeVarintField(12, chunk.sseType);
  if (chunk.sseMetadata !== undefined) writer.writeBytesField(13, Buffer.from(chunk.sseMetadata));
}

function writeFileId(chunk: ManifestChunk, writer: PbfWriter): void {
  writer.writeVarintField(1, chunk.volume);
  bigVarintField(writer, 2, chunk.key);
  writer.writeFixed32Field(3, chunk.cookie);
}

/** The library's varints are doubles; times are beyond them. */
function bigVarintField(writer: PbfWriter, field: number, value: bigint): void {
  writer.writeTag(field, 0);
  let rest = BigInt.asUintN(64, value);
  while (rest > 0x7fn) {
    writer.realloc(1);
    writer.buf[writer.pos++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  writer.realloc(1);
  writer.buf[writer.pos++] = Number(rest);
}
