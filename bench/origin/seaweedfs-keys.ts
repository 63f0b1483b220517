/** Keys of the encrypted benchmark objects: fixed bytes that protect nothing. */
import { createCipheriv, createHash } from "node:crypto";

function fixedBytes(length: number, from: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (from + i * 7) % 256));
}

/** The counter that every object's stream starts with. */
export const streamIv = fixedBytes(16, 3);

const customer = fixedBytes(32, 1);

/** SSE-C: the client's key, as it sends it. */
export const customerKey = {
  bytes: customer,
  text: customer.toString("base64"),
  md5: createHash("md5").update(customer).digest("base64"),
};

/** Headers of a client that knows the key. */
export const customerHeaders: Readonly<Record<string, string>> = {
  "x-amz-server-side-encryption-customer-algorithm": "AES256",
  "x-amz-server-side-encryption-customer-key": customerKey.text,
  "x-amz-server-side-encryption-customer-key-MD5": customerKey.md5,
};

/** SSE-S3: the key that the objects' bytes are encrypted with. */
export const dataKey = fixedBytes(32, 5);

const kekBytes = fixedBytes(32, 9);

/** SSE-S3: the gateway's key as `s3.sse.kek` writes it. */
export const kekHex = kekBytes.toString("hex");

/** The data key wrapped by the gateway's, as base64. */
export function createKek(): { readonly wrapped: string; readonly nonce: string } {
  const nonce = fixedBytes(12, 11);
  const cipher = createCipheriv("aes-256-gcm", kekBytes, nonce);
  const wrapped = Buffer.concat([cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
  return { wrapped: wrapped.toString("base64"), nonce: nonce.toString("base64") };
}
