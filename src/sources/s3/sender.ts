/**
 * Sends requests to one S3 store: signed, under a permit, and once more where the store finds our clock wrong. Judges no
 * answer but that; the caller owns every body.
 */
import type { ReadaheadError } from "../../errors.ts";
import type { Ask } from "../../readahead/permits.ts";
import type { CallContext } from "../source.ts";
import type { FetchFunction } from "../upstream.ts";
import { sendUpstream } from "../upstream.ts";
import type { S3Credentials } from "./credentials.ts";
import { readS3Error, s3Failure, storeTime } from "./failure.ts";
import { S3Signer, type SignedHeaders } from "./signer.ts";
import type { S3ErrorDocument } from "./xml-answer.ts";

/** One object's address: a URL, the headers that must be signed with it, and the signature in use. */
export interface S3Target {
  readonly url: string;
  readonly amz: Readonly<Record<string, string>>;
  signed: SignedHeaders | undefined;
}

/** An answer and, where it is a refusal that was read already, what it said. */
export interface S3Answer {
  readonly response: Response;
  readonly document?: S3ErrorDocument | undefined;
}

export interface S3SenderOptions {
  readonly region: string;
  readonly credentials: S3Credentials | undefined;
  /** Opaque name for permits and errors. */
  readonly replica: string;
  readonly fetch: FetchFunction;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * A redirect that names the bucket's region is an answer: following it would only meet a signature for another region, or
 * another host. Without its Location nobody follows it.
 */
function keepRegion(response: Response): Response {
  const { status, headers, body } = response;
  const names = headers.has("location") && headers.has("x-amz-bucket-region");
  if (!names || status < 300 || status > 399) return response;
  const kept = new Headers(headers);
  kept.delete("location");
  return new Response(body, { status, headers: kept });
}

export class S3Sender {
  readonly #options: S3SenderOptions;
  readonly #signer: S3Signer;
  readonly #fetch: FetchFunction;

  constructor(options: S3SenderOptions) {
    this.#options = options;
    this.#fetch = async (url, init) => keepRegion(await options.fetch(url, init));
    this.#signer = new S3Signer(options.credentials, options.region, options.now);
  }

  /** Signs (or takes the signature at hand) and sends; a refusal of our clock is corrected and sent once more. */
  async send(
    target: S3Target,
    method: "GET" | "HEAD",
    unsigned: Readonly<Record<string, string>>,
    context: CallContext,
    purpose: Ask["purpose"],
  ): Promise<S3Answer> {
    for (let corrected = false; ; corrected = true) {
      const headers = await this.#signedHeaders(target, method);
      const { response } = await sendUpstream(this.#fetch, {
        // As it was signed; address.ts spells it so that no parser changes it.
        address: { href: target.url, replica: this.#options.replica },
        method,
        headers: { "accept-encoding": "identity", ...headers, ...unsigned },
        purpose,
        permits: context.permits,
      });
      const mayBeTime = response.status === 403 || response.status === 400;
      if (!mayBeTime || !this.#signer.signs) return { response };
      const document = await readS3Error(response, context.signal);
      const time = storeTime(response, document, this.#signer.time);
      if (corrected || time === undefined || !this.#signer.correct(time))
        return { response, document };
    }
  }

  /**
   * The error for an answer without object bytes; reads or ends its body.
   *
   * @throws the signal's reason when aborted
   */
  async failure(target: S3Target, answer: S3Answer, signal: AbortSignal): Promise<ReadaheadError> {
    const { region, replica, now } = this.#options;
    const document = answer.document ?? (await readS3Error(answer.response, signal));
    return s3Failure(answer.response, document, {
      replica,
      region,
      versionAsked: /[?&]versionId=/.test(target.url),
      keysSent: "x-amz-server-side-encryption-customer-key" in target.amz,
      now: now(),
    });
  }

  async #signedHeaders(
    target: S3Target,
    method: "GET" | "HEAD",
  ): Promise<Readonly<Record<string, string>>> {
    // The method is signed too; HEADs are one a download, so theirs is not kept.
    const kept = method === "GET" ? target.signed : undefined;
    const signed =
      kept !== undefined && this.#signer.fresh(kept)
        ? kept
        : await this.#signer.sign(method, target.url, target.amz);
    if (method === "GET") target.signed = signed;
    return Object.fromEntries(signed.headers);
  }
}
