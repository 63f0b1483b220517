/**
 * Has the head judged while the client waits for it: asks `slow-tail.ts` when, and races it when told so. One timer at
 * most, set anew only when it ran.
 */
import type { Engine } from "./engine.ts";
import type { Part } from "./part.ts";

/** A head that is waited for is judged this often at most. */
const SHORTEST_WATCH_MS = 10;

export class HeadWatch {
  readonly #engine: Engine;
  readonly #waitedFor: () => Part | undefined;
  /** The part that was judged far below normal once. */
  #lagging: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param waitedFor The head, while the client waits for its next byte */
  constructor(engine: Engine, waitedFor: () => Part | undefined) {
    this.#engine = engine;
    this.#waitedFor = waitedFor;
  }

  /** The client waits now. */
  begin(): void {
    const { limits, slowTail, totals } = this.#engine;
    if (!limits.hedge || this.#timer !== undefined) return;
    const head = this.#waitedFor();
    const progress = head?.progress;
    if (head === undefined || progress === undefined) return;
    const waitMs = slowTail.raceIn(progress, totals.bytesSent, performance.now());
    if (waitMs === undefined) return;
    // Judged twice: a busy isolate finds a block late that came in time.
    const confirmed = waitMs === 0 && this.#lagging === head.index;
    this.#lagging = waitMs === 0 && !confirmed ? head.index : undefined;
    if (confirmed) head.race();
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.begin();
      },
      Math.max(waitMs, SHORTEST_WATCH_MS),
    );
  }

  /** Nothing is judged any more. Idempotent. */
  end(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
