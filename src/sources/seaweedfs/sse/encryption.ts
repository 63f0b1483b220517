/**
 * How an entry is encrypted, told from its chunks and its records. Pure. When in doubt the answer is "encrypted": an
 * object that claims encryption and has no usable record is refused later, never served as it lies.
 */

import type { Chunk, SseType } from "../chunk.ts";
import { type Entry, extendedText } from "../entry.ts";

export interface Encryption {
  readonly type: SseType;
  /** No chunk says so: the whole object is one stream under the entry's record (written by old gateways, or inline). */
  readonly byEntry: boolean;
}

const customerAlgorithmName = "X-Amz-Server-Side-Encryption-Customer-Algorithm";
export const customerMd5Name = "X-Amz-Server-Side-Encryption-Customer-Key-MD5";
export const customerIvName = "x-seaweedfs-sse-c-iv";
export const kmsRecordName = "x-seaweedfs-sse-kms-key";
export const s3RecordName = "x-seaweedfs-sse-s3-key";
const algorithmName = "X-Amz-Server-Side-Encryption";
const kmsKeyIdName = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id";

/** The object's encryption: that of most of its chunks, ties as SSE-C, then KMS, then S3 (as the gateway decides). */
export function encryptionOf(entry: Entry): Encryption {
  const byChunks = majority(entry.chunks);
  if (byChunks !== "none") return { type: byChunks, byEntry: false };
  return { type: byHeaders(entry), byEntry: true };
}

function majority(chunks: readonly Chunk[]): SseType {
  const count: Record<SseType, number> = { none: 0, "sse-c": 0, "sse-kms": 0, "sse-s3": 0 };
  for (const chunk of chunks) count[chunk.sse] += 1;
  const most = Math.max(count["sse-c"], count["sse-kms"], count["sse-s3"]);
  if (most === 0) return "none";
  if (count["sse-c"] === most) return "sse-c";
  return count["sse-kms"] === most ? "sse-kms" : "sse-s3";
}

function byHeaders(entry: Entry): SseType {
  const has = (name: string) => (extendedText(entry, name) ?? "") !== "";
  if (has(customerAlgorithmName) || has(customerIvName)) return "sse-c";
  const algorithm = extendedText(entry, algorithmName) ?? "";
  if (has(kmsRecordName) || algorithm === "aws:kms" || (algorithm !== "" && has(kmsKeyIdName)))
    return "sse-kms";
  return has(s3RecordName) || algorithm !== "" ? "sse-s3" : "none";
}
