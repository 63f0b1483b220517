/** The client's SSE-C key: the checks of the S3 gateway, in its order. */
import { ReadaheadError } from "../../../errors.ts";
import { clientKeyBytes } from "../../client-key.ts";
import type { ClientKeys } from "../../source.ts";

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
  if (keys === undefined)
    throw new ReadaheadError(
      "key-missing",
      "The object is encrypted with a client's key, which the request does not bring",
    );
  const key = clientKeyBytes(keys);
  if (storedMd5 !== undefined && storedMd5 !== "" && storedMd5 !== keys.keyMd5)
    throw new ReadaheadError("key-wrong", "The client's key is not the one of this object");
  return { key, md5: keys.keyMd5 };
}
