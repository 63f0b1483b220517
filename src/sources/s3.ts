/**
 * Any S3-compatible store: ranged GETs under Signature Version 4, each pinned to the version that open() saw.
 *
 * The first ranged GET doubles as the HEAD. Reads carry If-Match and are compared again, because stores have ignored it.
 * One signature serves every part of an object (`s3/signer.ts`); a clock that is wrong by more than the store allows is
 * corrected once, from the Date of the refusal. A part asked for by number becomes a byte range first: `partNumber`
 * together with If-Match is refused by some stores (Ceph: 412), so reads never carry it.
 *
 * What it does not do: write, retry, follow a redirect to another region (the error names the region), or ask for a
 * version id that the client did not name (that takes a permission of its own on AWS).
 */
import { ReadaheadError } from "../errors.ts";
import { discardBody } from "../readahead/body-reader.ts";
import type { ByteRange } from "../readahead/byte-range.ts";
import { parseContentRange } from "../readahead/content-range.ts";
import { compareEncoding, parseLength, verifyAnswer } from "../readahead/verify.ts";
import { conditionHeaders, pinHeaders, rangeHeader } from "./request-headers.ts";
import type { S3Address } from "./s3/address.ts";
import { createS3Address } from "./s3/address.ts";
import { s3Facts } from "./s3/facts.ts";
import { readS3Error } from "./s3/failure.ts";
import { listS3 } from "./s3/list.ts";
import type { S3SourceOptions } from "./s3/options.ts";
import { locateS3Part } from "./s3/part.ts";
import { type S3Answer, S3Sender, type S3Target } from "./s3/sender.ts";
import type {
  Answer,
  CallContext,
  Facts,
  ListPage,
  ListRequest,
  OpenObject,
  OpenRequest,
  Source,
  Want,
} from "./source.ts";
import { bodyOf, comesAsStored, discard, discardOnThrow, fetchThrough } from "./upstream.ts";

export type { S3Credentials } from "./s3/credentials.ts";
export type { S3SourceOptions } from "./s3/options.ts";
export type { Fetcher, FetchFunction, UpstreamInit } from "./upstream.ts";

/**
 * Makes a source of one bucket. Sends nothing until something is opened.
 *
 * @throws TypeError for an endpoint, bucket, binding or credentials that cannot work
 * @example
 * const source = createS3Source({ endpoint: "https://s3.example", bucket: "archive", credentials });
 */
export function createS3Source(options: S3SourceOptions): Source {
  return new S3Source(options);
}

class S3Source implements Source {
  readonly #address: S3Address;
  readonly #sender: S3Sender;
  readonly #amz: Readonly<Record<string, string>>;
  readonly #keyPrefix: string;
  readonly #storedEncoding: boolean;
  readonly #now: () => number;

