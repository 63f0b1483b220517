/**
 * Data keys of SSE-KMS, opened by the service that sealed them. Which one is told by the stored envelope, never by
 * configuration (SeaweedFS itself ignores its per-bucket providers).
 *
 * Readable: AWS KMS, OpenBao and Vault transit. Refused: the local provider (its master keys live in the gateway's
 * process alone), GCP and Azure (4.44 stores their blobs damaged).
 */
import { decodeBase64 } from "../../../encoding/base64.ts";
import { ReadaheadError } from "../../../errors.ts";
import { ExpiringMap } from "../../../expiring-map.ts";
import { asFields, type Fields, textField } from "../field.ts";
import type { ClusterContext, SeaweedfsFetch } from "../request.ts";
import { SharedAsks } from "../shared-asks.ts";
import { type AwsKmsOptions, decryptWithAws } from "./kms-aws.ts";
import { decryptWithVault, type VaultOptions } from "./kms-vault.ts";
import type { KmsRecord } from "./record.ts";

/** Access to key management services. */
export interface KmsOptions {
  readonly aws?: AwsKmsOptions | undefined;
  readonly vault?: VaultOptions | undefined;
}

/** Opened keys are kept this long in the isolate: all parts of an object need the same few. */
const keepMs = 5 * 60_000;
const maxKept = 1_000;
const dataKeyBytes = 32;

/** Opens data keys, and keeps those it opened for five minutes. One per mount. */
export class Kms {
  readonly #options: KmsOptions;
  readonly #fetch: SeaweedfsFetch;
  readonly #now: () => number;
  readonly #kept: ExpiringMap<Uint8Array<ArrayBuffer>>;

  constructor(options: KmsOptions, fetch: SeaweedfsFetch, now: () => number) {
    this.#options = options;
    this.#fetch = fetch;
    this.#now = now;
    this.#kept = new ExpiringMap(maxKept, now);
  }

  /**
   * @param asks Those of the open object: its parts ask once for a key that they share
   * @throws ReadaheadError `unsupported` for a provider that nobody outside can use, `key-missing` where the mount has
   * no access, `key-wrong` where the service refuses the key, `denied` where it refuses us
   */
  async open(
    record: KmsRecord,
    context: ClusterContext,
    asks = new SharedAsks<Uint8Array<ArrayBuffer>>(),
  ): Promise<Uint8Array<ArrayBuffer>> {
    const envelope = parseEnvelope(record.encryptedKey);
    const name = JSON.stringify([record.keyId, envelope, record.context]);
    const known = () => this.#kept.get(name);
    return asks.find(name, context, known, async () => {
      const key = await this.#ask(record, envelope, context);
      if (key.byteLength !== dataKeyBytes)
        throw new ReadaheadError(
          "key-wrong",
          "The key service answered with a key of another size",
        );
      this.#kept.set(name, key, this.#now() + keepMs);
      return key;
    });
  }

  #ask(
    record: KmsRecord,
    envelope: Fields,
    context: ClusterContext,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const provider = textField(envelope, "provider");
    const sealed = {
      keyId: record.keyId,
      wrappingKeyId: textField(envelope, "key_id") || record.keyId,
      ciphertext: textField(envelope, "ciphertext"),
      context: record.context,
    };
    if (provider === "aws") {
      if (this.#options.aws === undefined) throw noAccess("AWS KMS");
      return decryptWithAws(this.#options.aws, sealed, this.#fetch, context);
    }
    if (provider === "openbao" || provider === "vault") {
      if (this.#options.vault === undefined) throw noAccess("OpenBao or Vault");
      return decryptWithVault(this.#options.vault, sealed, this.#fetch, context);
    }
    const shown = provider === "" && "keyId" in envelope ? "local" : provider || "unknown";
    throw new ReadaheadError(
      "unsupported",
      `Objects encrypted with the ${shown.slice(0, 20)} key provider can be read by the store's own gateway only`,
    );
  }
}

function parseEnvelope(blob: Uint8Array): Fields {
  const text = new TextDecoder().decode(blob);
  try {
    return asFields(JSON.parse(text), "data key envelope");
  } catch {
    // Some writers keep the envelope in base64 once more.
    const inner = decodeBase64(text);
    if (inner !== undefined && inner.byteLength < blob.byteLength) return parseEnvelope(inner);
    throw new ReadaheadError("unsupported", "The object's data key is in no known envelope");
  }
}

function noAccess(service: string): ReadaheadError {
  return new ReadaheadError(
    "key-missing",
    `The object is encrypted through ${service}, which the mount has no access to`,
  );
}
