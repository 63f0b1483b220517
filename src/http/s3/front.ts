/**
 * The S3 endpoint in front of mounts with `protocol = "s3"`: routing, signatures, error documents and lists. Objects go
 * the ordinary way (`serve.ts`), so an S3 GetObject has the same window, the same checks and the same record.
 *
 * Order of a request: form of the signature, clock, key, signature; then what is asked; then whether this key may. No
 * store is asked anything before all of that. What it deliberately does not do: write, accept session tokens, or speak
 * of buckets that the sender may not see (a wrong bucket is told from a forbidden one only to those who signed).
 */
import { ReadaheadError } from "../../errors.ts";
import { resolveLimits } from "../../readahead/limits.ts";
import type { ListPage } from "../../sources/source.ts";
import { clientAcceptEncoding } from "../accept-encoding.ts";
import { optionsResponse } from "../cors.ts";
import type { Exchange } from "../exchange.ts";
import { listKeys } from "../list-keys.ts";
import type { Claim, Front, Mount } from "../mount.ts";
import { type Refusal, reasonOf, refusalHeaders, refusalOf } from "../problem.ts";
import { clientGone, serveObject } from "../serve.ts";
import { Authenticator, type Identity, type SignedParts } from "./authenticate.ts";
import { formatBuckets, readBucketsQuestion } from "./buckets.ts";
import { hostId, S3Refusal, s3ErrorResponse, s3Statuses } from "./error.ts";
import { formatListing, formatLocation, type ListQuestion, readListQuestion } from "./listing.ts";
import { findTarget, type S3FrontMount } from "./mount.ts";
import { type ObjectRequest, readObjectRequest } from "./object-request.ts";
import { readOperation, type S3Operation } from "./operation.ts";
import { quoteTags } from "./quote-tags.ts";

/** A bucket and the mount that its objects are read through. */
export interface S3Bucket extends S3FrontMount {
  readonly mount: Mount;
}

/** Options of {@link createS3Front}. Never changed. */
export interface S3FrontOptions {
  /** Their names are distinct; an access key may stand at several, always with the same secret. */
  readonly buckets: readonly S3Bucket[];
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/**
 * Makes the front. Keeps derived signing keys, nothing of a request.
 *
 * @throws TypeError when one access key is given two secrets
 * @throws RangeError for a mount's limit that cannot be, and for a bucket's name that another has
 */
export function createS3Front(options: S3FrontOptions): Front {
  return new S3Front(options);
}

class S3Front implements Front {
  readonly prefixes: readonly string[];
  readonly #buckets: readonly S3Bucket[];
  readonly #authenticator: Authenticator;

  constructor(options: S3FrontOptions) {
    for (const { mount } of options.buckets) resolveLimits(mount.limits);
    this.#buckets = options.buckets;
    this.prefixes = options.buckets.map(prefixOfBucket);
    if (new Set(this.prefixes).size < this.prefixes.length)
      throw new RangeError("Two buckets have the same name");
    this.#authenticator = new Authenticator(options.buckets, options.now);
  }

  claim(request: Request, url: URL, prefixOf: PrefixOf): Claim | undefined {
    const host = hostOf(request, url);
    const target = findTarget(this.#buckets, host, url.pathname);
    // Before any other mount, too: what it would answer with is not what was asked for either.
    const signed = looksSigned(request, url);
    if (target.ambiguous && signed)
      return { answer: (id: string) => this.#answerAmbiguous({ id, request, url }, host) };
    const named = target.mount;
    // A signed request below a plain mount is that mount's, not one for an unknown bucket.
    const prefix = prefixOf(url.pathname);
    const elsewhere = prefix !== undefined && !this.prefixes.includes(prefix);
    // A host's first label counts only where no path does, and for nobody who did not sign: the Worker's own host may
    // begin with a bucket's name.
    const counts = target.by !== "label" || (signed && !elsewhere);
    // Whichever way the bucket was named, and however the path is spelled: the longest prefix wins, as among plain mounts.
    const inPath = named && prefixOfBucket(named);
    if (named && counts && prefixOf(`${inPath}${target.rawKey}`) === inPath) {
      return {
        mount: named.mount,
        rawKey: target.rawKey,
        answer: (exchange) => this.#answer(exchange, named, host),
      };
    }
    if (target.by !== "host" && (elsewhere || !signed)) return undefined;
    return { answer: (id: string) => this.#answerService({ id, request, url }, host) };
  }

  async #answer(exchange: Exchange, bucket: S3Bucket, host: string): Promise<Response> {
    const { request, url } = exchange;
    // A browser asks before it signs (CORS); S3 answers that without a signature, too.
    if (request.method === "OPTIONS")
      return optionsResponse(bucket.mount.cors, request, (name) => clientHeader.test(name));
    try {
      const identity = await this.#authenticator.identify(partsOf(exchange, host));
      const level = exchange.rawKey === "" ? "bucket" : "object";
      this.#refuseStrangers(identity, bucket, level);
      const operation = readOperation(request.method, level, url.searchParams);
      return operation.kind === "object"
        ? await this.#object(exchange, bucket, identity, operation.method)
        : await this.#bucket(exchange, bucket, identity, operation);
    } catch (error) {
      if (exchange.clientLeft) return clientGone();
      const told = exchange.rawKey === "" && isMissing(error) ? noSuchBucket() : error;
      exchange.noteRefusal(told);
      return refused(told, exchange);
    }
  }

  /** `/`, and buckets that are not mounted. */
  async #answerService(asked: Asked, host: string): Promise<Response> {
    const { request, url } = asked;
    try {
      const identity = await this.#authenticator.identify(partsOf(asked, host));
      if (identity.kind === "anonymous") throw denied();
      if (url.pathname !== "/") throw noSuchBucket();
      readOperation(request.method, "service", url.searchParams);
      const question = readBucketsQuestion(url.searchParams);
      const seen = this.#authenticator.buckets(identity);
      const buckets = this.#buckets
        .filter(({ bucket }) => seen.includes(bucket))
        .map((bucket) => ({ name: bucket.bucket, region: regionOf(bucket) }));
      return xml(formatBuckets(question, buckets), asked);
    } catch (error) {
      return refused(error, asked);
    }
  }

  /** Refuses rather than guess; only who may read something here is told why. */
  async #answerAmbiguous(asked: Asked, host: string): Promise<Response> {
    try {
      await this.#authenticator.identify(partsOf(asked, host));
      throw new S3Refusal(
        "InvalidRequest",
        "Host and path begin with the names of two buckets. Give the mount of the one in the host the setting hosts: those are addressed in virtual host style, all others by path.",
      );
    } catch (error) {
      return refused(error, asked);
    }
  }

