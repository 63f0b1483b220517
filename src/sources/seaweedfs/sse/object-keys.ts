/**
 * The keys of one open object: everything is checked when it is opened, before a byte could be served; what chunks need
 * later is derived without a request where the store allows it.
 */

import { decodeBase64 } from "../../../encoding/base64.ts";
import { encodeHex } from "../../../encoding/hex.ts";
import { ReadaheadError } from "../../../errors.ts";
import type { ClientKeys } from "../../source.ts";
import type { Chunk } from "../chunk.ts";
import { importStreamKey, type StreamCipher } from "../ctr.ts";
import { type Entry, extendedBytes, extendedText } from "../entry.ts";
import type { ClusterContext } from "../request.ts";
import type { SecretKey } from "../secret-key.ts";
import { SharedAsks } from "../shared-asks.ts";
import { verifyCommitment } from "./commitment.ts";
import { type CustomerKey, checkCustomerKey } from "./customer-key.ts";
import {
  customerIvName,
  customerMd5Name,
  encryptionOf,
  kmsRecordName,
  s3RecordName,
} from "./encryption.ts";
import { unwrapDataKey } from "./kek.ts";
import type { Kms } from "./kms.ts";
import { parseCustomerRecord, parseKmsRecord, parseS3Record } from "./record.ts";

/** What opens keys; one per mount. */
export interface KeySources {
  kek(context: ClusterContext): Promise<SecretKey>;
  readonly kms: Kms;
  /** Refuse records without a key commitment. */
  readonly requireCommitment: boolean;
}

export class ObjectKeys {
  readonly #entry: Entry;
  readonly #sources: KeySources;
  readonly #byEntry: boolean;
  readonly #customer: CustomerKey | undefined;
  readonly #kmsAsks = new SharedAsks<Uint8Array<ArrayBuffer>>();
  readonly #imported = new Map<string, Promise<SecretKey>>();

  private constructor(
    entry: Entry,
    sources: KeySources,
    byEntry: boolean,
    customer: CustomerKey | undefined,
  ) {
    this.#entry = entry;
    this.#sources = sources;
    this.#byEntry = byEntry;
    this.#customer = customer;
  }

  /**
   * Checks that the object can be decrypted: the client's key, the mount's secrets, the first chunk's record.
   *
   * @returns `undefined` for an object without server-side encryption
   * @throws ReadaheadError `key-missing`, `key-wrong`, `unsupported`
   */
  static async open(
    entry: Entry,
    clientKeys: ClientKeys | undefined,
    sources: KeySources,
    context: ClusterContext,
  ): Promise<ObjectKeys | undefined> {
    const { type, byEntry } = encryptionOf(entry);
    if (type === "none") return undefined;
    const sealed = entry.chunks.find((chunk) => chunk.sse !== "none");
    const customer =
      type === "sse-c" || entry.chunks.some((chunk) => chunk.sse === "sse-c")
        ? checkCustomerKey(clientKeys, extendedText(entry, customerMd5Name))
        : undefined;
    const keys = new ObjectKeys(entry, sources, byEntry, customer);
    if (sealed !== undefined) await keys.cipher(sealed, 0, context);
    else if (byEntry && (entry.chunks.length > 0 || entry.content !== undefined))
      await keys.#entryCipher(type, 0, context);
    return keys;
  }

