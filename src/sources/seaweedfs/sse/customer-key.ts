/** The client's SSE-C key: the checks of the S3 gateway, in its order. */
import { ReadaheadError } from "../../../errors.ts";
import { md5Base64 } from "../../md5.ts";
import type { ClientKeys } from "../../source.ts";
import { decodeBase64 } from "../field.ts";

const keyBytes = 32;

export interface CustomerKey {
  readonly key: Uint8Array<ArrayBuffer>;
  /** Base64, as records name it. */
  readonly md5: string;
}

/**
 * @throws ReadaheadError `key-missing` where the headers are absent, incomplete or malformed
 * @throws ReadaheadError `key-wrong` where the key is not the one that `storedMd5` names
 */
export function checkCustomerKey(
  keys: ClientKeys | undefined,
  storedMd5: string | undefined,
): CustomerKey {
  if (keys === undefined || (keys.algorithm === "" && keys.key === "" && keys.keyMd5 === ""))
    throw missing("The object is encrypted with a customer key, which the request does not bring");
  if (keys.algorithm === "" || keys.key === "" || keys.keyMd5 === "")
    throw missing("The request brings only some of the three customer key headers");
  if (keys.algorithm !== "AES256") throw missing("The customer key's algorithm is not AES256");
  const key = decodeBase64(keys.key);
  if (key?.byteLength !== keyBytes) throw missing("The customer key is not 32 bytes in base64");
  const digest = md5Base64(key);
  if (digest !== keys.keyMd5) throw missing("The customer key's MD5 is not that of the key");
  if (storedMd5 !== undefined && storedMd5 !== "" && storedMd5 !== digest)
    throw new ReadaheadError("key-wrong", "The customer key is not the one of this object");
  return { key, md5: digest };
}

function missing(message: string): ReadaheadError {
  return new ReadaheadError("key-missing", message);
}
