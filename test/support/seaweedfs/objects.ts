/**
 * Generated objects of a fake cluster, in every stored form: chunk lists and manifests, gzip, volume cipher, SSE-C,
 * SSE-S3, SSE-KMS, in one S3 part or several. Contents default to a ramp of prime period 251, which costs nothing to make: large objects share one buffer.
 */
import { createCipheriv, createHash, createHmac, hkdfSync } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { FakeCluster, FakeNeedle } from "./cluster.ts";
import { type KmsProvider, kmsContext, kmsKeyIds, sealDataKey } from "./key-services.ts";
import { encodeManifest, type ManifestChunk } from "./manifest-bytes.ts";
import { once, rampBytes, seal, streamCipher } from "./recipe.ts";

export type StoredForm = "plain" | "gzip" | "hidden-gzip" | "cipher" | "cipher-gzip";

export interface FakeObjectOptions {
  readonly size: number;
  /** Default 1 MiB. */
  readonly chunkBytes?: number;
  readonly form?: StoredForm;
  readonly sse?: "sse-c" | "sse-s3" | "sse-kms" | undefined;
  /** Which service sealed the data keys of `sse-kms`; default AWS. */
  readonly kmsProvider?: KmsProvider;
  /** Uploaded in S3 parts of so many bytes: each a stream of its own under its own data key. Default: one part. */
  readonly s3PartBytes?: number;
  /** Bytes `[start, end)` of the object; default: the ramp. */
  readonly content?: (start: number, end: number) => Buffer;
  readonly mime?: string;
  /** Stored headers. */
  readonly extended?: Readonly<Record<string, string>>;
  /** Over how many volumes the chunks go round; default 1. */
  readonly volumes?: number;
  /** First volume id; default 1. */
  readonly firstVolume?: number;
  /** Folds so many chunks into each manifest; 0: a plain list. */
  readonly foldEvery?: number;
  /** Whether the manifests are ciphered; default: as the chunks are. */
  readonly cipherManifests?: boolean;
  readonly ttlSeconds?: number;
}

export interface FakeObject {
  readonly path: string;
  readonly fids: readonly string[];
  readonly size: number;
}

/** The customer key that `sse-c` objects are encrypted with. */
export const customerKey = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
export const customerKeyHeaders = {
  algorithm: "AES256",
  key: customerKey.toString("base64"),
  keyMd5: createHash("md5").update(customerKey).digest("base64"),
};
/** The text that `sse-s3` objects' wrapping key is derived from. */
export const sseKeyText = "my-secret";

let nextKey = 0x100;
let clock = 1_790_000_000_000_000_000n;

/** Stores an object, replacing what was there: the needles of the old one are gone for good. */
export function putObject(
  cluster: FakeCluster,
  path: string,
  options: FakeObjectOptions,
): FakeObject {
  removeObject(cluster, path);
  const { size, form = "plain", foldEvery = 0, volumes = 1, firstVolume = 1 } = options;
  const { cipherManifests = form.startsWith("cipher") } = options;
  const chunkBytes = options.chunkBytes ?? 1024 * 1024;
  const content = options.content ?? rampContent(chunkBytes);
  const chunks: ManifestChunk[] = [];
  const fids: string[] = [];
  const s3PartBytes = options.s3PartBytes ?? size;
  for (let start = 0, index = 0; start < size; index++) {
    const offset = start;
    const partOffset = offset % s3PartBytes;
    const end = Math.min(size, offset + chunkBytes, offset - partOffset + s3PartBytes);
    const volume = firstVolume + (index % volumes);
    const id = takeId(volume);
    const clear = () => content(offset, end);
    const layer = encryption(options, offset, partOffset);
    const { needle, ...facts } = storeChunk(clear, offset, form, layer);
    cluster.needles.set(id.fid, needle);
    fids.push(id.fid);
    chunks.push({ ...id, offset, size: end - offset, timestamp: (clock += 1000n), ...facts });
    start = end;
  }
  const list: ManifestChunk[] = [];
  for (let at = 0; foldEvery > 0 && at < chunks.length; at += foldEvery) {
    const children = chunks.slice(at, at + foldEvery);
    const manifest = storeManifest(cluster, children, firstVolume, cipherManifests);
    fids.push(manifest.fid);
    list.push(manifest);
  }
  const top = foldEvery > 0 ? list : chunks;
  cluster.entries.set(path, { metadata: entryJson(path, size, top, options) });
  return { path, fids, size };
}

/** Removes an object and its needles, as after a vacuum. */
export function removeObject(cluster: FakeCluster, path: string): void {
  const entry = cluster.entries.get(path);
  if (entry === undefined) return;
  for (const match of entry.metadata.matchAll(/"file_id":"([^"]+)"/g))
    cluster.needles.delete(match[1] ?? "");
  cluster.entries.delete(path);
}

