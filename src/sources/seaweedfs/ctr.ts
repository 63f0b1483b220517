/**
 * AES-256-CTR at any position of a stream, as SeaweedFS's server-side encryption uses it.
 *
 * The counter is 128 bits with carry, as the one continuous stream was written. SeaweedFS itself adds chunk offsets to
 * the low 64 bits without carry; the two differ once in 2^32 objects of 64 GiB, and then only this one is right.
 */

import type { SecretKey } from "./secret-key.ts";

/** A key with the counter of its stream's first byte. */
export interface StreamCipher {
  readonly key: SecretKey;
  /** 16 bytes. */
  readonly iv: Uint8Array<ArrayBuffer>;
  /** Byte of the stream that the next byte to decrypt is. */
  readonly position: number;
}

/** The counter block for byte `position` of the stream; `position % 16` bytes of its key stream are then skipped. */
export function advanceCounter(iv: Uint8Array, position: number): Uint8Array<ArrayBuffer> {
  const counter = new Uint8Array(16);
  counter.set(iv);
  let carry = Math.floor(position / 16);
  for (let i = 15; i >= 0 && carry > 0; i--) {
    const sum = (counter[i] ?? 0) + (carry % 256);
    counter[i] = sum & 255;
    carry = Math.floor(carry / 256) + (sum >> 8);
  }
  return counter;
}

/** Small enough that the two copies of a block do not count beside a chunk. */
const blockBytes = 256 * 1024;

/** Decrypts in place, block by block, so that no second copy of the whole is held. */
export async function decryptInPlace(
  cipher: StreamCipher,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const lead = cipher.position % 16;
  for (let at = 0; at < bytes.byteLength; ) {
    const position = cipher.position + at;
    const skip = at === 0 ? lead : 0;
    const end = Math.min(bytes.byteLength, at + blockBytes - skip);
    const input = skip === 0 ? bytes.subarray(at, end) : withLead(bytes.subarray(at, end), skip);
    const clear = await crypto.subtle.decrypt(
      { name: "AES-CTR", counter: advanceCounter(cipher.iv, position), length: 128 },
      cipher.key,
      input,
    );
    bytes.set(new Uint8Array(clear, skip), at);
    at = end;
  }
}

/** The counter moves in blocks of 16: what was already used of one is put before the bytes, and dropped again. */
function withLead(bytes: Uint8Array, lead: number): Uint8Array<ArrayBuffer> {
  const input = new Uint8Array(lead + bytes.byteLength);
  input.set(bytes, lead);
  return input;
}

/** Decrypts one block after the other, in place, from the cipher's position on. See `Answer.decode`. */
export function createDecoder(
  cipher: StreamCipher,
): (bytes: Uint8Array<ArrayBuffer>) => Promise<void> {
  let { position } = cipher;
  return async (bytes) => {
    const from = position;
    position += bytes.byteLength;
    await decryptInPlace({ ...cipher, position: from }, bytes);
  };
}

/** Imports 32 bytes for stream decryption. */
export function importStreamKey(key: Uint8Array<ArrayBuffer>): Promise<SecretKey> {
  return crypto.subtle.importKey("raw", key, "AES-CTR", false, ["decrypt"]);
}
