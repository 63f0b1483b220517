/**
 * Signature Version 4 with WebCrypto: derives signing keys, and compares signatures in constant time.
 *
 * Derived keys are kept per isolate (bounded), because deriving one costs four HMACs and it holds for a day. Nothing
 * here reads a request; secrets come in as text and leave only as non-extractable keys.
 */
import { decodeHex, encodeHex } from "../../encoding/hex.ts";

const encoder = new TextEncoder();

/** A scope: day, region and service that a signing key is good for. */
export interface SigningScope {
  /** `YYYYMMDD`. */
  readonly day: string;
  readonly region: string;
  readonly service: string;
}

/** Derived keys kept at once; 128 keys of ten clients over two days and a few regions. */
const keptKeys = 128;

/** WebCrypto's key type, under whichever library's name it goes. */
export type SigningKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const hmac = { name: "HMAC", hash: "SHA-256" } as const;

async function importKey(bytes: ArrayBuffer | ArrayBufferView<ArrayBuffer>): Promise<SigningKey> {
  return crypto.subtle.importKey("raw", bytes, hmac, false, ["sign", "verify"]);
}

async function step(
  bytes: ArrayBuffer | ArrayBufferView<ArrayBuffer>,
  text: string,
): Promise<ArrayBuffer> {
  return crypto.subtle.sign("HMAC", await importKey(bytes), encoder.encode(text));
}

/** `AWS4-HMAC-SHA256`, the time, the scope and the hash of the canonical request, as lines. */
export async function stringToSign(
  amzDate: string,
  scope: SigningScope,
  canonical: string,
): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(canonical));
  const scopeText = `${scope.day}/${scope.region}/${scope.service}/aws4_request`;
  return `AWS4-HMAC-SHA256\n${amzDate}\n${scopeText}\n${encodeHex(new Uint8Array(digest))}`;
}

/** A small store of derived keys; one per front. Oldest leave first. */
export class SigningKeys {
  readonly #keys = new Map<string, SigningKey>();

  /** The signing key of a secret for a scope. `owner` names the secret (its access key id) in the store. */
  async get(owner: string, secret: string, scope: SigningScope): Promise<SigningKey> {
    const name = `${scope.day}/${scope.region}/${scope.service}/${owner}`;
    const kept = this.#keys.get(name);
    if (kept !== undefined) return kept;
    const day = await step(new Uint8Array(encoder.encode(`AWS4${secret}`)), scope.day);
    const region = await step(day, scope.region);
    const service = await step(region, scope.service);
    const key = await importKey(await step(service, "aws4_request"));
    this.#keys.set(name, key);
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= keptKeys) break;
      this.#keys.delete(oldest);
    }
    return key;
  }
}

/**
 * Whether a hex signature is the one of the text. WebCrypto compares in constant time, so how much of a wrong
 * signature is right cannot be read off the clock; a malformed one is compared too, against zeros.
 */
export async function verifyText(
  key: SigningKey,
  text: string,
  signature: string,
): Promise<boolean> {
  const bytes = decodeHex(signature);
  const wellFormed = bytes !== undefined && bytes.byteLength === 32;
  const same = await crypto.subtle.verify(
    "HMAC",
    key,
    wellFormed ? bytes : new Uint8Array(32),
    encoder.encode(text),
  );
  return wellFormed && same;
}
