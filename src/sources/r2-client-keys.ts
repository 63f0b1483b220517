/** SSE-C: a client's key as R2 wants it, checked before anything is asked. */
import { ReadaheadError } from "../errors.ts";
import { md5Base64 } from "./md5.ts";
import type { R2ObjectHead } from "./r2-binding.ts";
import type { ClientKeys } from "./source.ts";

/**
 * The raw key.
 *
 * @throws ReadaheadError `key-wrong` unless it is AES256 with 32 bytes in base64, and their MD5. The message never holds
 * the key
 */
export function ssecKeyBytes(keys: ClientKeys): ArrayBuffer {
  if (keys.algorithm !== "AES256")
    throw new ReadaheadError("key-wrong", "The only algorithm for client keys is AES256");
  const text = decodeBase64(keys.key);
  if (text?.length !== 32)
    throw new ReadaheadError("key-wrong", "A client key must be 32 bytes in base64");
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  // head() takes no key: the MD5 alone then stands for it, and is no secret (answers tell it).
  if (md5Base64(bytes) !== keys.keyMd5)
    throw new ReadaheadError("key-wrong", "A client key's MD5 must be that of the key");
  return bytes.buffer;
}

/**
 * Fails where the object is stored with a client's key and this request has none, or another one. R2's head() takes no
 * key, so its answer alone would let a stranger see the facts.
 *
 * @param keys Whose MD5 {@link ssecKeyBytes} found to be that of the key
 * @throws ReadaheadError `key-missing`, `key-wrong`
 */
export function checkClientKey(object: R2ObjectHead, keys: ClientKeys | undefined): void {
  const stored = object.ssecKeyMd5?.toLowerCase();
  if (stored === undefined) return;
  if (keys === undefined)
    throw new ReadaheadError("key-missing", "The object is stored with a client's key");
  const sent = decodeBase64(keys.keyMd5);
  const hex = Array.from(sent ?? "", (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  if (hex !== stored)
    throw new ReadaheadError("key-wrong", "The object is stored with another client key");
}

function decodeBase64(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    return undefined;
  }
}
