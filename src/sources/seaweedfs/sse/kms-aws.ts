/** AWS KMS `Decrypt`, signed with SigV4. */
import { AwsClient } from "aws4fetch";
import { ReadaheadError } from "../../../errors.ts";
import { statusError } from "../../../readahead/verify.ts";
import { type Fields, textField } from "../field.ts";
import type { ClusterContext, SeaweedfsFetch } from "../request.ts";
import { answerFields, askKeyService, keyField, type SealedKey } from "./key-service.ts";

/** Credentials that may call `kms:Decrypt` on the cluster's keys. */
export interface AwsKmsOptions {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** Where the key's ARN does not name it. */
  readonly region?: string | undefined;
  /** Another endpoint than AWS's own (`https://kms.<region>.amazonaws.com/`). */
  readonly endpoint?: string | undefined;
}

export async function decryptWithAws(
  options: AwsKmsOptions,
  sealed: SealedKey,
  fetch: SeaweedfsFetch,
  context: ClusterContext,
): Promise<Uint8Array<ArrayBuffer>> {
  const region = regionOf(sealed.keyId) ?? options.region;
  if (region === undefined)
    throw new ReadaheadError("config", "The key's region is not known: set the KMS region");
  const client = new AwsClient({
    accessKeyId: options.accessKeyId,
    secretAccessKey: options.secretAccessKey,
    ...(options.sessionToken === undefined ? {} : { sessionToken: options.sessionToken }),
    service: "kms",
    region,
    retries: 0,
  });
  const url = options.endpoint ?? `https://kms.${region}.amazonaws.com/`;
  const body = JSON.stringify({
    CiphertextBlob: sealed.ciphertext,
    KeyId: sealed.keyId,
    ...(Object.keys(sealed.context).length === 0 ? {} : { EncryptionContext: sealed.context }),
  });
  const signed = await client.sign(url, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "TrentService.Decrypt",
    },
    body,
  });
  const question = { headers: Object.fromEntries(signed.headers), body };
  const answer = await askKeyService(url, question, fetch, context);
  const fields = answerFields(answer);
  if (answer.status !== 200) throw refusal(answer.status, answer.headers, fields);
  const keyId = textField(fields, "KeyId");
  if (keyId !== sealed.keyId)
    throw new ReadaheadError("key-wrong", "The key service opened the data key with another key");
  return keyField(fields, "Plaintext");
}

function refusal(status: number, headers: Headers, fields: Fields): ReadaheadError {
  const type = (textField(fields, "__type").split("#").pop() ?? "").slice(0, 60);
  if (/InvalidCiphertext|IncorrectKey|NotFound|Disabled|InvalidState|InvalidKeyUsage/.test(type))
    return new ReadaheadError("key-wrong", `The key service does not open the data key: ${type}`, {
      status,
    });
  if (status === 400 && /Throttling/.test(type))
    return new ReadaheadError("throttled", "The key service asks for patience", { status });
  // Also a 404: it is about the key service, and says nothing of the object.
  if (status >= 400 && status < 500 && status !== 408 && status !== 429)
    return new ReadaheadError("denied", `The key service refuses us: ${type || status}`, {
      status,
    });
  return statusError({ status, headers });
}

/** `arn:aws:kms:eu-west-1:…`; nothing else may become part of a host name. */
function regionOf(keyId: string): string | undefined {
  return /^arn:aws[a-z-]*:kms:([a-z]{2,4}-[a-z-]+-\d{1,2}):/.exec(keyId)?.[1];
}
