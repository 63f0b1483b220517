/**
 * The key that wraps the data keys of SSE-S3, from whichever secret the mount has: 64 hex digits, any text (HKDF), or
 * the file that the gateway keeps in the filer, plain or wrapped under a passphrase.
 */

import { decodeBase64 } from "../../../encoding/base64.ts";
import { ReadaheadError } from "../../../errors.ts";
import type { SecretKey } from "../secret-key.ts";

/** Secrets for SSE-S3, all optional; asked in this order. */
export interface KekSecrets {
  /** 64 hex digits: `s3.sse.kek` of the cluster. */
  readonly kek?: string | undefined;
  /** Any text: `s3.sse.key` of the cluster. */
  readonly key?: string | undefined;
  /** Opens a wrapped file: `s3.sse.kek.passphrase` of the cluster. */
  readonly passphrase?: string | undefined;
}

/** Where the gateway keeps its key when the cluster configures none. */
export const kekFilePath = "/etc/s3/sse_kek";

const kekBytes = 32;

/**
 * @param readFile Content of {@link kekFilePath}; `undefined` where there is none
 * @throws ReadaheadError `key-missing` where no secret is there, `key-wrong` where one does not fit
 */
export async function loadKek(
  secrets: KekSecrets,
  readFile: () => Promise<Uint8Array | undefined>,
): Promise<SecretKey> {
  if (secrets.kek !== undefined) return importKek(fromHex(secrets.kek.trim(), "sse_kek_secret"));
  if (secrets.key !== undefined)
    return importKek(await derive(bytesOf(secrets.key), new Uint8Array(0), "seaweedfs-sse-s3-kek"));
  const file = await readFile();
  if (file === undefined)
    throw new ReadaheadError(
      "key-missing",
      "The object is encrypted by the store, and the mount has no key for it",
    );
  const text = new TextDecoder().decode(file).trim();
  if (isHexKey(text)) return importKek(fromHex(text, "key file"));
  return importKek(await unwrapFile(text, secrets.passphrase));
}

/** Opens a data key. @throws ReadaheadError `key-wrong` when the wrapping key is another one */
export async function unwrapDataKey(
  kek: SecretKey,
  nonce: Uint8Array<ArrayBuffer>,
  wrapped: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(
      await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce }, kek, wrapped),
    );
  } catch (error) {
    throw new ReadaheadError("key-wrong", "The mount's key does not open the object's data key", {
      cause: error,
    });
  }
}

/** Version 2: "SWv2", salt(32), nonce(12), sealed key; version 1: nonce(12), sealed key, with a fixed salt. */
async function unwrapFile(
  text: string,
  passphrase: string | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  if (passphrase === undefined)
    throw new ReadaheadError("key-missing", "The store's key file is wrapped under a passphrase");
  const blob = decodeBase64(text.replaceAll(/\s/g, ""));
  if (blob === undefined) throw new ReadaheadError("key-wrong", "The store's key file is damaged");
  const version2 = new TextDecoder().decode(blob.subarray(0, 4)) === "SWv2";
  const salt = version2 ? blob.slice(4, 36) : bytesOf("seaweedfs-sse-s3-kek-wrapping-v1");
  const sealed = version2 ? blob.slice(36) : blob;
  const wrapping = await importKek(await derive(bytesOf(passphrase), salt, "kek-wrapping"));
  try {
    return new Uint8Array(
      await crypto.subtle.decrypt(
        { name: "AES-GCM", iv: sealed.slice(0, 12) },
        wrapping,
        sealed.slice(12),
      ),
    );
  } catch (error) {
    throw new ReadaheadError("key-wrong", "The passphrase does not open the store's key file", {
      cause: error,
    });
  }
}

async function derive(
  secret: Uint8Array<ArrayBuffer>,
  salt: Uint8Array<ArrayBuffer>,
  info: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const material = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const parameters = { name: "HKDF", hash: "SHA-256", salt, info: bytesOf(info) };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, material, kekBytes * 8));
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

function importKek(bytes: Uint8Array<ArrayBuffer>): Promise<SecretKey> {
  if (bytes.byteLength !== kekBytes)
    throw new ReadaheadError("key-wrong", "The store's key is not 32 bytes");
  return crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["decrypt"]);
}

/** Whether the text is a key as the cluster's own configuration has it. */
export function isHexKey(text: string): boolean {
  return /^[0-9a-fA-F]{64}$/.test(text.trim());
}

function fromHex(text: string, what: string): Uint8Array<ArrayBuffer> {
  if (!isHexKey(text)) throw new ReadaheadError("config", `The ${what} is not 64 hex digits`);
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
