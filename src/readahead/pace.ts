/**
 * Is this client slow, and how large a block does it take?
 *
 * Slowness is judged over ten seconds or more, never by one pull: a kernel takes 4 MiB at a gulp and then nothing for a
 * while. A client is slow when it could not drain a whole part before that part's upstream would have to be let go.
 * Only the client's own time counts, from a block handed on to the next pull: a slow store makes no slow client.
 */
const MEASURE_MS = 10_000;
export const SMALL_BLOCK = 64 * 1024;
export const LARGE_BLOCK = 1024 * 1024;
/** A block taken within this time counts as drained quickly. */
const QUICK_MS = 50;
/** What one block may count for as time of taking: a full kernel asks once more after 45 ms, its client may have stopped. */
const TAKE_MS = 5;

/** The pace of one client, fed by what is handed on. */
export class Pace {
  readonly #slowBelow: number;
  #since: number;
  #bytes = 0;
  #drainMs = 0;
  #rate: number | undefined;
  #handedAt: number | undefined;
  /** When the first block was handed on, later by every pause since. */
  #takingSince = 0;
  #takingMs = 0;
  #blockBytes = SMALL_BLOCK;
  #cautious = false;

  /**
   * @param slowBelow Bytes per millisecond under which a client is slow
   * @param now Start of the download, ms
   */
  constructor(slowBelow: number, now: number) {
    this.#slowBelow = slowBelow;
    this.#since = now;
  }

  /** True when the last ten seconds or more were slow, or a part just had to be let go. */
  get slow(): boolean {
    return this.#cautious || (this.#rate !== undefined && this.#rate < this.#slowBelow);
  }

  /** From the first block handed on to the client's last coming for more, without its pauses, ms. */
  get takingMs(): number {
    return this.#takingMs;
  }

  /** Size of the next block for this client, 64 KiB to 1 MiB. */
  get blockBytes(): number {
    return this.#blockBytes;
  }

  /** Bytes to ask for at a time while the client is slow: about a second of it, at least one small block. */
  get sliceBytes(): number {
    const second = (this.#rate || 0) * 1000;
    const blocks = Math.floor(second / SMALL_BLOCK);
    return Math.min(LARGE_BLOCK, Math.max(1, blocks) * SMALL_BLOCK);
  }

  /** Time at which the client was last given bytes, ms; before the first, when the download began or was last measured. */
  get idleSince(): number {
    return this.#handedAt ?? this.#since;
  }

  /** The client came for more. */
  pulled(now: number): void {
    if (this.#handedAt === undefined) return;
    const drainMs = now - this.#handedAt;
    this.#takingSince += Math.max(0, drainMs - TAKE_MS);
    this.#takingMs = now - this.#takingSince;
    this.#drainMs += drainMs;
    this.#blockBytes =
      drainMs <= QUICK_MS
        ? Math.min(LARGE_BLOCK, this.#blockBytes * 2)
        : Math.max(SMALL_BLOCK, this.#blockBytes / 2);
    this.#measure(now);
  }

  /** Bytes were handed to the runtime. */
  handed(bytes: number, now: number): void {
    this.#bytes += bytes;
    if (this.#handedAt === undefined) this.#takingSince = now;
    this.#handedAt = now;
  }

  /** A part lay undrained so long that it was let go: ask little until ten seconds say otherwise. */
  letGo(now: number): void {
    this.#measure(now);
    this.#cautious = true;
    this.#blockBytes = SMALL_BLOCK;
  }

  #measure(now: number): void {
    const elapsed = now - this.#since;
    if (elapsed < MEASURE_MS) return;
    this.#rate = this.#bytes / this.#drainMs;
    this.#cautious = false;
    this.#since = now;
    this.#bytes = 0;
    this.#drainMs = 0;
  }
}
