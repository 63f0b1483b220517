/**
 * What went wrong at an S3 store: its status and error document -> the project's error. The code decides where there is
 * one; a HEAD has none, then the status does.
 */
import { type ErrorKind, ReadaheadError } from "../../errors.ts";
import { parseHttpDate } from "../../readahead/http-date.ts";
import { retryAfterMs, statusError } from "../../readahead/verify.ts";
import { readBoundedText } from "./bounded-text.ts";
import { parseS3Error, type S3ErrorDocument } from "./xml-answer.ts";

/** Error documents are a few hundred bytes; what is longer is some proxy's page. */
const documentBytes = 16 * 1024;
/** They come with the headers. Waiting longer than this delays the retry, which the status alone can decide. */
const documentMs = 3000;

const kinds: Readonly<Record<string, ErrorKind>> = {
  NoSuchKey: "not-found",
  NoSuchVersion: "not-found",
  NoSuchBucket: "not-found",
  NoSuchUpload: "not-found",
  // Keys that the store can have none of: too long, or with segments that it keeps for itself (MinIO).
  InvalidObjectName: "not-found",
  KeyTooLongError: "not-found",
  XMinioInvalidObjectName: "not-found",
  // GET of a delete marker by its version id.
  MethodNotAllowed: "not-found",
  AccessDenied: "denied",
  AccountProblem: "denied",
  AllAccessDisabled: "denied",
  ExpiredToken: "denied",
  InvalidAccessKeyId: "denied",
  InvalidSecurity: "denied",
  InvalidToken: "denied",
  RequestTimeTooSkewed: "denied",
  SignatureDoesNotMatch: "denied",
  TokenRefreshRequired: "denied",
  Unauthorized: "denied",
  BandwidthLimitExceeded: "throttled",
  RequestLimitExceeded: "throttled",
  SlowDown: "throttled",
  Throttling: "throttled",
  ThrottlingException: "throttled",
  TooManyRequests: "throttled",
  InternalError: "unavailable",
  OperationAborted: "unavailable",
  RequestTimeout: "unavailable",
  ServiceUnavailable: "unavailable",
  PreconditionFailed: "changed",
  InvalidRange: "unsatisfiable",
  // Archived: somebody has to restore it first.
  InvalidObjectState: "unsupported",
  NotImplemented: "unsupported",
};

/** What was asked, as far as it changes what a refusal means. */
export interface S3FailureContext {
  readonly replica: string;
  readonly region: string;
  /** Whether SSE-C headers went along. */
  readonly keysSent: boolean;
  /** Whether a version was asked for by its id. */
  readonly versionAsked: boolean;
  readonly now: number;
}

/**
 * Reads an error answer to its end, or cancels it, and returns its document. One that breaks or does not come in time is
 * none: the status decides then.
 *
 * @throws the signal's reason when aborted, and nothing else
 */
export async function readS3Error(
  response: Response,
  signal: AbortSignal,
): Promise<S3ErrorDocument | undefined> {
  if (response.body === null) return undefined;
  try {
    const bounds = { limitBytes: documentBytes, deadlineMs: documentMs, signal };
    const text = await readBoundedText(response.body, bounds);
    return text === undefined ? undefined : parseS3Error(text);
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Clocks further apart than this make a bare 403 look like a matter of time: the limit is 15 minutes, less a doubt. */
const suspiciousSkewMs = 14 * 60 * 1000;

/** When the store says our clock is wrong: its time in ms. `undefined`: the clock is not the trouble. */
export function storeTime(
  response: Response,
  document: S3ErrorDocument | undefined,
  now: number,
): number | undefined {
  const time = parseHttpDate(response.headers.get("date"));
  if (document !== undefined) {
    const named = document.code === "RequestTimeTooSkewed" || document.code === "RequestExpired";
    return named ? time : undefined;
  }
  // A HEAD has no document to say why.
  const off = time === undefined ? 0 : Math.abs(time - now);
  return response.status === 403 && off > suspiciousSkewMs ? time : undefined;
}

/** The error for an answer without object bytes. Names neither host nor key; the store's words stay out of it. */
export function s3Failure(
  response: Response,
  document: S3ErrorDocument | undefined,
  context: S3FailureContext,
): ReadaheadError {
  const { status, headers } = response;
  const wrongRegion = document?.region ?? headers.get("x-amz-bucket-region") ?? undefined;
  const code = document?.code;
  if (
    wrongRegion !== undefined &&
    wrongRegion !== context.region &&
    (status === 301 || status === 307 || code === "AuthorizationHeaderMalformed")
  )
    return error(
      "config",
      /^[a-z0-9-]{1,32}$/.test(wrongRegion)
        ? `Bucket is in region ${wrongRegion}, the mount says ${context.region}`
        : `Bucket is in another region than ${context.region}, which the mount says`,
    );
  if (status === 301 || status === 307)
    return error(
      "config",
      "Store sends this bucket's requests elsewhere: the endpoint is another one",
    );
  if (isNoVersion(response, document, context)) return error("not-found", "No such version");
  const encrypted = encryptionKind(status, document, context.keysSent);
  if (encrypted === "key-missing")
    return error(
      encrypted,
      context.keysSent
        ? "Object takes no client's key (SSE-C), or not this one"
        : "Object is encrypted with a client's key (SSE-C)",
    );
  if (encrypted === "key-wrong")
    return error(encrypted, "The client's key (SSE-C) does not open the object");
  const byStatus = statusError(response, context);
  return code === undefined
    ? byStatus
    : error(kinds[code] ?? byStatus.kind, `Store answered ${status} ${code}`);

  function error(as: ErrorKind, message: string): ReadaheadError {
    return new ReadaheadError(as, message, {
      status,
      replica: context.replica,
      size: document?.actualObjectSize,
      retryAfterMs:
        as === "throttled" || as === "unavailable" ? retryAfterMs(headers, context.now) : undefined,
    });
  }
}

/** An id that no version can have is an invalid argument; a delete marker by its id is 405, to HEAD without a document. */
function isNoVersion(
  { status }: Response,
  document: S3ErrorDocument | undefined,
  { versionAsked }: S3FailureContext,
): boolean {
  if (status === 405 && document === undefined) return versionAsked;
  return versionAsked && document?.code === "InvalidArgument" && !speaksOfKeys(document);
}

function speaksOfKeys(document: S3ErrorDocument | undefined): boolean {
  return /encryption|customer|\bsse\b/i.test(document?.message ?? "");
}

/**
 * SSE-C refusals have no codes of their own: 400 where a key is missing or malformed, 403 where it is another one. An
 * InvalidRequest can be anything (an old signature version, say), and only its message tells. AWS's: "The object was
 * stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object."
 */
function encryptionKind(
  status: number,
  document: S3ErrorDocument | undefined,
  keysSent: boolean,
): "key-missing" | "key-wrong" | undefined {
  const code = document?.code;
  const ofKeys = speaksOfKeys(document);
  if (code === "InvalidRequest" && !ofKeys) return undefined;
  // As S3 says it of a key for an object that takes none.
  if (keysSent && status === 400 && code === "InvalidRequest") return "key-missing";
  if (keysSent) {
    if (status === 403 && (code === undefined || code === "AccessDenied")) return "key-wrong";
    if (
      status === 400 &&
      (code === undefined || /^Invalid(Argument|EncryptionAlgorithmError)$/.test(code))
    )
      return "key-wrong";
    return undefined;
  }
  // SeaweedFS calls it an InvalidArgument.
  const refused = code === "InvalidRequest" || (code === "InvalidArgument" && ofKeys);
  return status === 400 && refused ? "key-missing" : undefined;
}