  /** Before anything of the request is looked at: whoever may nothing learns nothing. */
  #refuseStrangers(identity: Identity, bucket: S3Bucket, level: "bucket" | "object"): void {
    const open =
      level === "object"
        ? bucket.access === "public"
        : bucket.access === "public" || bucket.listAccess === "public";
    if (!open && !this.#authenticator.buckets(identity).includes(bucket.bucket)) throw denied();
  }

  async #object(
    exchange: Exchange,
    bucket: S3Bucket,
    identity: Identity,
    method: "GET" | "HEAD",
  ): Promise<Response> {
    const { request, url, key } = exchange;
    if (key === undefined || key === "")
      throw new S3Refusal("InvalidURI", "Couldn't parse the specified URI.");
    if (!this.#authenticator.mayRead(identity, bucket, key)) throw denied();
    const asked = readObjectRequest(url.searchParams, request.headers, identity.kind === "key");
    // Who opens a bucket to strangers means what lies there now: what was replaced or deleted takes a word more.
    const versions =
      bucket.mount.versions ?? this.#authenticator.granted(identity, bucket.bucket, key);
    if (asked.version !== undefined && !versions)
      throw new S3Refusal("NotImplemented", "This bucket does not serve versions by their id.");
    return serveObject(
      exchange,
      {
        method,
        rangedHead: true,
        headers: quoteTags(request.headers),
        key,
        rawKey: exchange.rawKey,
        version: asked.version,
        s3PartNumber: asked.s3PartNumber,
        clientKeys: asked.clientKeys,
        checksums: asked.checksums,
        overrides: asked.overrides,
      },
      {
        refuse: (refusal) => refusedRead(refusal, exchange, key, asked),
        decorate: (headers, facts, decision) => {
          addIds(headers, exchange.id);
          if (facts.versionId !== undefined) headers.set("x-amz-version-id", facts.versionId);
          if (facts.s3PartCount !== undefined && asked.s3PartNumber !== undefined)
            headers.set("x-amz-mp-parts-count", String(facts.s3PartCount));
          // A checksum is of the whole object: beside a part of it, SDKs would find it wrong.
          if (!asked.checksums || decision.kind !== "whole") dropChecksums(headers);
        },
      },
    );
  }

  async #bucket(
    exchange: Exchange,
    bucket: S3Bucket,
    identity: Identity,
    operation: Exclude<S3Operation, { kind: "object" }>,
  ): Promise<Response> {
    const region = regionOf(bucket);
    switch (operation.kind) {
      case "list-buckets":
      case "head-bucket": {
        const headers = new Headers({ "x-amz-bucket-region": region });
        addIds(headers, exchange.id);
        return new Response(null, { status: 200, headers });
      }
      case "location":
        return xml(formatLocation(region), exchange);
      case "list": {
        const question = readListQuestion(operation.version, exchange.url.searchParams);
        if (!this.#authenticator.mayList(identity, bucket, question.prefix)) throw denied();
        const page = await listPage(exchange, question);
        return xml(formatListing(bucket.bucket, question, page), exchange);
      }
      default:
        return operation satisfies never;
    }
  }
}

type PrefixOf = Parameters<Front["claim"]>[2];

function prefixOfBucket({ bucket }: S3Bucket): string {
  return `/${bucket}/`;
}

/** The bucket's location. */
function regionOf(bucket: S3Bucket): string {
  return bucket.regions[0] ?? "us-east-1";
}

async function listPage(exchange: Exchange, question: ListQuestion): Promise<ListPage> {
  const { source } = exchange.mount;
  const { after, maxKeys: limit, delimiter } = question;
  const nothing = limit === 0 && source.list !== undefined;
  const page = nothing
    ? { entries: [], prefixes: [] }
    : await listKeys(source, question.prefix, { after, limit, delimiter }, exchange.download());
  if (page === undefined)
    throw new S3Refusal("NotImplemented", "The store behind this bucket cannot list its keys.");
  return page;
}

/** What SDKs send beside ranges and conditions: the signature, and what it signs. */
const clientHeader = /^(?:authorization|(?:x-amz|amz-sdk)-[a-z0-9-]+)$/;

/** Whether a request is meant for an S3 endpoint, by the marks of a signature of any version. */
function looksSigned(request: Request, url: URL): boolean {
  const header = request.headers.get("authorization") ?? "";
  if (/^AWS(4-|\s)/.test(header)) return true;
  return url.searchParams.has("X-Amz-Algorithm") || url.searchParams.has("AWSAccessKeyId");
}

/** One request, whether it reached a mount or not: an exchange is one. */
type Asked = Pick<Exchange, "id" | "request" | "url">;

function hostOf(request: Request, url: URL): string {
  return request.headers.get("host") ?? url.host;
}

function partsOf({ request, url }: Asked, host: string): SignedParts {
  return {
    method: request.method,
    rawPath: url.pathname,
    rawQuery: url.search.slice(1),
    query: url.searchParams,
    headers: request.headers,
    host,
    clientAcceptEncoding: clientAcceptEncoding(request) ?? undefined,
  };
}

function denied(): S3Refusal {
  return new S3Refusal("AccessDenied", "Access Denied");
}

function addIds(headers: Headers, id: string): void {
  headers.set("x-amz-request-id", id);
  headers.set("x-amz-id-2", hostId(id));
}

function dropChecksums(headers: Headers): void {
  const names = Array.from(headers.keys()).filter((name) => name.startsWith("x-amz-checksum-"));
  for (const name of names) headers.delete(name);
}

function xml(body: string, { id, request }: Asked): Response {
  const headers = new Headers({ "content-type": "application/xml", "cache-control": "no-store" });
  headers.set("x-request-id", id);
  addIds(headers, id);
  return new Response(request.method === "HEAD" ? null : body, { status: 200, headers });
}

/** The front's own refusals keep their code; anything else goes through the project's table. */
function refused(error: unknown, asked: Asked): Response {
  if (!(error instanceof S3Refusal)) return refusedWith(refusalOf(error), asked);
  const { id, request, url } = asked;
  const headers = new Headers({ "cache-control": "no-store", "x-request-id": id });
  if (error.code === "MethodNotAllowed") headers.set("allow", "GET, HEAD, OPTIONS");
  return s3ErrorResponse({
    status: s3Statuses[error.code],
    code: error.code,
    message: error.message,
    details: error.details,
    resource: url.pathname,
    requestId: id,
    headers,
    bodyless: request.method === "HEAD",
  });
}

/** Of a list: the store has no such bucket. A prefix that it has no keys for is another matter (MinIO: 400). */
function isMissing(error: unknown): boolean {
  return error instanceof ReadaheadError && error.kind === "not-found" && error.status === 404;
}

function noSuchBucket(): S3Refusal {
  return new S3Refusal("NoSuchBucket", "The specified bucket does not exist");
}

function refusedRead(
  refusal: Refusal,
  exchange: Exchange,
  key: string,
  asked: ObjectRequest,
): Response {
  exchange.noteRefusal(reasonOf(refusal));
  if (refusal.code === "not-found" && asked.version !== undefined) {
    const details = { Key: key, VersionId: asked.version };
    return refusedWith({ ...refusal, s3Code: "NoSuchVersion" }, exchange, details);
  }
  if (refusal.code === "not-found") return refusedWith(refusal, exchange, { Key: key });
  // Archived: SDKs know this code, and tools say what to do.
  const { error } = refusal;
  if (error instanceof ReadaheadError && error.kind === "unsupported" && error.status === 403)
    return refusedWith({ ...refusal, status: 403, s3Code: "InvalidObjectState" }, exchange);
  if (refusal.code === "unsatisfiable") {
    const range = exchange.request.headers.get("range");
    if (asked.s3PartNumber !== undefined)
      return refusedWith({ ...refusal, s3Code: "InvalidPartNumber" }, exchange);
    return refusedWith(refusal, exchange, {
      ...(range !== null && { RangeRequested: range }),
      ...(refusal.size !== undefined && { ActualObjectSize: String(refusal.size) }),
    });
  }
  return refusedWith(refusal, exchange);
}

function refusedWith(
  refusal: Refusal,
  { id, request, url }: Asked,
  details?: Readonly<Record<string, string>>,
): Response {
  return s3ErrorResponse({
    status: refusal.status,
    code: refusal.s3Code,
    message: refusal.detail,
    details,
    resource: url.pathname,
    requestId: id,
    headers: refusalHeaders(refusal, id),
    bodyless: request.method === "HEAD",
  });
}
