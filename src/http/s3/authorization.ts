/**
 * Reads the claim of a signature out of a request: the Authorization header or the X-Amz query parameters of a
 * presigned URL. Checks its form, refuses by name what is not spoken here (SigV2, SigV4A, session tokens, chunked
 * uploads), and verifies nothing: `authenticate.ts` does.
 */
import { S3Refusal } from "./error.ts";
import type { SigningScope } from "./signing-key.ts";

/** A signature as claimed; every field has the right form, none is believed yet. */
export interface SignatureClaim {
  readonly by: "header" | "query";
  readonly accessKeyId: string;
  readonly scope: SigningScope;
  /** `YYYYMMDDTHHMMSSZ`, as sent. */
  readonly amzDate: string;
  /** The same, milliseconds since the epoch. */
  readonly signedAt: number;
  /** Seconds a presigned URL holds; absent for the header. */
  readonly expiresSeconds?: number;
  /** Lower-case, strictly ascending. */
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly payloadHash: string;
}

const algorithm = "AWS4-HMAC-SHA256";
/** AWS's longest validity of a presigned URL: seven days. */
const longestSeconds = 7 * 24 * 60 * 60;
/** SHA-256 of nothing: what a request without a body hashes to. */
export const emptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

type MalformedCode = "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError";

/** `YYYYMMDDTHHMMSSZ` as milliseconds; `undefined` when it is no such time. */
function parseAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const at = Date.parse(iso);
  // Date.parse takes 31 February for a day in March: the round trip does not.
  return Number.isNaN(at) || new Date(at).toISOString() !== iso ? undefined : at;
}

/**
 * The claim in a request, or `undefined` when it carries none.
 *
 * @throws S3Refusal malformed, contradictory, or of a kind that is not supported
 */
export function readClaim(headers: Headers, query: URLSearchParams): SignatureClaim | undefined {
  refuseOtherKinds(headers, query);
  const header = headers.get("authorization");
  const inQuery = [...query.keys()].some((name) =>
    /^x-amz-(algorithm|credential|signature)$/i.test(name),
  );
  if (header !== null && inQuery)
    throw new S3Refusal(
      "InvalidArgument",
      "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified",
    );
  if (header !== null) return readHeader(header, headers);
  return inQuery ? readQuery(headers, query) : undefined;
}

function refuseOtherKinds(headers: Headers, query: URLSearchParams): void {
  const header = headers.get("authorization") ?? "";
  if (/^AWS\s/i.test(header) || query.has("AWSAccessKeyId"))
    throw new S3Refusal(
      "InvalidRequest",
      "Signature Version 2 is not supported. Please use AWS4-HMAC-SHA256 (Signature Version 4).",
    );
  const asked = query.get("X-Amz-Algorithm") ?? "";
  if (header.startsWith("AWS4-ECDSA") || asked.startsWith("AWS4-ECDSA"))
    throw new S3Refusal(
      "InvalidRequest",
      "Signature Version 4A is not supported. Please use AWS4-HMAC-SHA256.",
    );
  if (
    headers.has("x-amz-security-token") ||
    headers.has("x-amz-s3session-token") ||
    query.has("X-Amz-Security-Token") ||
    query.has("X-Amz-S3session-Token")
  )
    throw new S3Refusal(
      "InvalidToken",
      "Temporary credentials (STS session tokens) are not supported here. Use an access key and its secret alone.",
    );
  const hash = headers.get("x-amz-content-sha256") ?? "";
  const encoding = headers.get("content-encoding") ?? "";
  if (hash.startsWith("STREAMING-") || /\baws-chunked\b/i.test(encoding))
    throw new S3Refusal("NotImplemented", "Chunked uploads (aws-chunked) are not supported.");
}

