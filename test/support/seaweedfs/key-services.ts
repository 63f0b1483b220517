/**
 * Key services of SSE-KMS, in-process: AWS KMS and the transit engine of a vault. They open what was sealed here, and only
 * under the very encryption context that it was sealed with.
 */
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import type { SeaweedfsFetch, SeaweedfsInit } from "../../../src/sources/seaweedfs/request.ts";

export type KmsProvider = "aws" | "openbao";

/** Options of a source that may use the services; `kmsFetch` counts nothing but what reached them. */
export const kmsAccess = {
  awsKms: { accessKeyId: "AKIA", secretAccessKey: "s", endpoint: "https://kms.example/" },
  vault: { address: "https://vault.example", token: "t" },
} as const;

export const kmsKeyIds: Readonly<Record<KmsProvider, string>> = {
  aws: "arn:aws:kms:eu-west-1:111122223333:key/k1",
  openbao: "transit-key",
};

/** Names that look like numbers: Go sorts them as text, JavaScript's objects do not. */
export const kmsContext: Readonly<Record<string, string>> = {
  "9": "<nine>",
  "10": "ten",
  "aws:s3:arn": "arn:aws:s3:::b/k",
};

const masterKey = createHash("sha256").update("master key").digest();

/** What a gateway stores as `encryptedDataKey`, before base64. */
export function sealDataKey(provider: KmsProvider, dataKey: Buffer): string {
  const nonce = createHash("md5").update(dataKey).digest().subarray(0, 12);
  const cipher = createCipheriv("aes-256-gcm", masterKey, nonce);
  cipher.setAAD(Buffer.from(sortedJson(kmsContext)));
  const sealed = Buffer.concat([
    nonce,
    cipher.update(dataKey),
    cipher.final(),
    cipher.getAuthTag(),
  ]).toString("base64");
  return JSON.stringify({
    provider,
    key_id: kmsKeyIds[provider],
    ciphertext: provider === "aws" ? sealed : `vault:v1:${sealed}`,
    version: 1,
  });
}

export interface KeyServices {
  readonly fetch: SeaweedfsFetch;
  /** URLs asked, in order. */
  readonly asked: readonly string[];
}

export function createKeyServices(): KeyServices {
  const asked: string[] = [];
  return {
    asked,
    fetch: async (url, init) => {
      asked.push(url);
      init.signal.throwIfAborted();
      return url === kmsAccess.awsKms.endpoint ? answerAws(init) : answerVault(url, init);
    },
  };
}

function answerAws({ body = "" }: SeaweedfsInit): Response {
  const { CiphertextBlob, KeyId, EncryptionContext } = JSON.parse(body) as {
    readonly CiphertextBlob: string;
    readonly KeyId: string;
    readonly EncryptionContext?: Readonly<Record<string, string>>;
  };
  const key = open(CiphertextBlob, sortedJson(EncryptionContext ?? {}));
  if (key === undefined || KeyId !== kmsKeyIds.aws)
    return Response.json({ __type: "InvalidCiphertextException" }, { status: 400 });
  return Response.json({ KeyId, Plaintext: key.toString("base64") });
}

function answerVault(url: string, { body = "" }: SeaweedfsInit): Response {
  const { ciphertext, context = "" } = JSON.parse(body) as {
    readonly ciphertext: string;
    readonly context?: string;
  };
  const sealed = ciphertext.replace(/^vault:v1:/, "");
  // A vault derives its key from the bytes of the context: their order counts.
  const key = open(sealed, Buffer.from(context, "base64").toString());
  const known = url === `${kmsAccess.vault.address}/v1/transit/decrypt/${kmsKeyIds.openbao}`;
  if (key === undefined || !known) return Response.json({ errors: ["no"] }, { status: 400 });
  return Response.json({ data: { plaintext: key.toString("base64") } });
}

function open(base64: string, context: string): Buffer | undefined {
  const sealed = Buffer.from(base64, "base64");
  const cipher = createDecipheriv("aes-256-gcm", masterKey, sealed.subarray(0, 12));
  cipher.setAAD(Buffer.from(context));
  cipher.setAuthTag(sealed.subarray(-16));
  try {
    return Buffer.concat([cipher.update(sealed.subarray(12, -16)), cipher.final()]);
  } catch {
    return undefined;
  }
}

/** As Go's encoding/json writes a map. */
function sortedJson(context: Readonly<Record<string, string>>): string {
  const names = Object.keys(context).toSorted((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const pairs = names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(context[name])}`);
  return `{${pairs.join(",")}}`.replaceAll("<", "\\u003c").replaceAll(">", "\\u003e");
}
