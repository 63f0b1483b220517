/** Volume servers that asked for patience (429, 503 with Retry-After). Plain data of the isolate, bounded. */

/** SeaweedFS says 429 without a time, after having queued the request for a minute. */
const defaultPatienceMs = 1_000;
const mostKept = 1_000;

export class BusyServers {
  readonly #now: () => number;
  readonly #until = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether the server is to be asked after its equals. */
  has(replica: string): boolean {
    const until = this.#until.get(replica);
    if (until === undefined) return false;
    if (until > this.#now()) return true;
    this.#until.delete(replica);
    return false;
  }

  add(replica: string, patienceMs = defaultPatienceMs): void {
    if (this.#until.size >= mostKept) this.#until.clear();
    this.#until.set(replica, this.#now() + patienceMs);
  }
}
