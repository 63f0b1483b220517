/**
 * What the S3 front answers when it does not answer: AWS's error codes with their statuses, as XML.
 *
 * The codes of failed reads (a store that is away, a key that is not there) come from the project's one table in
 * `http/problem.ts`; here are only the codes of requests that the front itself refuses.
 */
import { RequestRefusal } from "../problem.ts";
import { element, xmlDocument } from "./xml.ts";

/** Codes the front refuses with, and the status AWS sends with each. */
export const s3Statuses = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidRequest: 400,
  InvalidToken: 400,
  InvalidURI: 400,
  MethodNotAllowed: 405,
  NoSuchBucket: 404,
  NotImplemented: 501,
  RequestTimeTooSkewed: 403,
  SignatureDoesNotMatch: 403,
  XAmzContentSHA256Mismatch: 400,
} as const;

export type S3Code = keyof typeof s3Statuses;

/** A request refused by the front, before anything was asked of a store. */
export class S3Refusal extends RequestRefusal {
  override readonly name = "S3Refusal";
  declare readonly code: S3Code;
  /** Further elements of the XML body, by name. Nothing secret. */
  readonly details: Readonly<Record<string, string>>;

  constructor(code: S3Code, message: string, details: Readonly<Record<string, string>> = {}) {
    super(code, message);
    this.details = details;
  }
}

/** What an error answer says. */
export interface S3ErrorAnswer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** Path of the request, as AWS repeats it. */
  readonly resource: string;
  readonly requestId: string;
  readonly details?: Readonly<Record<string, string>> | undefined;
  readonly headers: Headers;
  /** HEAD: the status and headers alone. */
  readonly bodyless?: boolean;
}

/** `x-amz-id-2`: AWS's second id. It says nothing that the first does not. */
export function hostId(requestId: string): string {
  return btoa(`edge-readahead/${requestId.replace(/[^\x20-\x7e]/g, "?")}`);
}

/** Builds the error answer, adding to its headers. The body is small and in memory; nothing is left open. */
export function s3ErrorResponse(answer: S3ErrorAnswer): Response {
  const { headers } = answer;
  headers.set("content-type", "application/xml");
  headers.set("x-amz-request-id", answer.requestId);
  headers.set("x-amz-id-2", hostId(answer.requestId));
  if (answer.bodyless === true) return new Response(null, { status: answer.status, headers });
  const body = xmlDocument(
    element("Error", [
      element("Code", answer.code),
      element("Message", answer.message),
      ...Object.entries(answer.details ?? {}).map(([name, value]) => element(name, value)),
      element("Resource", answer.resource),
      element("RequestId", answer.requestId),
      element("HostId", hostId(answer.requestId)),
    ]),
  );
  return new Response(body, { status: answer.status, headers });
}
