/** The key records that the S3 gateway stores as JSON text, with an entry or with each chunk. Pure. */
import { ReadaheadError } from "../../../errors.ts";
import { asFields, bytesField, countField, type Fields, flagField, textField } from "../field.ts";

const ivBytes = 16;
const wrappedKeyBytes = 48;
const nonceBytes = 12;

/** SSE-C: the counter of the part's stream, and where in it the chunk begins. */
export interface CustomerRecord {
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly keyMd5: string;
  readonly partOffset: number;
}

/** SSE-S3: a data key wrapped by the gateway's key; the counter is already that of the chunk. */
export interface S3Record {
  readonly encryptedKey: Uint8Array<ArrayBuffer>;
  readonly nonce: Uint8Array<ArrayBuffer>;
  /** Absent in records of objects written in one piece: the chunk's own is then used. */
  readonly iv: Uint8Array<ArrayBuffer> | undefined;
  readonly commitment: Uint8Array<ArrayBuffer> | undefined;
}

/** SSE-KMS: a data key wrapped by a key management service. */
export interface KmsRecord {
  readonly keyId: string;
  /** Bytes as the gateway got them from its provider: an envelope or, for the local one, its own JSON. */
  readonly encryptedKey: Uint8Array<ArrayBuffer>;
  readonly context: Readonly<Record<string, string>>;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly partOffset: number;
  /** The bucket's key saves calls of the service; the client is told so. */
  readonly bucketKey: boolean;
  readonly commitment: Uint8Array<ArrayBuffer> | undefined;
}

/** @throws ReadaheadError `unsupported` for a record that cannot be used: better no bytes than ciphertext */
export function parseCustomerRecord(text: string): CustomerRecord {
  const fields = parseRecord(text);
  return {
    iv: exactly(bytesField(fields, "iv"), ivBytes, "counter"),
    keyMd5: textField(fields, "keyMD5"),
    partOffset: countField(fields, "partOffset"),
  };
}

export function parseS3Record(text: string): S3Record {
  const fields = parseRecord(text);
  const iv = bytesField(fields, "iv");
  return {
    encryptedKey: exactly(bytesField(fields, "encryptedDEK"), wrappedKeyBytes, "data key"),
    nonce: exactly(bytesField(fields, "nonce"), nonceBytes, "nonce"),
    iv: iv === undefined ? undefined : exactly(iv, ivBytes, "counter"),
    commitment: bytesField(fields, "keyCommitment"),
  };
}

export function parseKmsRecord(text: string): KmsRecord {
  const fields = parseRecord(text);
  const encryptedKey = bytesField(fields, "encryptedDataKey");
  if (encryptedKey === undefined) throw unusable("has no data key");
  const context: Record<string, string> = {};
  for (const [name, value] of Object.entries(
    asFields(fields["encryptionContext"] ?? {}, "context"),
  )) {
    if (typeof value !== "string") throw unusable("has an encryption context that is no text");
    context[name] = value;
  }
  return {
    keyId: textField(fields, "keyId"),
    encryptedKey,
    context,
    iv: exactly(bytesField(fields, "iv"), ivBytes, "counter"),
    partOffset: countField(fields, "partOffset"),
    bucketKey: flagField(fields, "bucketKeyEnabled"),
    commitment: bytesField(fields, "keyCommitment"),
  };
}

/**
 * Tells data keys of SSE-KMS records apart: chunks of one S3 part share theirs. Without parsing, for counts over tens of
 * thousands of records; `undefined` for one that names no key.
 */
export function sealedKeyName(text: string): string | undefined {
  return /"encryptedDataKey":\s*"([^"]+)"/.exec(text)?.[1];
}

function parseRecord(text: string): Fields {
  try {
    return asFields(JSON.parse(text), "key record");
  } catch (error) {
    throw unusable("cannot be read", error);
  }
}

function exactly(
  bytes: Uint8Array<ArrayBuffer> | undefined,
  length: number,
  what: string,
): Uint8Array<ArrayBuffer> {
  if (bytes?.byteLength === length) return bytes;
  throw unusable(`has no ${what} of ${length} bytes`);
}

function unusable(why: string, cause?: unknown): ReadaheadError {
  return new ReadaheadError("unsupported", `The object's key record ${why}`, { cause });
}