/** A needle that lists chunks. */
function storeManifest(
  cluster: FakeCluster,
  children: readonly ManifestChunk[],
  volume: number,
  ciphered = false,
): ManifestChunk {
  const id = takeId(volume);
  const clear = encodeManifest(children);
  const cipherKey = ciphered ? createHash("sha256").update(id.fid).digest() : undefined;
  const blob = cipherKey === undefined ? clear : seal(cipherKey, cipherKey.subarray(0, 12), clear);
  cluster.needles.set(id.fid, { stored: () => blob });
  const start = Math.min(...children.map((child) => child.offset));
  const end = Math.max(...children.map((child) => child.offset + child.size));
  const timestamp = (clock += 1000n);
  return { ...id, offset: start, size: end - start, timestamp, manifest: true, cipherKey };
}

/** JSON of `?metadata=true`, with integers beyond 2^53 as they come. */
export function entryJson(
  path: string,
  size: number,
  chunks: readonly ManifestChunk[],
  options: Pick<FakeObjectOptions, "mime" | "extended" | "ttlSeconds" | "sse" | "kmsProvider"> = {},
): string {
  const now = new Date().toISOString().replace(/\.\d+Z$/, "");
  // Nanoseconds tell two writes of the same second apart, as they do in the filer.
  const mtime = `${now}.${String((clock += 1n) % 1_000_000_000n).padStart(9, "0")}Z`;
  const extended: Record<string, string> = {};
  const headers = { ...sseHeaders(options), ...options.extended };
  for (const [name, value] of Object.entries(headers))
    extended[name] = Buffer.from(value).toString("base64");
  const fields = {
    FullPath: path,
    Mtime: mtime,
    Crtime: mtime,
    Mode: 432,
    Mime: options.mime ?? "",
    TtlSec: options.ttlSeconds ?? 0,
    Md5: null,
    FileSize: size,
    Extended: Object.keys(extended).length === 0 ? null : extended,
    HardLinkId: null,
    Content: null,
    Remote: null,
  };
  const head = JSON.stringify(fields).slice(0, -1);
  return `${head},"chunks":[${chunks.map(chunkJson).join(",")}]}`;
}

function chunkJson(chunk: ManifestChunk): string {
  const cookie = Number.parseInt(chunk.fid.slice(-8), 16);
  const parts = [
    `"file_id":"${chunk.fid}"`,
    ...(chunk.offset === 0 ? [] : [`"offset":${chunk.offset}`]),
    `"size":${chunk.size}`,
    `"modified_ts_ns":${chunk.timestamp}`,
    `"e_tag":"${createHash("md5").update(chunk.fid).digest("base64")}"`,
    `"fid":{"volume_id":${chunk.volume},"file_key":${chunk.key},"cookie":${cookie}}`,
    ...(chunk.cipherKey === undefined
      ? []
      : [`"cipher_key":"${Buffer.from(chunk.cipherKey).toString("base64")}"`]),
    ...(chunk.compressed === true ? ['"is_compressed":true'] : []),
    ...(chunk.manifest === true ? ['"is_chunk_manifest":true'] : []),
    ...(chunk.sseType === undefined ? [] : [`"sse_type":${chunk.sseType}`]),
    ...(chunk.sseMetadata === undefined
      ? []
      : [`"sse_metadata":"${Buffer.from(chunk.sseMetadata).toString("base64")}"`]),
  ];
  return `{${parts.join(",")}}`;
}

function takeId(volume: number): Pick<ManifestChunk, "fid" | "volume" | "key" | "cookie"> {
  const key = nextKey++;
  const hex = key.toString(16);
  const cookie = (key * 2_654_435_761) % 2 ** 32;
  const padded = hex.length % 2 === 0 ? hex : `0${hex}`;
  const fid = `${volume},${padded}${cookie.toString(16).padStart(8, "0")}`;
  return { fid, volume, key: BigInt(key), cookie };
}

type ChunkFacts = Pick<ManifestChunk, "cipherKey" | "compressed" | "sseType" | "sseMetadata">;

function storeChunk(
  clear: () => Buffer,
  offset: number,
  form: StoredForm,
  layer: Layer,
): ChunkFacts & { readonly needle: FakeNeedle } {
  const key = createHash("sha256").update(`chunk ${offset}`).digest();
  const { facts } = layer;
  const bytes = () => layer.encrypt(clear());
  // The plain ramp costs nothing to make again; encrypting for every ranged read would.
  if (form === "plain")
    return { ...facts, needle: { stored: facts.sseType === undefined ? bytes : once(bytes) } };
  if (form === "gzip" || form === "hidden-gzip") {
    const compressed = form === "gzip" ? { compressed: true } : {};
    return {
      ...facts,
      ...compressed,
      needle: { stored: () => gzipSync(bytes(), { level: 1 }), gzipHeaders: {} },
    };
  }
  const nonce = key.subarray(0, 12);
  const gzipped = form === "cipher-gzip";
  const inner = () => (gzipped ? gzipSync(bytes(), { level: 1 }) : bytes());
  const stored = once(() => seal(key, nonce, inner()));
  return {
    ...facts,
    cipherKey: key,
    ...(gzipped ? { compressed: true } : {}),
    needle: { stored },
  };
}

