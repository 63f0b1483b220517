/** What an R2 binding throws -> an error of ours. The binding's only structure is a code at the end of the message. */
import type { ErrorKind } from "../../errors.ts";
import { ReadaheadError } from "../../errors.ts";

/** Name of the one address there is, for permits and events. */
export const r2Replica = "r2";

/**
 * The code R2 put in parentheses at the end of a message; `undefined` where there is none, or 0, which the local
 * simulator gives for ranges past the end and for every ranged get of an empty object (miniflare 5.20261023).
 */
function r2ErrorCode(error: unknown): number | undefined {
  const digits = error instanceof Error ? /\((\d+)\)\s*$/.exec(error.message)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits) || undefined;
}

// https://developers.cloudflare.com/r2/api/error-codes/
const kinds = new Map<number, ErrorKind>([
  [10001, "unavailable"], // InternalError
  [10002, "denied"], // Unauthorized
  [10003, "denied"], // AccessDenied
  [10006, "config"], // NoSuchBucket
  [10007, "not-found"], // NoSuchKey
  [10020, "not-found"], // InvalidObjectName: a key over 1,024 bytes names nothing
  [10031, "changed"], // PreconditionFailed
  [10039, "unsatisfiable"], // InvalidRange
  [10042, "denied"], // NotEntitled
  [10043, "unavailable"], // ServiceUnavailable
  [10058, "throttled"], // TooManyRequests for one object
]);

/**
 * True when only head() can tell what happened: the code is missing or not known here (that of a get without the object's
 * SSE-C key is not documented), or names no size.
 */
export function needsHead(error: unknown): boolean {
  const code = r2ErrorCode(error);
  if (code !== undefined) return code === 10039 || !kinds.has(code);
  // A lost connection and a used-up allowance come without a code, and another request would not help.
  return error instanceof Error && !/connection|too many/i.test(error.message);
}

/** The error for a failed call. Whatever is not known is `unavailable`: R2 retries help, and are bounded. */
export function r2Error(cause: unknown): ReadaheadError {
  const code = r2ErrorCode(cause);
  const text = cause instanceof Error ? cause.message : "";
  if (/too many (subrequests|api requests)/i.test(text))
    return new ReadaheadError("too-many-parts", "The runtime allows no further call of R2", {
      cause,
      replica: r2Replica,
    });
  const kind = (code === undefined ? undefined : kinds.get(code)) ?? "unavailable";
  return new ReadaheadError(kind, `R2 could not read the object (${code ?? "no code"})`, {
    cause,
    replica: r2Replica,
    // "Network connection lost." is the runtime's word for a store or a colo that went away.
    connection: /connection/i.test(text),
  });
}
