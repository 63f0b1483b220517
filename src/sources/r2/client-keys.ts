/** SSE-C at R2: an object that is stored with a client's key is for who brings that key. */
import { decodeBase64 } from "../../encoding/base64.ts";
import { encodeHex } from "../../encoding/hex.ts";
import { ReadaheadError } from "../../errors.ts";
import type { ClientKeys } from "../source.ts";
import type { R2ObjectHead } from "./binding.ts";

/**
 * Fails where the object is stored with a client's key and this request has none, or another one. R2's head() takes no
 * key, so its answer alone would let a stranger see the facts.
 *
 * @param keys Whose MD5 was found to be that of the key: it stands for the key here, and is no secret (answers tell it)
 * @throws ReadaheadError `key-missing`, `key-wrong`
 */
export function checkClientKey(object: R2ObjectHead, keys: ClientKeys | undefined): void {
  const stored = object.ssecKeyMd5?.toLowerCase();
  if (stored === undefined) return;
  if (keys === undefined)
    throw new ReadaheadError("key-missing", "The object is stored with a client's key");
  const sent = decodeBase64(keys.keyMd5);
  if (sent === undefined || encodeHex(sent) !== stored)
    throw new ReadaheadError("key-wrong", "The object is stored with another client key");
}
