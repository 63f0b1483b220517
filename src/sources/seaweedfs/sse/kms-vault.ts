/** The transit engine of OpenBao and HashiCorp Vault: `decrypt`. */
import { encodeBase64 } from "../../../encoding/base64.ts";
import { ReadaheadError } from "../../../errors.ts";
import { statusError } from "../../../readahead/verify.ts";
import { asFields, bytesField } from "../field.ts";
import { type ClusterContext, type SeaweedfsFetch, sendForAll } from "../request.ts";
import { goJson } from "./go-json.ts";
import type { SealedKey } from "./kms-aws.ts";

export interface VaultOptions {
  /** For example `https://vault.example:8200`. */
  readonly address: string;
  readonly token: string;
  /** Where the transit engine is mounted. Default `transit`. */
  readonly mount?: string | undefined;
  readonly namespace?: string | undefined;
}

const answerBytes = 64 * 1024;

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
  const answer = await sendForAll(
    fetch,
    {
      url,
      replica: new URL(url).host,
      purpose: "key",
      alternatives: false,
      method: "POST",
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
    },
    context,
    answerBytes,
  );
  if (answer.status === 400)
    throw new ReadaheadError("key-wrong", "The key service does not open the data key", {
      status: 400,
    });
  if (answer.status === 403 || answer.status === 404)
    throw new ReadaheadError("denied", `The key service refuses us: ${answer.status}`, {
      status: answer.status,
    });
  if (answer.status !== 200) throw statusError(answer);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(answer.bytes));
  } catch (error) {
    throw new ReadaheadError("protocol", "The key service's answer is no JSON", { cause: error });
  }
  const data = asFields(asFields(value, "key service's answer")["data"], "key service's data");
  const key = bytesField(data, "plaintext");
  if (key === undefined) throw new ReadaheadError("protocol", "The key service sent no key");
  return key;
}
