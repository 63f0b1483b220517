/**
 * Any HTTP origin that can range: a ranged GET doubles as the HEAD, later reads are pinned to the version it showed.
 *
 * What it copes with: origins that refuse HEAD (a GET of two bytes tells the facts), that ignore Range (their 200 is the one
 * stream), that name no length, no or weak validators (`facts.unversioned` says why), and that redirect within their
 * host. It does not retry, does not sign, keeps nothing between requests, and follows no redirect to another host.
 *
 * Content-Encoding: every request asks for `identity`, since a range of a body encoded on the fly is not a range of the
 * object. An object that is *stored* encoded (pre-compressed files, S3 metadata) says so all the same; `storedEncoding:
 * "pass"` hands its bytes on as stored. That needs a `fetch` that does not decode by itself: workerd's with
 * `encodeResponseBody: "manual"`; Node's always decodes (undici 8.12), so there it stays a refusal.
 */
import { ReadaheadError } from "../errors.ts";
import { discardBody } from "../readahead/body-reader.ts";
import type { ByteRange } from "../readahead/byte-range.ts";
import type { Ask } from "../readahead/permits.ts";
import type { Checked } from "../readahead/verify.ts";
import {
  compareEncoding,
  contentEncoding,
  isAnswer,
  parseLength,
  statusError,
  verifyAnswer,
} from "../readahead/verify.ts";
import { objectUrl, parseBaseUrl } from "./object-url.ts";
import type { PassHeaders } from "./pass-headers.ts";
import { createPassHeaders } from "./pass-headers.ts";
import { conditionHeaders, pinHeaders, rangeHeader } from "./request-headers.ts";
import type {
  Answer,
  CallContext,
  Facts,
  OpenObject,
  OpenRequest,
  Source,
  StoredPiece,
  Want,
} from "./source.ts";
import type { Address, Fetcher, FetchFunction, Upstream } from "./upstream.ts";
import {
  addressOf,
  bodyOf,
  comesAsStored,
  discard,
  discardOnThrow,
  fetchThrough,
  sendUpstream,
} from "./upstream.ts";
import { versionFacts } from "./version-facts.ts";

export type { Fetcher, FetchFunction, UpstreamInit } from "./upstream.ts";

/** Options of {@link createHttpSource}; all but `url` are optional. Never changed. */
export interface HttpSourceOptions {
  /** Base: the key is appended to its path, its own query is kept. http or https, without a password. */
  readonly url: string | URL;
  /** Binding to fetch through (service, VPC network, mTLS). Default: `fetch`. */
  readonly via?: Fetcher | undefined;
  /** Default: the global `fetch` of the moment. */
  readonly fetch?: FetchFunction | undefined;
  /** Sent with every request (Authorization, say). Never sent to another host. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * Response headers passed on; `x-custom-*` for a prefix. Default: `content-type`, `-disposition`, `-language` and
   * `-encoding`, `cache-control`, `expires`, `age`, `x-amz-meta-*`, `x-robots-tag`.
   */
  readonly passHeaders?: readonly string[] | undefined;
  /** Passes the client's query on to the origin. Default false. */
  readonly query?: boolean | undefined;
  /**
   * What to do about objects without a validator that can pin. `single-stream` (default): one stream, no resume.
   * `trust`: read them in parallel all the same; safe only where objects never change under their name.
   */
  readonly unversioned?: "single-stream" | "trust" | undefined;
  /** Whether an object may come with Content-Encoding. `refuse` (default) calls it a fault. See the file header. */
  readonly storedEncoding?: "refuse" | "pass" | undefined;
}

/** One object as it was opened: where it is now, what it is. */
interface Opened {
  readonly base: Address;
  address: Address;
  readonly facts: Facts;
}

/**
 * Makes a source of an HTTP origin. Sends nothing until something is opened.
 *
 * @throws TypeError for a URL that is not http or https or carries a password or a fragment, for a `via` without a `fetch()`,
 * and for headers that cannot be sent, or passed on
 * @example
 * const source = createHttpSource({ url: "https://origin.example/data/" });
 */
export function createHttpSource(options: HttpSourceOptions): Source {
  return new HttpSource(options);
}

class HttpSource implements Source {
  readonly #base: URL;
  readonly #fetch: FetchFunction;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #pass: PassHeaders;
  readonly #query: boolean;
  readonly #unpinned: "single-stream" | "trust";
  readonly #storedEncoding: boolean;

