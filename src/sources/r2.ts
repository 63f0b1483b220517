/**
 * An R2 bucket through its binding: ranged gets pinned by entity tag with `onlyIf`.
 *
 * A get takes no signal. One that is pending when the download ends is disowned: the caller is rejected at once, and the
 * body is cancelled when it arrives. Bodies handed over are the engine's to read or cancel, but for the first: until it is
 * taken up nobody else may know of it (r2/first-answer.ts). It does not retry; R2's own errors are named by r2/errors.ts,
 * and one without a known code is settled by one head().
 *
 * Client conditions travel along, so that a 304 costs no body. R2 does not say which of them failed: then there are
 * facts and no `first`, and the handler, which judges conditions on the facts anyway, knows.
 */
import { ReadaheadError } from "../errors.ts";
import { discardBody } from "../readahead/body-reader.ts";
import type { ByteRange } from "../readahead/byte-range.ts";
import { clientKeyBytes } from "./client-key.ts";
import type {
  R2AnsweredRange,
  R2BucketBinding,
  R2GetRequest,
  R2ObjectHead,
  R2ObjectWithBody,
  R2Stretch,
} from "./r2/binding.ts";
import { hasBody, uploadedAt } from "./r2/binding.ts";
import { call } from "./r2/call.ts";
import { checkClientKey } from "./r2/client-keys.ts";
import { needsHead, r2Replica } from "./r2/errors.ts";
import { firstAnswer } from "./r2/first-answer.ts";
import { r2Headers } from "./r2/headers.ts";
import { listR2 } from "./r2/list.ts";
import { checksumHeaders, onePart } from "./r2/s3.ts";
import type {
  Answer,
  CallContext,
  Facts,
  FirstAnswer,
  OpenObject,
  OpenRequest,
  Source,
  StoredPiece,
  Want,
} from "./source.ts";

export type { R2BucketBinding } from "./r2/binding.ts";

/** Options of {@link createR2Source}. */
export interface R2SourceOptions {
  /** The binding (`env.OBJECTS`). */
  readonly bucket: R2BucketBinding;
}

/**
 * Makes a source of a bucket. Asks nothing until something is opened.
 *
 * @throws TypeError for what is no bucket: a binding of another name is `undefined`
 * @example
 * const source = createR2Source({ bucket: env.OBJECTS });
 */
export function createR2Source(options: R2SourceOptions): Source {
  const { bucket } = options;
  if (typeof bucket?.get !== "function" || typeof bucket.head !== "function")
    throw new TypeError("bucket must be an R2 binding; is it named as in wrangler.toml?");
  return {
    open: (key, request) => openR2(bucket, key, request),
    list: (prefix, request) => listR2(bucket, prefix, request),
  };
}

async function openR2(
  bucket: R2BucketBinding,
  key: string,
  request: OpenRequest,
): Promise<OpenObject> {
  if (request.version !== undefined)
    throw new ReadaheadError("unsupported", "R2 bindings do not give versions by their id");
  request.signal.throwIfAborted();
  const ssecKey = request.clientKeys && clientKeyBytes(request.clientKeys).buffer;
  const openObject = (facts: Facts, first?: FirstAnswer): OpenObject => ({
    facts,
    first,
    read: (_piece: StoredPiece, range, context) =>
      readR2(bucket, key, facts, range, context, ssecKey),
  });
  if (request.s3PartNumber !== undefined) {
    const facts = factsOf(await headR2(bucket, key, request), request);
    const s3Part = onePart(facts, request.s3PartNumber);
    return { ...openObject({ ...facts, s3PartCount: 1 }), s3Part };
  }
  if (request.known !== undefined) return openObject(request.known);
  if (request.want === "facts") {
    const object = await headR2(bucket, key, request);
    return openObject(factsOf(object, request));
  }
  const { want } = request;
  const object = await getFirst(bucket, key, want, request, ssecKey);
  try {
    // Between the answer and this turn the client may have left, too.
    request.signal.throwIfAborted();
    checkClientKey(object, request.clientKeys);
  } catch (error) {
    cancelBody(object);
    throw error;
  }
  if (!hasBody(object)) return openObject(factsOf(object, request));
  const range = checkedRange(object, want);
  return openObject(factsOf(object, request), firstAnswer(object.body, range, request.signal));
}

