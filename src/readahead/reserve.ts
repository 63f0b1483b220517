/**
 * The reserve of a download whose store must hold whole chunks to answer: taken before headers, kept to the end, so
 * that its head can always go on. Without it, downloads of ciphered chunks could all hold a part of what they need.
 */
import { ReadaheadError } from "../errors.ts";
import type { Lease } from "./budget.ts";
import { delay } from "./retry.ts";

/** How long a client waits for its turn before it is told to come back. */
const PATIENCE_MS = 60_000;
const RETRY_AFTER_MS = 5_000;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 250;

/**
 * Takes `bytes` of the budget, waiting on a timer of its own: never on another request's promise.
 *
 * @throws ReadaheadError `overloaded` with `retryAfterMs` after 60 s
 */
export async function awaitReserve(
  bytes: number,
  lease: Lease,
  signal: AbortSignal,
): Promise<void> {
  if (bytes === 0) return;
  if (!lease.couldReserve(bytes)) {
    throw new ReadaheadError(
      "unsupported",
      `A chunk needs ${bytes} bytes of memory, more than budget_bytes allows`,
    );
  }
  const since = performance.now();
  let waitMs = FIRST_WAIT_MS;
  while (!lease.reserve(bytes)) {
    if (performance.now() - since > PATIENCE_MS) {
      throw new ReadaheadError("overloaded", "No memory was free in time", {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    lease.touch();
    // Jitter: those who wait must not all come back in the same turn.
    await delay(waitMs * (0.5 + Math.random()), signal);
    waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 1.5);
  }
}