  constructor(options: HttpSourceOptions) {
    const { via, fetch: own } = options;
    this.#base = parseBaseUrl(options.url);
    this.#fetch = fetchThrough(via, own);
    try {
      this.#headers = Object.fromEntries(new Headers({ ...options.headers }));
    } catch {
      // What the platform throws holds the value: it may be a secret.
      throw new TypeError("A header cannot be sent");
    }
    this.#pass = createPassHeaders(options.passHeaders);
    this.#query = options.query ?? false;
    this.#unpinned = options.unversioned ?? "single-stream";
    this.#storedEncoding = options.storedEncoding === "pass" && comesAsStored(via, own);
  }

  async open(key: string, request: OpenRequest): Promise<OpenObject> {
    // What was not uploaded in parts is one part.
    if ((request.version ?? request.clientKeys) !== undefined || (request.s3PartNumber ?? 1) > 1)
      throw new ReadaheadError("unsupported", "HTTP knows no versions, parts or client keys");
    request.signal.throwIfAborted();
    const query = this.#query ? request.query : undefined;
    const base = addressOf(objectUrl(this.#base, key, request.rawKey, query));
    const { known } = request;
    if (known !== undefined) return this.#object({ base, address: base, facts: known });
    return request.want === "facts"
      ? this.#openFacts(base, request)
      : this.#openRange(base, request.want, request, "open");
  }

  /** HEAD; where that tells too little, two bytes by GET. */
  async #openFacts(base: Address, request: OpenRequest): Promise<OpenObject> {
    const head = await this.#send(base, "HEAD", conditionHeaders(request), request, "facts");
    const { status, headers } = head.response;
    discard(head.response);
    if (status === 304 || status === 412) return this.#verdict(base, head);
    const size = headSize(head.response);
    // Links signed for GET answer HEAD with 403, others refuse it with 400, 404, 405 or 501: the GET has the last word.
    if (status === 429 || (status >= 500 && status !== 501))
      throw statusError(head.response, head.address);
    // Without Accept-Ranges only a ranged GET tells whether later reads can range.
    if (size !== undefined && saysRanges(headers)) {
      compareEncoding(this.#asked(head.address), status, headers);
      const facts = this.#facts(headers, size);
      return this.#object({ base, address: head.address, facts });
    }
    // Two bytes: some servers read an end of 0 as none (sirv), and answer with everything.
    const object = await this.#openRange(base, { start: 0, end: 2 }, request, "facts");
    const { first, ...facts } = object;
    discardBody(first?.body);
    return facts;
  }

  async #openRange(
    base: Address,
    want: Exclude<Want, "facts">,
    request: OpenRequest,
    purpose: "open" | "facts",
  ): Promise<OpenObject> {
    const headers = { range: rangeHeader(want), ...conditionHeaders(request) };
    const answer = await this.#send(base, "GET", headers, request, purpose);
    const asked = { want, ...this.#asked(answer.address) };
    const checked = discardOnThrow(answer.response, () => verifyAnswer(asked, answer.response));
    const suffix = "suffix" in want;
    if (checked.kind === "part") return this.#openPart(base, answer, want, checked, request);
    if (checked.kind === "whole") return this.#openWhole(base, answer, checked.size, suffix);
    if (checked.kind === "judged") return this.#verdict(base, answer);
    discard(answer.response);
    const start = suffix ? 0 : want.start;
    let { size } = checked;
    // A client's 416 has to name the size (RFC 9110 15.5.17): ask for it.
    if (start > 0 && size === undefined)
      ({ size } = (await this.#openFacts(base, { ...request, conditions: undefined })).facts);
    if (start >= (size || 1))
      throw new ReadaheadError("unsatisfiable", "The range starts past the object's end", {
        size,
      });
    // A 416 carries no headers of the object, a plain GET does: of nothing, or of all of an object that cannot range.
    return this.#openPlain(base, request, suffix);
  }

  async #openPart(
    base: Address,
    answer: Upstream,
    want: Exclude<Want, "facts">,
    part: Extract<Checked, { kind: "part" }>,
    request: OpenRequest,
  ): Promise<OpenObject> {
    const { response, address } = answer;
    let { size } = part;
    if (size === undefined) {
      // Content-Range with a star: the plan needs the size, so HEAD is asked before the bytes are used.
      try {
        size = await this.#headSize(answer, request);
      } catch (error) {
        discard(response);
        throw error;
      }
      if (size === undefined || !isAnswer(want, part.range, size)) {
        discard(response);
        return this.#openPlain(base, request);
      }
    }
    const facts = { ...this.#facts(response.headers, part.size), size };
    return {
      ...this.#object({ base, address, facts }),
      first: { range: part.range, body: bodyOf(response), replica: address.replica },
    };
  }

  /** The size, if the HEAD is of the version that the answer is of. */
  async #headSize({ address, response }: Upstream, request: OpenRequest) {
    const head = await this.#send(address, "HEAD", {}, request, "facts");
    discard(head.response);
    const same = (name: string) => head.response.headers.get(name) === response.headers.get(name);
    return same("etag") && same("last-modified") ? headSize(head.response) : undefined;
  }

  /** The origin ignored Range, or cannot say how long the object is: its body is the one stream. */
  #openWhole(
    base: Address,
    answer: Upstream,
    size: number | undefined,
    suffix?: boolean,
  ): OpenObject {
    const { response, address } = answer;
    const { headers } = response;
    const known = this.#facts(headers, size);
    // Some know all ranges but suffixes (Azure): the size is all that was missing.
    const knowsNoSuffix = suffix && size && saysRanges(headers) && !known.unversioned;
    // Nothing to range over: an empty object is an ordinary one.
    if (size === 0 || knowsNoSuffix) {
      discard(response);
      return this.#object({ base, address, facts: known });
    }
    const { pin: _, ...facts } = known;
    const unversioned = facts.unversioned ?? "the origin ignores Range";
    const object = {
      ...this.#object({ base, address, facts: { ...facts, unversioned } }),
      rangeable: false,
    };
    const range: ByteRange = { start: 0, end: size ?? Infinity };
    return { ...object, first: { range, body: bodyOf(response), replica: address.replica } };
  }

  async #openPlain(base: Address, request: OpenRequest, suffix?: boolean): Promise<OpenObject> {
    const answer = await this.#send(base, "GET", conditionHeaders(request), request, "open");
    const { status, headers } = answer.response;
    if (status === 304 || status === 412) return this.#verdict(base, answer);
    discardOnThrow(answer.response, () => {
      if (status !== 200) throw statusError(answer.response, answer.address);
      compareEncoding(this.#asked(answer.address), status, headers);
    });
    return this.#openWhole(base, answer, parseLength(headers.get("content-length")), suffix);
  }

  /** Of a 304 or 412, whose body is ended. */
  #verdict(base: Address, { response, address }: Upstream): OpenObject {
    discard(response);
    const facts = this.#facts(response.headers);
    const verdict = response.status === 304 ? "not-modified" : "precondition-failed";
    return { ...this.#object({ base, address, facts }), verdict };
  }

  #object(opened: Opened): OpenObject {
    let redirected = false;
    return {
      facts: opened.facts,
      read: (_piece: StoredPiece, range, request) => this.#read(opened, range, request),
      // Where a redirect led may have expired; the way there starts again at the object's own URL.
      refresh: async () => {
        // Of several parts that find it so, the first starts it.
        redirected ||= opened.address.href !== opened.base.href;
        opened.address = opened.base;
        return redirected;
      },
    };
  }

  async #read(opened: Opened, range: ByteRange, context: CallContext): Promise<Answer> {
    context.signal.throwIfAborted();
    const headers = { range: rangeHeader(range), ...pinHeaders(opened.facts) };
    const { address } = opened;
    const answer = await this.#send(address, "GET", headers, context, "read");
    const { replica } = answer.address;
    discardOnThrow(answer.response, () =>
      verifyAnswer({ want: range, known: opened.facts, replica }, answer.response),
    );
    // Unless it was found expired meanwhile.
    if (opened.address === address) opened.address = answer.address;
    return { body: bodyOf(answer.response), replica };
  }