interface Layer {
  encrypt(bytes: Buffer): Buffer;
  readonly facts: ChunkFacts;
}

function encryption(options: FakeObjectOptions, offset: number, partOffset: number): Layer {
  const { sse } = options;
  if (sse === undefined) return { encrypt: (bytes) => bytes, facts: {} };
  const part = offset - partOffset;
  if (sse === "sse-c") {
    const iv = createHash("md5").update(`iv ${part}`).digest();
    const record = {
      algorithm: "AES256",
      iv: iv.toString("base64"),
      keyMD5: customerKeyHeaders.keyMd5,
      partOffset,
    };
    return {
      encrypt: (bytes) => streamCipher(customerKey, iv, partOffset, bytes),
      facts: { sseType: 1, sseMetadata: JSON.stringify(record) },
    };
  }
  if (sse === "sse-kms") {
    const { dataKey, iv, record } = kmsRecord(options, part);
    return {
      encrypt: (bytes) => streamCipher(dataKey, iv, partOffset, bytes),
      facts: { sseType: 2, sseMetadata: JSON.stringify({ ...record, partOffset }) },
    };
  }
  const dataKey = createHash("sha256").update("data key").digest();
  const nonce = createHash("md5").update(`${offset}`).digest().subarray(0, 12);
  const kek = Buffer.from(hkdfSync("sha256", sseKeyText, "", "seaweedfs-sse-s3-kek", 32));
  const wrap = createCipheriv("aes-256-gcm", kek, nonce);
  const wrapped = Buffer.concat([wrap.update(dataKey), wrap.final(), wrap.getAuthTag()]);
  const chunkIv = createHash("md5").update(`iv ${offset}`).digest();
  const record = {
    algorithm: "AES256",
    keyId: "sse-s3-key-1",
    encryptedDEK: wrapped.toString("base64"),
    nonce: nonce.toString("base64"),
    iv: chunkIv.toString("base64"),
    keyCommitment: createHmac("sha256", dataKey).update(chunkIv).update("AES256").digest("base64"),
  };
  return {
    encrypt: (bytes) => streamCipher(dataKey, chunkIv, 0, bytes),
    facts: { sseType: 3, sseMetadata: JSON.stringify(record) },
  };
}

/** The parts of an upload share the base counter; each has a data key of its own. */
function kmsRecord(
  { kmsProvider = "aws" }: Pick<FakeObjectOptions, "kmsProvider">,
  part: number,
): { dataKey: Buffer; iv: Buffer; record: Readonly<Record<string, unknown>> } {
  const iv = createHash("md5").update("base iv").digest();
  const dataKey = createHash("sha256").update(`data key ${part}`).digest();
  const commitment = createHmac("sha256", dataKey).update(iv).update("aws:kms").digest("base64");
  const record = {
    algorithm: "aws:kms",
    keyId: kmsKeyIds[kmsProvider],
    encryptedDataKey: Buffer.from(sealDataKey(kmsProvider, dataKey)).toString("base64"),
    encryptionContext: kmsContext,
    bucketKeyEnabled: false,
    iv: iv.toString("base64"),
    // Copies have one, what a gateway puts has none.
    ...(part % 2 === 0 ? { keyCommitment: commitment } : {}),
  };
  return { dataKey, iv, record };
}

function sseHeaders(
  options: Pick<FakeObjectOptions, "sse" | "kmsProvider">,
): Record<string, string> {
  const { sse, kmsProvider = "aws" } = options;
  if (sse === "sse-s3") return { "X-Amz-Server-Side-Encryption": "AES256" };
  if (sse === "sse-kms")
    return {
      "X-Amz-Server-Side-Encryption": "aws:kms",
      "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": kmsKeyIds[kmsProvider],
      "x-seaweedfs-sse-kms-key": JSON.stringify(kmsRecord(options, 0).record),
    };
  if (sse === undefined) return {};
  return {
    "X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256",
    "X-Amz-Server-Side-Encryption-Customer-Key-MD5": customerKeyHeaders.keyMd5,
  };
}

/** The ramp, cut out of one buffer. */
function rampContent(chunkBytes: number): (start: number, end: number) => Buffer {
  const teeth = once(() => rampBytes(251, 0, chunkBytes + 251));
  return (start, end) => {
    const from = start % 251;
    return teeth().subarray(from, from + end - start);
  };
}