  constructor(options: S3SourceOptions) {
    const { credentials, via, fetch: own } = options;
    if (credentials !== undefined && (!credentials.accessKeyId || !credentials.secretAccessKey))
      throw new TypeError("credentials need an accessKeyId and a secretAccessKey");
    this.#address = createS3Address(options);
    this.#now = options.now ?? Date.now;
    this.#sender = new S3Sender({
      region: options.region ?? "us-east-1",
      credentials,
      replica: this.#address.replica,
      fetch: fetchThrough(via, own),
      now: this.#now,
    });
    this.#amz = options.requesterPays === true ? { "x-amz-request-payer": "requester" } : {};
    this.#keyPrefix = options.keyPrefix ?? "";
    this.#storedEncoding = comesAsStored(via, own);
  }

  async open(key: string, request: OpenRequest): Promise<OpenObject> {
    request.signal.throwIfAborted();
    const { known, s3PartNumber: part } = request;
    const target = this.#target(key, request);
    if (part !== undefined) return this.#openPart(key, part, target, request);
    if (known !== undefined) return this.#object(target, known);
    // Stores name a checksum beside the whole object alone, and what opens is a range of it.
    return request.want === "facts" || request.checksums === true
      ? this.#openFacts(target, request)
      : this.#openRange(target, request.want, request);
  }

  list(prefix: string, request: ListRequest): Promise<ListPage> {
    return listS3(prefix, request, {
      keyPrefix: this.#keyPrefix,
      send: async (query) => {
        const target: S3Target = {
          url: this.#address.bucket(query),
          amz: this.#amz,
          signed: undefined,
        };
        const answer = await this.#sender.send(target, "GET", {}, request, "list");
        if (answer.response.status !== 200)
          throw await this.#sender.failure(target, answer, request.signal);
        return answer.response;
      },
    });
  }

  #target(
    key: string,
    request: OpenRequest,
    more: readonly (readonly [string, string])[] = [],
  ): S3Target {
    const query = [...more];
    if (request.version !== undefined) query.push(["versionId", request.version]);
    const { clientKeys } = request;
    const amz = {
      ...this.#amz,
      ...(request.checksums === true && { "x-amz-checksum-mode": "ENABLED" }),
      ...(clientKeys !== undefined && {
        "x-amz-server-side-encryption-customer-algorithm": clientKeys.algorithm,
        "x-amz-server-side-encryption-customer-key": clientKeys.key,
        "x-amz-server-side-encryption-customer-key-md5": clientKeys.keyMd5,
      }),
    };
    return {
      url: this.#address.object(key === "" ? "" : this.#keyPrefix + key, query),
      amz,
      signed: undefined,
    };
  }

  async #openFacts(target: S3Target, request: OpenRequest): Promise<OpenObject> {
    const answer = await this.#sender.send(
      target,
      "HEAD",
      conditionHeaders(request),
      request,
      "facts",
    );
    const { response } = answer;
    const { status, headers } = response;
    if (status === 304 || status === 412) return this.#verdict(target, response, request);
    // A HEAD's 400 may mean an encrypted object, a stale token or another region: only a GET says which.
    if (status === 400) return this.#factsByGet(target, request, answer);
    if (status !== 200) throw await this.#sender.failure(target, answer, request.signal);
    discard(response);
    const size = parseLength(headers.get("content-length"));
    if (size === undefined) return this.#factsByGet(target, request, answer);
    compareEncoding(this.#asked, status, headers);
    return this.#object(target, this.#facts(headers, size, request));
  }

  /** For stores behind something that takes the length off a HEAD, and to learn why a HEAD was refused. */
  async #factsByGet(target: S3Target, request: OpenRequest, head: S3Answer): Promise<OpenObject> {
    const { first, ...object } = await this.#openRange(
      target,
      { start: 0, end: 1 },
      request,
      "facts",
      head,
    );
    discardBody(first?.body);
    return object;
  }

  async #openRange(
    target: S3Target,
    want: Exclude<Want, "facts">,
    request: OpenRequest,
    purpose: "open" | "facts" = "open",
    head?: S3Answer,
  ): Promise<OpenObject> {
    const headers = { range: rangeHeader(want), ...conditionHeaders(request) };
    const answer = await this.#sender.send(target, "GET", headers, request, purpose);
    const { response } = answer;
    if (response.status === 416) {
      if (head === undefined) return this.#openPastEnd(target, want, answer, request);
      discard(response);
      return this.#openEmpty(target, head, request);
    }
    if (![200, 206, 304, 412].includes(response.status))
      throw await this.#sender.failure(target, answer, request.signal);
    const checked = discardOnThrow(response, () =>
      verifyAnswer({ want, ...this.#asked }, response),
    );
    switch (checked.kind) {
      case "part": {
        const size = checked.size;
        if (size === undefined) {
          discard(response);
          throw this.#fault("Store names no size in Content-Range");
        }
        const object = this.#object(target, this.#facts(response.headers, size, request));
        return { ...object, first: this.#first(response, checked.range) };
      }
      case "whole":
        return this.#openWhole(target, response, checked.size, request);
      case "judged":
        return this.#verdict(target, response, request);
      case "refused":
        // Those with 416 went elsewhere: this is a 206 of nothing, for the last bytes of an empty object.
        return this.#openWhole(target, response, 0, request);
      default:
        return checked satisfies never;
    }
  }

  /** The store ignored Range: its body is the one stream, without resume. */
  #openWhole(
    target: S3Target,
    response: Response,
    size: number | undefined,
    request: OpenRequest,
  ): OpenObject {
    const { pin: _, ...facts } = this.#facts(response.headers, size, request);
    const unversioned = facts.unversioned ?? "the store ignores Range";
    const object = { ...this.#object(target, { ...facts, unversioned }), rangeable: false };
    if (size === 0) {
      discard(response);
      // Nothing to range over: an empty object is an ordinary one.
      return this.#object(target, this.#facts(response.headers, 0, request));
    }
    return { ...object, first: this.#first(response, { start: 0, end: size ?? Infinity }) };
  }

  /** Nothing of the object can be read, not its first byte: what HEAD said is all that there is to know. */
  async #openEmpty(target: S3Target, head: S3Answer, request: OpenRequest): Promise<OpenObject> {
    const { status, headers } = head.response;
    if (status === 200) return this.#object(target, this.#facts(headers, 0, request));
    if (status === 400 && request.clientKeys === undefined)
      throw new ReadaheadError("key-missing", "Object is encrypted with a client's key (SSE-C)", {
        status,
        replica: this.#address.replica,
      });
    throw await this.#sender.failure(target, head, request.signal);
  }

  /** 416: AWS names the size in the document, others in Content-Range, some nowhere. The headers come by HEAD. */
  async #openPastEnd(
    target: S3Target,
    want: Exclude<Want, "facts">,
    answer: S3Answer,
    request: OpenRequest,
  ): Promise<OpenObject> {
    const { response } = answer;
    const named = parseContentRange(response.headers.get("content-range") ?? "")?.size;
    const document = answer.document ?? (await readS3Error(response, request.signal));
    const size = named ?? document?.actualObjectSize;
    const fromStart = "suffix" in want || want.start === 0;
    if (fromStart || size === undefined) {
      const object = await this.#openFacts(target, { ...request, conditions: undefined });
      if (fromStart && object.facts.size === 0) return object;
      if (fromStart) throw this.#fault("Store refused a range that starts in the object");
      throw this.#unsatisfiable(object.facts.size);
    }
    if (want.start < size) throw this.#fault("Store refused a range that starts in the object");
    throw this.#unsatisfiable(size);
  }

  /** A part asked for by number: its range first, then its bytes by that range. */
  async #openPart(
    key: string,
    part: number,
    target: S3Target,
    request: OpenRequest,
  ): Promise<OpenObject> {
    const asked = this.#target(key, request, [["partNumber", String(part)]]);
    const located = await locateS3Part(part, async (method) => {
      const answer = await this.#sender.send(asked, method, {}, request, "facts");
      const { status } = answer.response;
      // As without a part's number: only a GET says why.
      const unsaid = method === "HEAD" && status === 400;
      if (status !== 200 && status !== 206 && !unsaid)
        throw await this.#sender.failure(asked, answer, request.signal);
      discard(answer.response);
      return answer.response;
    });
    const facts = this.#facts(located.headers, located.size, request);
    return {
      ...this.#object(target, { ...facts, s3PartCount: located.count }),
      s3Part: located.range,
    };
  }

  /** Of a 304 or 412, whose body is ended. */
  #verdict(target: S3Target, response: Response, request: OpenRequest): OpenObject {
    discard(response);
    const facts = this.#facts(response.headers, undefined, request);
    const verdict = response.status === 304 ? "not-modified" : "precondition-failed";
    return { ...this.#object(target, facts), verdict };
  }

  #object(target: S3Target, facts: Facts): OpenObject {
    let reused = false;
    return {
      facts,
      read: (_piece, range, request) => this.#read(target, facts, range, request),
      // A signature can only be the trouble when it was made for an earlier request; of several parts that are refused, the
      // first finds it.
      refresh: async () => {
        reused ||= target.signed !== undefined && this.#now() - target.signed.signedAt > 1000;
        target.signed = undefined;
        return reused;
      },
    };
  }

  async #read(
    target: S3Target,
    facts: Facts,
    range: ByteRange,
    context: CallContext,
  ): Promise<Answer> {
    context.signal.throwIfAborted();
    const headers = { range: rangeHeader(range), ...pinHeaders(facts) };
    const answer = await this.#sender.send(target, "GET", headers, context, "read");
    const { response } = answer;
    const replica = this.#address.replica;
    if (![200, 206, 412, 416].includes(response.status))
      throw await this.#sender.failure(target, answer, context.signal);
    discardOnThrow(response, () => verifyAnswer({ want: range, known: facts, replica }, response));
    return { body: bodyOf(response), replica };
  }

  #first(response: Response, range: ByteRange): Answer & { readonly range: ByteRange } {
    return { range, body: bodyOf(response), replica: this.#address.replica };
  }

  #facts(headers: Headers, size: number | undefined, request: OpenRequest): Facts {
    return s3Facts(headers, size, request.version, this.#now());
  }

  /** What holds of every question when opening. */
  get #asked() {
    return { storedEncoding: this.#storedEncoding, replica: this.#address.replica };
  }

  #fault(message: string): ReadaheadError {
    return new ReadaheadError("protocol", message, { replica: this.#address.replica });
  }

  #unsatisfiable(size: number | undefined): ReadaheadError {
    return new ReadaheadError("unsatisfiable", "The range starts past the object's end", {
      status: 416,
      replica: this.#address.replica,
      size,
    });
  }
}
