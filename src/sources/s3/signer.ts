/**
 * Signs requests to a store with aws4fetch, and remembers what time the store thinks it is.
 *
 * Only what must be signed is: the host and every `x-amz-*` header. Range, If-Match and Accept-Encoding stay out, so one
 * signature serves every part of an object until it gets old, and survives proxies that touch those headers
 * (https://github.com/mhart/aws4fetch/issues/39). Without credentials requests go out unsigned.
 */
import { AwsV4Signer } from "aws4fetch";
import type { S3Credentials } from "./credentials.ts";

/** A store refuses a signature 15 minutes off its clock; after five a new one is made, which leaves ten for the skew. */
const signatureMs = 5 * 60 * 1000;

/** Headers that carry a signature, good for one URL, method and set of `x-amz-*` headers. */
export interface SignedHeaders {
  readonly headers: Headers;
  /** Of our clock, ms. */
  readonly signedAt: number;
  /** Clock correction in force when it was signed, ms. */
  readonly skewMs: number;
}

/** Signs for one store. Keeps derived keys and the clock's correction; nothing of a request. */
export class S3Signer {
  readonly #credentials: S3Credentials | undefined;
  readonly #region: string;
  readonly #now: () => number;
  readonly #keys = new Map<string, ArrayBuffer>();
  #skewMs = 0;

  constructor(credentials: S3Credentials | undefined, region: string, now: () => number) {
    this.#credentials = credentials;
    this.#region = region;
    this.#now = now;
  }

  /** Whether requests are signed at all. */
  get signs(): boolean {
    return this.#credentials !== undefined;
  }

  /** The time that a signature made now would have, ms since the epoch: the store's, as far as it has told. */
  get time(): number {
    return this.#now() + this.#skewMs;
  }

  /** Whether a signature may still be used. */
  fresh(signed: SignedHeaders): boolean {
    const age = this.#now() - signed.signedAt;
    return signed.skewMs === this.#skewMs && age >= 0 && age < signatureMs;
  }

  /**
   * Takes the store's word for the time.
   *
   * @param storeTime Milliseconds since the epoch, from the Date of an answer that refused our time
   * @returns Whether that moved our clock by a second or more: else signing again changes nothing
   */
  correct(storeTime: number): boolean {
    const skewMs = storeTime - this.#now();
    if (Math.abs(skewMs - this.#skewMs) < 1000) return false;
    this.#skewMs = skewMs;
    return true;
  }

  /** @param amz The `x-amz-*` headers of the request: all of them are signed */
  async sign(
    method: string,
    url: string,
    amz: Readonly<Record<string, string>>,
  ): Promise<SignedHeaders> {
    const signedAt = this.#now();
    const skewMs = this.#skewMs;
    if (this.#credentials === undefined) return { headers: new Headers(amz), signedAt, skewMs };
    const { sessionToken, ...keys } = this.#credentials;
    const credentials = sessionToken === undefined ? keys : { ...keys, sessionToken };
    const signer = new AwsV4Signer({
      method,
      url,
      headers: amz,
      ...credentials,
      service: "s3",
      region: this.#region,
      cache: this.#keys,
      datetime: new Date(signedAt + skewMs).toISOString().replace(/[:-]|\.\d{3}/g, ""),
    });
    const { headers } = await signer.sign();
    // One derived key a day and region; yesterday's would stay for ever.
    if (this.#keys.size > 4) this.#keys.clear();
    return { headers: new Headers(headers), signedAt, skewMs };
  }
}
