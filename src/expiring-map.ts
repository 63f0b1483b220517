/**
 * A bounded memory of the isolate: what is kept by a name is believed until its time, and the oldest goes first. Plain data
 * alone: no promise and no I/O object of a request.
 */
export class ExpiringMap<T> {
  readonly #most: number;
  readonly #now: () => number;
  /** In order of keeping: the first is the oldest. */
  readonly #kept = new Map<string, { readonly value: T; readonly until: number }>();

  /**
   * @param most Entries kept; those that have expired count until they are looked for
   * @param now Milliseconds, by the clock of every `until`
   */
  constructor(most: number, now: () => number) {
    this.#most = most;
    this.#now = now;
  }

  get size(): number {
    return this.#kept.size;
  }

  get(name: string): T | undefined {
    const kept = this.#kept.get(name);
    if (kept === undefined || kept.until > this.#now()) return kept?.value;
    this.#kept.delete(name);
    return undefined;
  }

  /** Keeps the value, as the newest, in the place of any before it. */
  set(name: string, value: T, until: number): void {
    this.#kept.delete(name);
    this.#kept.set(name, { value, until });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#most) break;
      this.#kept.delete(oldest);
    }
  }

  delete(name: string): void {
    this.#kept.delete(name);
  }
}
