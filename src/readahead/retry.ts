/**
 * Whether a part is asked again, when, and whom. Pure, but for the random numbers of the jitter.
 *
 * Abort never gets here. Kinds that can pass by themselves are retried from the byte reached; another replica is asked
 * at once; when all failed, locations are looked up again once; then exponential back-off with full jitter.
 */
import { type ErrorKind, ReadaheadError } from "../errors.ts";

/** First step of the back-off, doubled for each attempt without progress. */
const BACKOFF_BASE_MS = 100;
const BACKOFF_CEILING_MS = 5_000;
/** A store that asks for more patience than this gets an honest failure instead of a client that waits in silence. */
const RETRY_AFTER_CEILING_MS = 30_000;

/** What a part has been through since its last byte of progress. */
export interface Troubles {
  /** Failed attempts since the last progress, this one included; silent ones count twice. */
  readonly failures: number;
  /** Attempts allowed without progress. */
  readonly allowed: number;
  /** The second try of a reset connection was used. */
  readonly graceUsed: boolean;
  /** Locations or tokens can be looked up again, and were not since the last progress. Default false. */
  readonly canRefresh?: boolean;
  /** Resuming is possible: the version is pinned, or no byte of this stream has been used. */
  readonly resumable: boolean;
}

/** What to do after a failed attempt. */
export type NextMove =
  /** Give up: the error is final. */
  | { readonly move: "fail" }
  /** Ask the same replica again at once: a kept-alive connection may have died under us. */
  | { readonly move: "same" }
  /** Another replica is known: ask it at once. */
  | { readonly move: "other" }
  /** Look up again; ask at once if that changed anything, else after `delayMs`. */
  | { readonly move: "refresh"; readonly delayMs: number }
  | { readonly move: "wait"; readonly delayMs: number };

/** True for kinds that may pass by themselves. */
export function isTransient(kind: ErrorKind): boolean {
  return (
    kind === "throttled" || kind === "unavailable" || kind === "truncated" || kind === "protocol"
  );
}

/** Decides the next move. `random` in [0, 1) is that of the jitter. */
export function nextMove(
  error: unknown,
  troubles: Troubles,
  random: number = Math.random(),
): NextMove {
  if (!(error instanceof ReadaheadError) || !troubles.resumable) return { move: "fail" };
  const { kind } = error;
  if (troubles.failures >= troubles.allowed) return { move: "fail" };
  const replicaMayBeWrong = isTransient(kind) || kind === "not-found" || kind === "denied";
  if (replicaMayBeWrong) {
    if (isReset(error) && !troubles.graceUsed) return { move: "same" };
    if (error.alternatives) return { move: "other" };
  }
  if (isVerdict(error)) return { move: "fail" };
  const delayMs = backoffMs(error, troubles.failures, random);
  if (delayMs === undefined) return { move: "fail" };
  if (replicaMayBeWrong && troubles.canRefresh) return { move: "refresh", delayMs };
  return isTransient(kind) ? { move: "wait", delayMs } : { move: "fail" };
}

/** A 400, or a redirect that is not followed: the same question gets the same answer. */
function isVerdict({ kind, status }: ReadaheadError): boolean {
  return kind === "protocol" && status !== undefined && status >= 300;
}

/** True where a kept-alive connection may have died under us: the address deserves another try. */
export function isReset(error: ReadaheadError): boolean {
  return error.connection && !error.silent;
}

/**
 * Full jitter (uniform below an exponential ceiling), never shorter than Retry-After; `undefined`: not worth waiting. From
 * a store that throttles, what is longer than a client waits is taken for a matter of load: MinIO says 60 s to every
 * request above its limit, and what it counts may be our own other parts.
 */
function backoffMs(error: ReadaheadError, failures: number, random: number): number | undefined {
  const ceiling = Math.min(BACKOFF_CEILING_MS, BACKOFF_BASE_MS * 2 ** (failures - 1));
  const jitter = random * ceiling;
  const asked = error.retryAfterMs ?? 0;
  if (asked <= RETRY_AFTER_CEILING_MS) return asked + jitter;
  return error.kind === "throttled" ? jitter : undefined;
}
