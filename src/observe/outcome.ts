/** How a download came out, as one word of the closed list in `http/problem.ts`. Pure. */
import { ReadaheadError } from "../errors.ts";
import { type Outcome, problems, RequestRefusal } from "../http/problem.ts";
import type { EndedBy } from "../readahead/events.ts";

/** What {@link decideOutcome} looks at. */
export interface Ending {
  /** Status sent, null when nothing was sent. */
  readonly status: number | null;
  readonly endedBy: EndedBy;
  readonly error?: unknown;
}

/**
 * Who left wins over everything else: a client that goes away during a retry is not an upstream failure. Then what was
 * sent, then what went wrong: the table names the outcome of each kind, an error of no kind is a fault of ours.
 */
export function decideOutcome({ status, endedBy, error }: Ending): Outcome {
  if (isLeaving(endedBy)) return "client-left";
  if (status === 304) return "not-modified";
  if (status !== null && status >= 400 && status < 500) return "refused";
  if (error instanceof ReadaheadError) {
    const { outcome } = problems[error.kind];
    // Kinds that refuse a request before its headers can also break it later (a key denied mid-way): no refusal then.
    return outcome === "refused" && status !== null && status < 400 ? "upstream-failed" : outcome;
  }
  if (error instanceof RequestRefusal) return "refused";
  if (endedBy === "upstream") return "upstream-failed";
  if (endedBy === "exception" || error !== undefined) return "failed";
  return status !== null && status >= 500 ? "failed" : "complete";
}

/** Leaving is not an error: neither an outcome of ours nor logged as one. */
export function isLeaving(endedBy: EndedBy): boolean {
  return endedBy === "client-signal" || endedBy === "stream-cancel" || endedBy === "write-failed";
}
