/**
 * A SeaweedFS cluster's face of the benchmark origin: filer, master and volume server on the one port, over ramp data
 * that nobody stores.
 *
 * `/weed/<profile>/<chunk bytes>/<bytes>/<anything>?metadata=true` is a file's entry. Its chunks' ids say where they lie:
 * the volume is the profile's number, the needle's key the chunk's place and size. Only what a reader of whole, plain
 * or SSE objects asks is there; no manifests, tokens, replicas. The functional fake is test/support/seaweedfs.
 */
import { createCipheriv, createHash, createHmac } from "node:crypto";
import { createKek, customerKey, dataKey, streamIv } from "./seaweedfs-keys.ts";

/** How the objects of a profile are encrypted. */
export type Sse = "sse-c" | "sse-s3";

export interface WeedFile {
  readonly profile: string;
  readonly chunkBytes: number;
  readonly size: number;
}

export function parseWeedPath(path: string): WeedFile | undefined {
  const match = /^\/weed\/([^/]+)\/(\d+)\/(\d+)\/[^?]+\?metadata=true$/.exec(path);
  if (match === null) return undefined;
  const [, profile = "", chunkBytes, size] = match;
  return { profile, chunkBytes: Number(chunkBytes), size: Number(size) };
}

/** The volume that a master is asked for. */
export function parseLookup(path: string): number | undefined {
  const volume = /^\/dir\/lookup\?(?:.*&)?(?:volumeId|fileId)=(\d+)/.exec(path)?.[1];
  return volume === undefined ? undefined : Number(volume);
}

export interface Needle {
  readonly volume: number;
  readonly chunkBytes: number;
  /** Where the chunk lies in its object. */
  readonly offset: number;
}

/** Key of a needle: place of the chunk times 256, plus the binary logarithm of its size; the cookie is 0. */
export function parseNeedlePath(path: string): Needle | undefined {
  const match = /^\/(\d+),([0-9a-f]+)00000000(?:\?.*)?$/.exec(path);
  if (match === null) return undefined;
  const [, volume, hex = ""] = match;
  const key = Number.parseInt(hex, 16);
  const chunkBytes = 2 ** (key % 256);
  return { volume: Number(volume), chunkBytes, offset: Math.floor(key / 256) * chunkBytes };
}

function formatFileId(volume: number, chunkBytes: number, index: number): string {
  const key = (index * 256 + Math.log2(chunkBytes)).toString(16);
  return `${volume},${key.length % 2 === 0 ? key : `0${key}`}00000000`;
}

/** The master's answer: one location, this very port. */
export function formatLookup(volume: number, port: number): string {
  const host = `127.0.0.1:${port}`;
  const locations = [{ url: host, publicUrl: host, dataCenter: "DefaultDataCenter" }];
  return JSON.stringify({ volumeOrFileId: String(volume), locations });
}

const base64 = (data: string | Uint8Array) => Buffer.from(data).toString("base64");

const checksums: string[] = [];

function checksumOf(index: number): string {
  return (checksums[index] ??= createHash("md5").update(`${index}`).digest("base64"));
}

/** Chunk lists made so far: a filer has its list, and must not seem slower for our making one up. */
const chunkLists = new Map<string, readonly unknown[]>();

function chunksOf({ chunkBytes, size }: WeedFile, volume: number, sse?: Sse): readonly unknown[] {
  const name = `${chunkBytes} ${size} ${volume} ${sse}`;
  const known = chunkLists.get(name);
  if (known !== undefined) return known;
  const chunks = Array.from({ length: Math.ceil(size / chunkBytes) }, (_, index) => {
    const offset = index * chunkBytes;
    return {
      file_id: formatFileId(volume, chunkBytes, index),
      ...(offset === 0 ? {} : { offset }),
      size: Math.min(chunkBytes, size - offset),
      modified_ts_ns: 1_790_000_000_000_000_000 + index * 1024,
      e_tag: checksumOf(index),
      ...(sse === undefined ? {} : sseOfChunk(sse, offset)),
    };
  });
  if (chunkLists.size > 1000) chunkLists.clear();
  chunkLists.set(name, chunks);
  return chunks;
}

/** The filer's entry, with the fields and the spelling of a 4.44. */
export function formatEntry(file: WeedFile, path: string, volume: number, sse?: Sse): string {
  const { size } = file;
  const time = "2026-10-01T00:00:00Z";
  return JSON.stringify({
    FullPath: path.slice(0, path.indexOf("?")),
    Mtime: time,
    Crtime: time,
    Ctime: time,
    Atime: time,
    Mode: 432,
    Uid: 0,
    Gid: 0,
    Mime: "application/octet-stream",
    TtlSec: 0,
    UserName: "",
    GroupNames: null,
    SymlinkTarget: "",
    // A filer keeps the digest of what it was given; a reader need not make an entity tag of all chunks.
    Md5: createHash("md5").update(path).digest("base64"),
    FileSize: size,
    Rdev: 0,
    Inode: 0,
    Extended: sse === undefined ? null : sseOfEntry(sse),
    chunks: chunksOf(file, volume, sse),
    HardLinkId: null,
    HardLinkCounter: 0,
    Content: null,
    Remote: null,
    Quota: 0,
    WORMEnforcedAtTsNs: 0,
  });
}

function sseOfEntry(sse: Sse): Record<string, string> {
  if (sse === "sse-c") {
    return {
      "X-Amz-Server-Side-Encryption-Customer-Algorithm": base64("AES256"),
      "X-Amz-Server-Side-Encryption-Customer-Key-MD5": base64(customerKey.md5),
      "x-seaweedfs-sse-c-iv": base64(streamIv),
    };
  }
  return {
    "X-Amz-Server-Side-Encryption": base64("AES256"),
    "x-seaweedfs-sse-s3-key": base64(JSON.stringify(s3Record(streamIv))),
  };
}

function sseOfChunk(sse: Sse, offset: number): Record<string, unknown> {
  if (sse === "sse-c") {
    const record = {
      algorithm: "AES256",
      iv: base64(streamIv),
      keyMD5: customerKey.md5,
      partOffset: offset,
    };
    return { sse_type: 1, sse_metadata: base64(JSON.stringify(record)) };
  }
  // An SSE-S3 chunk's counter is already that of the chunk.
  return { sse_type: 3, sse_metadata: base64(JSON.stringify(s3Record(advance(offset)))) };
}

const kek = createKek();

function s3Record(iv: Buffer): Record<string, string> {
  const commitment = createHmac("sha256", dataKey).update(iv).update("AES256").digest("base64");
  return {
    algorithm: "AES256",
    keyId: "sse-s3-key-1",
    encryptedDEK: kek.wrapped,
    nonce: kek.nonce,
    iv: base64(iv),
    keyCommitment: commitment,
  };
}

/** The stream's counter at an object offset: blocks are added to its last eight bytes. */
function advance(offset: number): Buffer {
  const iv = Buffer.from(streamIv);
  iv.writeBigUInt64BE(
    BigInt.asUintN(64, iv.readBigUInt64BE(8) + BigInt(Math.floor(offset / 16))),
    8,
  );
  return iv;
}

/** Encrypts consecutive blocks of an object from `offset` on, as they lie on the volume server. */
export function createEncryption(sse: Sse, offset: number): (block: Buffer) => Buffer {
  const key = sse === "sse-c" ? customerKey.bytes : dataKey;
  const cipher = createCipheriv("aes-256-ctr", key, advance(offset));
  const skip = offset % 16;
  if (skip > 0) cipher.update(Buffer.alloc(skip));
  return (block) => cipher.update(block);
}