function readHeader(text: string, headers: Headers): SignatureClaim {
  const malformed: MalformedCode = "AuthorizationHeaderMalformed";
  const cut = text.search(/\s/);
  const kind = cut < 0 ? text : text.slice(0, cut);
  if (kind !== algorithm) throw new S3Refusal("InvalidArgument", "Unsupported Authorization Type");
  const fields = new Map<string, string>();
  for (const item of text.slice(kind.length).split(",")) {
    const [name = "", ...rest] = item.trim().split("=");
    if (fields.has(name)) throw new S3Refusal(malformed, `The field ${name} is there twice.`);
    fields.set(name, rest.join("="));
  }
  const credential = fields.get("Credential");
  const signedHeaders = fields.get("SignedHeaders");
  const signature = fields.get("Signature");
  if (
    fields.size !== 3 ||
    credential === undefined ||
    signedHeaders === undefined ||
    signature === undefined
  )
    throw new S3Refusal(
      malformed,
      "The authorization header is malformed; it needs Credential, SignedHeaders and Signature, once each.",
    );
  const amzDate = headers.get("x-amz-date");
  const signedAt = amzDate === null ? undefined : parseAmzDate(amzDate);
  if (amzDate === null || signedAt === undefined)
    throw new S3Refusal("AccessDenied", "AWS authentication requires a valid x-amz-date header");
  const payloadHash = headers.get("x-amz-content-sha256");
  if (payloadHash === null)
    throw new S3Refusal(
      "InvalidRequest",
      "Missing required header for this request: x-amz-content-sha256",
    );
  return {
    by: "header",
    ...readCredential(credential, amzDate, malformed),
    amzDate,
    signedAt,
    signedHeaders: readSignedHeaders(signedHeaders, malformed),
    signature,
    payloadHash: checkPayloadHash(payloadHash),
  };
}

const queryNames = [
  "X-Amz-Algorithm",
  "X-Amz-Credential",
  "X-Amz-Date",
  "X-Amz-Expires",
  "X-Amz-SignedHeaders",
  "X-Amz-Signature",
] as const;

function readQuery(headers: Headers, query: URLSearchParams): SignatureClaim {
  const malformed: MalformedCode = "AuthorizationQueryParametersError";
  const values = queryNames.map((name) => query.getAll(name));
  if (values.some((all) => all.length !== 1))
    throw new S3Refusal(
      malformed,
      `Query-string authentication version 4 requires the ${queryNames.join(", ")} parameters, once each.`,
    );
  const [
    kind = "",
    credential = "",
    amzDate = "",
    expires = "",
    signedHeaders = "",
    signature = "",
  ] = values.map((all) => all[0] ?? "");
  if (kind !== algorithm)
    throw new S3Refusal(malformed, `X-Amz-Algorithm only supports "${algorithm}"`);
  const signedAt = parseAmzDate(amzDate);
  if (signedAt === undefined)
    throw new S3Refusal(
      malformed,
      "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
    );
  const expiresSeconds = /^\d{1,9}$/.test(expires) ? Number(expires) : Number.NaN;
  if (!(expiresSeconds >= 1))
    throw new S3Refusal(malformed, "X-Amz-Expires should be a number of seconds, 1 or more");
  if (expiresSeconds > longestSeconds)
    throw new S3Refusal(
      malformed,
      `X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than ${longestSeconds + 1} seconds`,
    );
  const payloadHash =
    headers.get("x-amz-content-sha256") ?? query.get("X-Amz-Content-Sha256") ?? "UNSIGNED-PAYLOAD";
  return {
    by: "query",
    ...readCredential(credential, amzDate, malformed),
    amzDate,
    signedAt,
    expiresSeconds,
    signedHeaders: readSignedHeaders(signedHeaders, malformed),
    signature,
    payloadHash: checkPayloadHash(payloadHash),
  };
}

function readCredential(
  text: string,
  amzDate: string,
  malformed: MalformedCode,
): { readonly accessKeyId: string; readonly scope: SigningScope } {
  const fields = text.split("/");
  const [day, region, service, end] = fields.slice(-4);
  const accessKeyId = fields.slice(0, -4).join("/");
  if (accessKeyId === "" || day === undefined || region === undefined || end !== "aws4_request")
    throw new S3Refusal(
      malformed,
      'The Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  if (service !== "s3")
    throw new S3Refusal(malformed, 'The Credential has the wrong service; expecting "s3".');
  if (day !== amzDate.slice(0, 8))
    throw new S3Refusal(malformed, "The date of the Credential is not the date of the request.");
  return { accessKeyId, scope: { day, region, service } };
}

function readSignedHeaders(text: string, malformed: MalformedCode): readonly string[] {
  const names = text.split(";");
  const ascending = names.every(
    (name, i) => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name) && (names[i - 1] ?? "") < name,
  );
  if (!ascending)
    throw new S3Refusal(
      malformed,
      "SignedHeaders must be lower-case header names in ascending order.",
    );
  if (!names.includes("host"))
    throw new S3Refusal(malformed, "SignedHeaders must name the host header.");
  return names;
}

function checkPayloadHash(text: string): string {
  if (text !== "UNSIGNED-PAYLOAD" && !/^[0-9a-f]{64}$/.test(text))
    throw new S3Refusal(
      "InvalidArgument",
      "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, or a valid sha256 value.",
    );
  return text;
}
