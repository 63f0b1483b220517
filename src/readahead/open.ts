/**
 * Opening with patience: the first request of a download is retried like any part's, because nothing was sent yet and
 * a kept-alive connection may have died under it. So is a list of keys.
 */

import { ReadaheadError } from "../errors.ts";
import type { OpenObject, OpenRequest, Source } from "../sources/source.ts";
import { delay } from "./delay.ts";
import type { Download } from "./download.ts";
import { isTransient, nextMove } from "./retry.ts";

/** What `open` needs beside the download's own context. */
export type OpenWish = Omit<OpenRequest, "permits" | "signal" | "observe">;

/** A client that waits for headers is told sooner that the store is ill than one whose transfer would break. */
const OPEN_ATTEMPTS = 3;
/** A store that asks for longer is answered for: its Retry-After goes on to the client, who waits without us. */
const PATIENCE_MS = 2_000;

/**
 * Opens the object; transient failures are tried again, at most three times in all.
 *
 * @throws ReadaheadError the last failure
 * @throws the download's signal's reason when it was closed
 */
export function openObject(
  source: Source,
  key: string,
  wish: OpenWish,
  download: Download,
): Promise<OpenObject> {
  const { permits, signal, observe } = download;
  return patiently(() => source.open(key, { ...wish, permits, signal, observe }), download);
}

/**
 * What `ask` brings; transient failures are tried again, as by {@link openObject}, and throw as there.
 *
 * @param ask Called up to three times; sends its requests with the download's permits and signal
 */
export async function patiently<T>(ask: () => Promise<T>, download: Download): Promise<T> {
  const { signal } = download;
  let graceUsed = false;
  for (let failures = 1; ; failures += 1) {
    try {
      return await ask();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (
        !(error instanceof ReadaheadError) ||
        !isTransient(error.kind) ||
        (error.retryAfterMs ?? 0) > PATIENCE_MS ||
        // `firstByteMs` is how long a client waits for a silent store, not a third of it.
        (error.silent && !error.alternatives)
      )
        throw error;
      const next = nextMove(error, {
        failures,
        allowed: OPEN_ATTEMPTS,
        graceUsed,
        resumable: true,
      });
      if (next.move === "fail") throw error;
      if (next.move === "same") graceUsed = true;
      download.retried();
      if (next.move === "wait") await delay(next.delayMs, signal);
    }
  }
}
