/**
 * The one error class of the project and its closed list of kinds.
 *
 * A kind says what happened, not what to do: `http/problem.ts` maps it to an HTTP status, `readahead/retry.ts` decides
 * whether to ask again. Errors never build responses, and carry neither upstream addresses nor secrets in their message.
 */

/** What went wrong, as a closed list; the table in `http/problem.ts` has a row for each. */
export type ErrorKind =
  | "not-found"
  | "denied"
  | "changed"
  | "unsatisfiable"
  | "throttled"
  | "unavailable"
  | "truncated"
  | "protocol"
  | "lost"
  | "key-missing"
  | "key-wrong"
  | "unsupported"
  | "too-many-parts"
  | "overloaded"
  | "config";

/** What a {@link ReadaheadError} may carry beside its kind and message. */
export interface ReadaheadErrorOptions {
  /** The failure underneath, kept for logs of the caller; never shown to a client. */
  readonly cause?: unknown;
  /** Opaque name of the replica that failed, as the source gave it to its permits. */
  readonly replica?: string | undefined;
  /** Upstream's HTTP status, where there was an answer. */
  readonly status?: number | undefined;
  /** Milliseconds the store asked us to wait (Retry-After, RFC 9110 10.2.3). */
  readonly retryAfterMs?: number | undefined;
  /** True when the source knows another replica of the piece that this part has not tried. */
  readonly alternatives?: boolean | undefined;
  /** True when the connection itself failed (refused, reset, silent): the address is then avoided for a while. */
  readonly connection?: boolean | undefined;
  /** True when the address accepted and then said nothing until the deadline: no second try on it. */
  readonly silent?: boolean | undefined;
  /** Size of the object, when the store named it while refusing a range. */
  readonly size?: number | undefined;
}

/**
 * Everything that can fail between a client's request and the store's bytes.
 *
 * Abort is not among them: an aborted operation rejects with the signal's own reason.
 */
export class ReadaheadError extends Error {
  override readonly name = "ReadaheadError";
  readonly kind: ErrorKind;
  readonly replica: string | undefined;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly alternatives: boolean;
  readonly connection: boolean;
  readonly silent: boolean;
  readonly size: number | undefined;

  /** @param message Sentence case, no final stop: what could not be done, why, the value received. No host, no secret. */
  constructor(kind: ErrorKind, message: string, options: ReadaheadErrorOptions = {}) {
    super(message, options);
    this.kind = kind;
    this.replica = options.replica;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
    this.alternatives = options.alternatives === true;
    this.connection = options.connection === true;
    this.silent = options.silent === true;
    this.size = options.size;
  }
}
