/**
 * One call of the filer's gRPC, for entries that its HTTP cannot make: manifests without uploading ten thousand chunks,
 * hard links, a time to live of seconds. Field numbers are those of SeaweedFS 4.44 (filer.proto).
 */
import { connect, type IncomingHttpHeaders } from "node:http2";
import { PbfWriter } from "pbf";
import { parseFileId } from "../../../src/sources/seaweedfs/file-id.ts";
import { encodeManifest, type ManifestChunk } from "../../support/seaweedfs/manifest-bytes.ts";
import { filer, setting } from "./live.ts";

export interface NewEntry {
  readonly directory: string;
  readonly name: string;
  readonly size: number;
  readonly chunks: readonly ManifestChunk[];
  readonly content?: Uint8Array;
  readonly ttlSeconds?: number;
  readonly hardLink?: { readonly id: Uint8Array; readonly counter: number };
}

/** A chunk of a list: `fid` read from its text. */
export function chunkOf(
  fid: string,
  place: Pick<ManifestChunk, "offset" | "size" | "timestamp" | "manifest">,
): ManifestChunk {
  const id = parseFileId(fid);
  if (id === undefined) throw new TypeError(`No file id: ${fid}`);
  return { fid, ...id, ...place };
}

/** True when the filer's gRPC can be reached without TLS. */
export async function hasGrpc(): Promise<boolean> {
  try {
    await call("/filer_pb.SeaweedFiler/Ping", new Uint8Array(0));
    return true;
  } catch (error) {
    // Whatever it says, somebody who speaks gRPC said it.
    return error instanceof GrpcError;
  }
}

/** @throws GrpcError when the filer refuses */
export async function createEntry(entry: NewEntry): Promise<void> {
  const writer = new PbfWriter();
  writer.writeStringField(1, entry.directory);
  writer.writeMessage(2, writeEntry, entry);
  await call("/filer_pb.SeaweedFiler/CreateEntry", writer.finish());
}

export class GrpcError extends Error {}

function writeEntry(entry: NewEntry, writer: PbfWriter): void {
  writer.writeStringField(1, entry.name);
  for (const chunk of entry.chunks) {
    // The same message as in a manifest, where the list is field 1 and here field 3.
    const bytes = encodeManifest([chunk]);
    bytes[0] = (3 << 3) | 2;
    writer.realloc(bytes.byteLength);
    writer.buf.set(bytes, writer.pos);
    writer.pos += bytes.byteLength;
  }
  writer.writeMessage(4, writeAttributes, entry);
  if (entry.hardLink !== undefined) {
    writer.writeBytesField(7, entry.hardLink.id);
    writer.writeVarintField(8, entry.hardLink.counter);
  }
  if (entry.content !== undefined) writer.writeBytesField(9, entry.content);
}

function writeAttributes(entry: NewEntry, writer: PbfWriter): void {
  const seconds = Math.floor(Date.now() / 1000);
  writer.writeVarintField(1, entry.size);
  writer.writeVarintField(2, seconds);
  writer.writeVarintField(3, 0o644);
  writer.writeVarintField(6, seconds);
  if (entry.ttlSeconds !== undefined) writer.writeVarintField(10, entry.ttlSeconds);
}

/** A unary call: a five-byte frame over HTTP/2, the status in the trailers. */
function call(method: string, message: Uint8Array): Promise<void> {
  const url = new URL(filer);
  const address = setting("FILER_GRPC") || `${url.hostname}:${Number(url.port) + 10_000}`;
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}`);
    const end = (error?: Error) => {
      session.close();
      if (error === undefined) resolve();
      else reject(error);
    };
    session.once("error", end);
    const stream = session.request({
      ":method": "POST",
      ":path": method,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let answer = "";
    const judge = (headers: IncomingHttpHeaders) => {
      const status = String(headers["grpc-status"] ?? "");
      if (status === "") return;
      // The answer's field 1 is the filer's error; it comes first.
      if (status === "0" && answer[5] !== "\n") end();
      else
        end(
          new GrpcError(
            `${method}: ${status} ${String(headers["grpc-message"])} ${JSON.stringify(answer)}`,
          ),
        );
    };
    stream.on("response", judge);
    stream.on("trailers", judge);
    stream.on("data", (data: Buffer) => {
      answer += data.toString("latin1");
    });
    stream.once("error", end);
    const frame = Buffer.alloc(5 + message.byteLength);
    frame.writeUInt32BE(message.byteLength, 1);
    frame.set(message, 5);
    stream.end(frame);
  });
}
