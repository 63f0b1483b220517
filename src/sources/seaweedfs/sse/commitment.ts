/**
 * Key commitment of the S3 gateway: HMAC-SHA256 with the data key over the counter and the algorithm's name. It tells a
 * wrong key before a byte is served; AES-CTR itself would decrypt to noise.
 */
import { ReadaheadError } from "../../../errors.ts";

/**
 * @param algorithm `AES256` for SSE-S3, `aws:kms` for SSE-KMS
 * @param required Refuse records without a commitment; old ones have none
 * @throws ReadaheadError `key-wrong`
 */
export async function verifyCommitment(
  key: Uint8Array<ArrayBuffer>,
  iv: Uint8Array,
  algorithm: "AES256" | "aws:kms",
  commitment: Uint8Array<ArrayBuffer> | undefined,
  required: boolean,
): Promise<void> {
  if (commitment === undefined) {
    if (required)
      throw new ReadaheadError("key-wrong", "The object's key record has no key commitment");
    return;
  }
  const name = new TextEncoder().encode(algorithm);
  const message = new Uint8Array(iv.byteLength + name.byteLength);
  message.set(iv);
  message.set(name, iv.byteLength);
  const hmac = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, [
    "verify",
  ]);
  if (!(await crypto.subtle.verify("HMAC", hmac, commitment, message)))
    throw new ReadaheadError("key-wrong", "The data key is not the one of this object");
}
