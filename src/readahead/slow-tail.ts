/**
 * Shall the head be raced?
 *
 * A timeout never sees a trickle, and a stalled head holds everything behind it. What is normal is learned from the
 * download's own parts: how soon they answer, how fast and how long they run. A head far below that has its remaining
 * bytes asked for a second time; whichever is ahead goes on. Racing is bounded by bytes, and never done to a store that
 * said it is overloaded.
 */

/** Parts to learn from before anything is judged. */
const SAMPLES_NEEDED = 4;
/** Samples kept: what is normal may change. */
const SAMPLES_KEPT = 16;
/** Bytes asked for twice are at most this share of the bytes sent. */
const RACED_SHARE = 0.06;
/** No silence below this means anything: schedulers and networks pause that long. */
const LEAST_SILENCE_MS = 50;
/** A head is slow when it runs at less than this share of its siblings' rate. */
const SLOW_SHARE = 0.25;
/** An answer is late after this many times the slowest normal one. */
const LATE_TIMES = 3;

/** What is known of the head at one moment. */
export interface HeadProgress {
  readonly requestedAt: number;
  readonly answeredAt: number | undefined;
  readonly lastByteAt: number | undefined;
  /** Bytes the running attempt has brought. */
  readonly bytes: number;
  /** Bytes that a second request would ask for. */
  readonly remaining: number;
}

export class SlowTail {
  readonly #firstByteMs: number[] = [];
  readonly #partMs: number[] = [];
  readonly #rates: number[] = [];
  #raced = 0;
  #forbidden = false;

  /** An attempt was answered `ms` after it was sent. */
  answered(ms: number): void {
    keep(this.#firstByteMs, ms);
  }

  /** An attempt brought `bytes` in `ms` after its answer. */
  completed(bytes: number, ms: number): void {
    keep(this.#partMs, ms);
    keep(this.#rates, bytes / Math.max(1, ms));
  }

  /** The store said it has too much to do: it is not asked for anything twice. */
  throttled(): void {
    this.#forbidden = true;
  }

  /** `bytes` were asked for a second time. */
  raced(bytes: number): void {
    this.#raced += bytes;
  }

  /**
   * When the head may be judged, ms from now; `undefined`: not at all. 0: it is far below normal, race it.
   *
   * @param sent Bytes handed to the client so far
   */
  raceIn(head: HeadProgress, sent: number, now: number): number | undefined {
    if (this.#forbidden || this.#rates.length < SAMPLES_NEEDED) return undefined;
    if (this.#raced + head.remaining > sent * RACED_SHARE) return undefined;
    if (head.answeredAt === undefined) {
      const late = Math.max(LEAST_SILENCE_MS, LATE_TIMES * Math.max(...this.#firstByteMs));
      return Math.max(0, head.requestedAt + late - now);
    }
    const patience = Math.max(LEAST_SILENCE_MS, median(this.#partMs) / 2);
    const silentMs = now - (head.lastByteAt ?? head.answeredAt);
    const runningMs = now - head.answeredAt;
    const slow = head.bytes / Math.max(1, runningMs) < median(this.#rates) * SLOW_SHARE;
    if (silentMs >= patience || (slow && runningMs >= patience)) return 0;
    return patience - silentMs;
  }
}

function keep(samples: number[], sample: number): void {
  samples.push(sample);
  if (samples.length > SAMPLES_KEPT) samples.shift();
}

function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >> 1] ?? 0;
}
