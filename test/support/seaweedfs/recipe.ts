/** Bytes from the recipes of the recordings (test/fixtures/seaweedfs/README.md), made with Node's own crypto. */
import { createCipheriv } from "node:crypto";

export type Recipe =
  | { readonly ramp: number; readonly start: number; readonly length: number }
  | { readonly repeat: string; readonly start: number; readonly length: number }
  | { readonly zero: number }
  | { readonly concat: readonly Recipe[] }
  | { readonly base64: string }
  | {
      readonly aesCtr256: { readonly key: string; readonly iv: string; readonly skip: number };
      readonly of: Recipe;
    }
  | { readonly aesGcm256: { readonly key: string; readonly nonce: string }; readonly of: Recipe };

/** Makes a value when it is first asked for, and keeps it. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** Builds the bytes of a recipe. */
export function cook(recipe: Recipe): Buffer {
  if ("ramp" in recipe) return rampBytes(recipe.ramp, recipe.start, recipe.length);
  if ("repeat" in recipe) {
    const text = Buffer.from(recipe.repeat);
    const bytes = Buffer.alloc(recipe.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text[(recipe.start + i) % text.length] ?? 0;
    return bytes;
  }
  if ("zero" in recipe) return Buffer.alloc(recipe.zero);
  if ("concat" in recipe) return Buffer.concat(recipe.concat.map(cook));
  if ("base64" in recipe) return Buffer.from(recipe.base64, "base64");
  if ("aesCtr256" in recipe) {
    const { key, iv, skip } = recipe.aesCtr256;
    return streamCipher(
      Buffer.from(key, "base64"),
      Buffer.from(iv, "base64"),
      skip,
      cook(recipe.of),
    );
  }
  const { key, nonce } = recipe.aesGcm256;
  return seal(Buffer.from(key, "base64"), Buffer.from(nonce, "base64"), cook(recipe.of));
}

/** Byte i is `(start + i) % period`. */
export function rampBytes(period: number, start: number, length: number): Buffer {
  const tooth = Buffer.from(Array.from({ length: period }, (_, i) => (start + i) % period));
  return Buffer.alloc(length, tooth);
}

/** AES-256-CTR with the first `skip` bytes of the key stream dropped. */
export function streamCipher(key: Buffer, iv: Buffer, skip: number, clear: Uint8Array): Buffer {
  const counter = Buffer.from(iv);
  let carry = BigInt(Math.floor(skip / 16));
  for (let i = 15; i >= 0 && carry > 0n; i--) {
    const sum = BigInt(counter[i] ?? 0) + (carry & 255n);
    counter[i] = Number(sum & 255n);
    carry = (carry >> 8n) + (sum >> 8n);
  }
  const cipher = createCipheriv("aes-256-ctr", key, counter);
  cipher.update(Buffer.alloc(skip % 16));
  return Buffer.concat([cipher.update(clear), cipher.final()]);
}

/** Nonce, AES-256-GCM ciphertext, tag. */
export function seal(key: Buffer, nonce: Buffer, clear: Uint8Array): Buffer {
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  return Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
}