/** The first ranged get; what it throws is settled by head() where only that can tell. */
async function getFirst(
  bucket: R2BucketBinding,
  key: string,
  want: Exclude<Want, "facts">,
  request: OpenRequest,
  ssecKey: ArrayBuffer | undefined,
): Promise<R2ObjectHead | R2ObjectWithBody> {
  const conditions = usableConditions(request.conditions);
  const options: R2GetRequest = {
    range: stretch(want),
    ...(conditions === undefined ? {} : { onlyIf: conditions }),
    ...(ssecKey === undefined ? {} : { ssecKey }),
  };
  try {
    const object = await call(request, "open", () => bucket.get(key, options), cancelBody);
    if (object === null) throw new ReadaheadError("not-found", "There is no such object");
    return object;
  } catch (error) {
    if (!(error instanceof ReadaheadError) || !needsHead(error.cause)) throw error;
    const object = await headR2(bucket, key, request);
    const answerable = "suffix" in want || want.start === 0;
    if (object.size === 0 && answerable) return object;
    const past = !("suffix" in want) && want.start >= object.size;
    if (past || error.kind === "unsatisfiable")
      throw new ReadaheadError("unsatisfiable", "The range starts past the object's end", {
        cause: error.cause,
        replica: r2Replica,
        size: object.size,
      });
    throw error;
  }
}

async function headR2(
  bucket: R2BucketBinding,
  key: string,
  request: OpenRequest,
): Promise<R2ObjectHead> {
  const object = await call(request, "facts", () => bucket.head(key), ignore);
  if (object === null) throw new ReadaheadError("not-found", "There is no such object");
  checkClientKey(object, request.clientKeys);
  return object;
}

async function readR2(
  bucket: R2BucketBinding,
  key: string,
  facts: Facts,
  range: ByteRange,
  context: CallContext,
  ssecKey: ArrayBuffer | undefined,
): Promise<Answer> {
  context.signal.throwIfAborted();
  const etag = facts.pin?.value.replace(/^"|"$/g, "");
  const options: R2GetRequest = {
    range: stretch(range),
    ...(etag === undefined ? {} : { onlyIf: { etagMatches: etag } }),
    ...(ssecKey === undefined ? {} : { ssecKey }),
  };
  const object = await call(context, "read", () => bucket.get(key, options), cancelBody);
  if (object === null) throw new ReadaheadError("not-found", "There is no such object any more");
  const same = object.size === facts.size && (etag === undefined || object.etag === etag);
  if (!hasBody(object) || !same) {
    cancelBody(object);
    throw new ReadaheadError("changed", "The object changed while it was read", {
      replica: r2Replica,
    });
  }
  checkedRange(object, range);
  return { body: object.body, replica: r2Replica };
}

/**
 * The bytes that the body holds, compared with what was asked.
 *
 * @throws ReadaheadError `protocol`, after the body was cancelled
 */
function checkedRange(object: R2ObjectWithBody, want: Exclude<Want, "facts">): ByteRange {
  const { size } = object;
  const actual = resolve(object.range ?? { offset: 0 }, size);
  const asked = resolve(stretch(want), size);
  if (actual.start === asked.start && actual.end === asked.end) return actual;
  cancelBody(object);
  const message = `R2 answered bytes ${actual.start} to ${actual.end} of ${size}, not ${asked.start} to ${asked.end}`;
  throw new ReadaheadError("protocol", message, { replica: r2Replica });
}

function stretch(want: Exclude<Want, "facts">): R2Stretch {
  if ("suffix" in want) return { suffix: want.suffix };
  if (want.end === undefined || want.end === Infinity) return { offset: want.start };
  return { offset: want.start, length: want.end - want.start };
}

function resolve(range: R2AnsweredRange, size: number): ByteRange {
  if (range.suffix !== undefined) return { start: Math.max(0, size - range.suffix), end: size };
  const start = range.offset ?? 0;
  return { start, end: Math.min(size, start + (range.length ?? Infinity)) };
}

function factsOf(object: R2ObjectHead, request: Pick<OpenRequest, "checksums">): Facts {
  return {
    size: object.size,
    etag: object.httpEtag,
    lastModified: uploadedAt(object),
    pin: { by: "etag", value: object.httpEtag },
    headers: {
      ...r2Headers(object),
      ...(request.checksums === true && checksumHeaders(object)),
    },
  };
}

const tagList = /^\s*(\*|(W\/)?"[^"]*"(\s*,\s*(W\/)?"[^"]*")*)\s*$/;

/** The client's conditions that R2 can read: a malformed tag makes it throw, without a code to know it by. */
function usableConditions(conditions: Headers | undefined): Headers | undefined {
  if (conditions === undefined) return undefined;
  const readable = [...conditions].every(([name, value]) =>
    name.endsWith("match") ? tagList.test(value) : !Number.isNaN(Date.parse(value)),
  );
  return readable ? conditions : undefined;
}

function cancelBody(object: R2ObjectHead | R2ObjectWithBody | null): void {
  if (object !== null && hasBody(object)) discardBody(object.body);
}

function ignore(): void {}
