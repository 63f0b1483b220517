/** AWS KMS `Decrypt`, signed with SigV4. */
import { AwsClient } from "aws4fetch";
import { ReadaheadError } from "../../../errors.ts";
import { statusError } from "../../../readahead/verify.ts";
import { asFields, bytesField, type Fields, textField } from "../field.ts";
import { type ClusterContext, type SeaweedfsFetch, sendForAll } from "../request.ts";

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

/** A data key as it was sealed. */
export interface SealedKey {
  /** Key that the record names; the answer must name the same. */
  readonly keyId: string;
  readonly wrappingKeyId: string;
  readonly ciphertext: string;
  /** Verbatim, however odd (copies store doubled slashes in it). */
  readonly context: Readonly<Record<string, string>>;
}

const answerBytes = 64 * 1024;

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
  const answer = await sendForAll(
    fetch,
    {
      url,
      replica: new URL(url).host,
      purpose: "key",
      alternatives: false,
      method: "POST",
      headers: Object.fromEntries(signed.headers),
      body,
    },
    context,
    answerBytes,
  );
  const fields = parseAnswer(answer.bytes);
  if (answer.status !== 200) throw refusal(answer.status, answer.headers, fields);
  const keyId = textField(fields, "KeyId");
  if (keyId !== sealed.keyId)
    throw new ReadaheadError("key-wrong", "The key service opened the data key with another key");
  const key = bytesField(fields, "Plaintext");
  if (key === undefined) throw new ReadaheadError("protocol", "The key service sent no key");
  return key;
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

function parseAnswer(bytes: Uint8Array): Fields {
  try {
    return asFields(JSON.parse(new TextDecoder().decode(bytes)), "key service's answer");
  } catch (error) {
    throw new ReadaheadError("protocol", "The key service's answer is no JSON", { cause: error });
  }
}

/** `arn:aws:kms:eu-west-1:…`; nothing else may become part of a host name. */
function regionOf(keyId: string): string | undefined {
  return /^arn:aws[a-z-]*:kms:([a-z]{2,4}-[a-z-]+-\d{1,2}):/.exec(keyId)?.[1];
}
