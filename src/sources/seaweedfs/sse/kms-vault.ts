/** The transit engine of OpenBao and HashiCorp Vault: `decrypt`. */
import { encodeBase64 } from "../../../encoding/base64.ts";
import { ReadaheadError } from "../../../errors.ts";
import { statusError } from "../../../readahead/verify.ts";
import { asFields } from "../field.ts";
import type { ClusterContext, SeaweedfsFetch } from "../request.ts";
import { goJson } from "./go-json.ts";
import { answerFields, askKeyService, keyField, type SealedKey } from "./key-service.ts";

export interface VaultOptions {
  /** For example `https://vault.example:8200`. */
  readonly address: string;
  readonly token: string;
  /** Where the transit engine is mounted. Default `transit`. */
  readonly mount?: string | undefined;
  readonly namespace?: string | undefined;
}

export async function decryptWithVault(
  options: VaultOptions,
  sealed: SealedKey,
  fetch: SeaweedfsFetch,
  context: ClusterContext,
): Promise<Uint8Array<ArrayBuffer>> {
  // A URL would take these for the way up, to another path of the service.
  if (/^\.{0,2}$/.test(sealed.wrappingKeyId))
    throw new ReadaheadError("protocol", "The object's record names no key of the key service");
  const mount = (options.mount ?? "transit").split("/").map(encodeURIComponent).join("/");
  const base = options.address.replace(/\/+$/, "");
  const url = `${base}/v1/${mount}/decrypt/${encodeURIComponent(sealed.wrappingKeyId)}`;
  const question = {
    headers: {
      "content-type": "application/json",
      "x-vault-token": options.token,
      ...(options.namespace === undefined ? {} : { "x-vault-namespace": options.namespace }),
    },
    body: JSON.stringify({
      ciphertext: sealed.ciphertext,
      ...(Object.keys(sealed.context).length === 0
        ? {}
        : { context: encodeBase64(new TextEncoder().encode(goJson(sealed.context))) }),
    }),
  };
  const answer = await askKeyService(url, question, fetch, context);
  if (answer.status === 400)
    throw new ReadaheadError("key-wrong", "The key service does not open the data key", {
      status: 400,
    });
  if (answer.status === 403 || answer.status === 404)
    throw new ReadaheadError("denied", `The key service refuses us: ${answer.status}`, {
      status: answer.status,
    });
  if (answer.status !== 200) throw statusError(answer);
  const data = asFields(answerFields(answer)["data"], "key service's data");
  return keyField(data, "plaintext");
}
