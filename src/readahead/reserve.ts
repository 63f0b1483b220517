/**
 * The reserve of a download whose store must hold whole chunks to answer: taken before headers, kept to the end, so
 * that its head can always go on. Without it, downloads of ciphered chunks could all hold a part of what they need.
 *
 * It is the one memory that others wait for: everything else goes on with the free block of its head. So a client that has
 * stopped reading must not hold what a reserve needs for ever: while one waits, idle downloads end (`download.ts`), and
 * downloads without a reserve leave room for one (`budget.ts`).
 */
import { ReadaheadError } from "../errors.ts";
import type { Lease } from "./budget.ts";
import { delay } from "./delay.ts";

/** How long a client waits for its turn before it is told to come back. */
const PATIENCE_MS = 60_000;
const RETRY_AFTER_MS = 5_000;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 250;

/**
 * Memory that a download's head needs at one time. A source that holds whole chunks makes one for each layout
 * (`OpenObject.reserve`); the download takes it before headers and gives it back when it closes.
 */
export class Reserve {
  /** Of the budget. */
  readonly bytes: number;

  /** @param bytes More than 0; more than the budget has is refused by {@link take} */
  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /**
   * Takes the bytes, waiting on a timer of its own: never on another request's promise.
   *
   * @throws ReadaheadError `overloaded` with `retryAfterMs` after 60 s; `unsupported` for more than the budget has
   * @throws the signal's reason
   */
  async take(lease: Lease, signal: AbortSignal): Promise<void> {
    const { bytes } = this;
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
}
