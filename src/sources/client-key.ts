/** SSE-C: the key that a request brings, checked before a store is asked. Pure. */
import { decodeBase64 } from "../encoding/base64.ts";
import { ReadaheadError } from "../errors.ts";
import { md5Base64 } from "./md5.ts";
import type { ClientKeys } from "./source.ts";

const keyBytes = 32;

/**
 * The raw key: 32 bytes.
 *
 * @throws ReadaheadError `key-missing` unless all three headers are there and say AES256, a key of 32 bytes in base64, and
 * the MD5 of that key. No message holds the key
 */
export function clientKeyBytes({ algorithm, key, keyMd5 }: ClientKeys): Uint8Array<ArrayBuffer> {
  if (algorithm === "" || key === "" || keyMd5 === "")
    throw malformed("The request brings only some of the three headers of a client's key");
  if (algorithm !== "AES256") throw malformed("The only algorithm for a client's key is AES256");
  const bytes = decodeBase64(key);
  if (bytes?.byteLength !== keyBytes) throw malformed("The client's key is not 32 bytes in base64");
  if (md5Base64(bytes) !== keyMd5)
    throw malformed("The MD5 beside the client's key is not that of the key");
  return bytes;
}

function malformed(message: string): ReadaheadError {
  return new ReadaheadError("key-missing", message);
}