  #facts(headers: Headers, size?: number): Facts {
    // Whatever the list says: encoded bytes without the word for it are wrong bytes.
    const encoding = this.#storedEncoding ? contentEncoding(headers) : undefined;
    return {
      size,
      ...versionFacts(headers, size, this.#unpinned, Date.now()),
      headers: {
        ...this.#pass.pick(headers),
        ...(encoding && { "content-encoding": encoding }),
      },
    };
  }

  /** What holds of every question when opening. */
  #asked({ replica }: Address) {
    return { storedEncoding: this.#storedEncoding, replica };
  }

  #send(
    address: Address,
    method: "GET" | "HEAD",
    headers: Record<string, string>,
    context: CallContext,
    purpose: Ask["purpose"],
  ): Promise<Upstream> {
    return sendUpstream(this.#fetch, {
      address,
      method,
      headers: { ...this.#headers, "accept-encoding": "identity", ...headers },
      purpose,
      permits: context.permits,
    });
  }
}

/** The size by a HEAD. A 0 says nothing: origins send it that do not know the length before they make the body. */
function headSize({ status, headers }: Response): number | undefined {
  return (status === 200 && parseLength(headers.get("content-length"))) || undefined;
}

function saysRanges(headers: Headers): boolean {
  return /^bytes$/i.test(headers.get("accept-ranges") ?? "");
}
