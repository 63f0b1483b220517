/** Waits for something another party does, instead of sleeping. */

/** The timer of the platform, also where a test fakes or watches the global one. */
export const realTimeout: (then: () => void, ms?: number) => void = globalThis.setTimeout;

/**
 * Resolves once `condition` holds; asks again every millisecond.
 *
 * @throws Error with `what` after `timeoutMs`
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 15_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise<void>((resolve) => realTimeout(resolve, 1));
  }
}
