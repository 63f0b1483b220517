/** Volume servers that asked for patience (429, 503 with Retry-After). */
import { ExpiringMap } from "../../expiring-map.ts";

/** SeaweedFS says 429 without a time, after having queued the request for a minute. */
const defaultPatienceMs = 1_000;

export class BusyServers {
  readonly #now: () => number;
  readonly #busy: ExpiringMap<true>;

  constructor(now: () => number) {
    this.#now = now;
    this.#busy = new ExpiringMap(1_000, now);
  }

  /** Whether the server is to be asked after its equals. */
  has(replica: string): boolean {
    return this.#busy.get(replica) === true;
  }

  add(replica: string, patienceMs = defaultPatienceMs): void {
    this.#busy.set(replica, true, this.#now() + patienceMs);
  }
}