  /**
   * What decrypts a chunk from its byte `at` on; `undefined` for a chunk that is not encrypted.
   */
  async cipher(
    chunk: Chunk,
    at: number,
    context: ClusterContext,
  ): Promise<StreamCipher | undefined> {
    if (chunk.sse === "none") {
      if (!this.#byEntry) return undefined;
      return this.#entryCipher(encryptionOf(this.#entry).type, chunk.offset + at, context);
    }
    if (chunk.sseMetadata === undefined)
      return this.#entryCipher(chunk.sse, chunk.offset + at, context);
    switch (chunk.sse) {
      case "sse-c": {
        const record = parseCustomerRecord(chunk.sseMetadata);
        return this.#customerCipher(record.iv, record.keyMd5, record.partOffset + at);
      }
      case "sse-s3":
        return this.#s3Cipher(chunk.sseMetadata, undefined, at, context);
      case "sse-kms":
        return this.#kmsCipher(chunk.sseMetadata, at, context);
    }
  }

  /** What decrypts bytes stored with the entry itself. */
  async contentCipher(context: ClusterContext): Promise<StreamCipher | undefined> {
    const { type, byEntry } = encryptionOf(this.#entry);
    return byEntry ? this.#entryCipher(type, 0, context) : undefined;
  }

  /** The whole object as one stream under the entry's own record. */
  async #entryCipher(
    type: ReturnType<typeof encryptionOf>["type"],
    position: number,
    context: ClusterContext,
  ): Promise<StreamCipher> {
    const entry = this.#entry;
    if (type === "sse-c") {
      const iv = entryIv(extendedBytes(entry, customerIvName));
      if (iv === undefined) throw noRecord();
      return this.#customerCipher(iv, extendedText(entry, customerMd5Name) ?? "", position);
    }
    if (type === "sse-kms") {
      const record = extendedText(entry, kmsRecordName);
      if (record === undefined) throw noRecord();
      return this.#kmsCipher(record, position, context);
    }
    const record = extendedText(entry, s3RecordName);
    if (record === undefined) throw noRecord();
    const first = entry.chunks.find((chunk) => chunk.sseMetadata !== undefined)?.sseMetadata;
    const firstIv = first === undefined ? undefined : parseS3Record(first).iv;
    return this.#s3Cipher(record, firstIv, position, context);
  }

  async #customerCipher(
    iv: Uint8Array<ArrayBuffer>,
    keyMd5: string,
    position: number,
  ): Promise<StreamCipher> {
    const customer = this.#customer;
    if (customer === undefined)
      throw new ReadaheadError("key-missing", "The object is encrypted with a client's key");
    if (keyMd5 !== "" && keyMd5 !== customer.md5)
      throw new ReadaheadError("key-wrong", "The client's key is not the one of this object");
    return { key: await this.#import(customer.key), iv, position };
  }

  async #s3Cipher(
    text: string,
    otherIv: Uint8Array<ArrayBuffer> | undefined,
    position: number,
    context: ClusterContext,
  ): Promise<StreamCipher> {
    const record = parseS3Record(text);
    const iv = record.iv ?? otherIv;
    if (iv === undefined) throw noRecord();
    const kek = await this.#sources.kek(context);
    const key = await unwrapDataKey(kek, record.nonce, record.encryptedKey);
    const { requireCommitment } = this.#sources;
    await verifyCommitment(key, record.iv ?? iv, "AES256", record.commitment, requireCommitment);
    return { key: await this.#import(key), iv, position };
  }

  async #kmsCipher(text: string, at: number, context: ClusterContext): Promise<StreamCipher> {
    const record = parseKmsRecord(text);
    const key = await this.#sources.kms.open(record, context, this.#kmsAsks);
    const { requireCommitment } = this.#sources;
    await verifyCommitment(key, record.iv, "aws:kms", record.commitment, requireCommitment);
    return { key: await this.#import(key), iv: record.iv, position: record.partOffset + at };
  }

  #import(key: Uint8Array<ArrayBuffer>): Promise<SecretKey> {
    const name = encodeHex(key);
    const known = this.#imported.get(name);
    if (known !== undefined) return known;
    const imported = importStreamKey(key);
    imported.then(undefined, () => {});
    this.#imported.set(name, imported);
    return imported;
  }
}

/** Raw bytes, or (old gateways) their base64 text. */
function entryIv(bytes: Uint8Array<ArrayBuffer> | undefined): Uint8Array<ArrayBuffer> | undefined {
  if (bytes === undefined || bytes.byteLength === 16) return bytes;
  const decoded = decodeBase64(new TextDecoder().decode(bytes));
  return decoded?.byteLength === 16 ? decoded : undefined;
}

function noRecord(): ReadaheadError {
  return new ReadaheadError(
    "unsupported",
    "The object says that it is encrypted, and has no record of how",
  );
}
