/**
 * Facts seen moments ago in this isolate, so that the next request for the object starts at full width at once.
 *
 * Only facts that pin a version are kept: every read is then tied to it, and a changed object shows as `changed` before
 * headers, upon which the handler forgets and opens again. An empty object is never read, so nothing would notice that
 * it changed: it is always opened anew. Plain data only: bodies and promises belong to the request that made them (a
 * request that waits on another request's promise is killed as hung).
 */
import { ExpiringMap } from "../expiring-map.ts";
import type { Facts, PinnedFacts } from "../sources/source.ts";

/** Least and most time that facts may be believed, ms: from not at all to an hour. */
export const factsMsBounds = [0, 3_600_000] as const;

/** Headers are the store's: S3's metadata has 2 KB at most, other origins send what they like. Characters. */
const longestHeaders = 4_096;

/** S3's keys are no longer than 1,024 bytes; a query that is passed on can be, and must not fill the memory. */
const longestName = 4_096;

/** Options of {@link RecentFacts}. */
export interface RecentFactsOptions {
  /** How long facts are believed, ms; 0 keeps none. Default 5,000. Raising it serves deleted keys' facts for longer. */
  readonly factsMs?: number | undefined;
  /** Most entries kept, oldest out first. Default 1,000, about 1 KB each, 8 KB at most. */
  readonly entries?: number | undefined;
  /** Milliseconds. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** A bounded, short memory of facts by name. */
export class RecentFacts {
  readonly #factsMs: number;
  readonly #now: () => number;
  readonly #seen: ExpiringMap<PinnedFacts>;

  /** @throws RangeError for a time that cannot be */
  constructor(options: RecentFactsOptions = {}) {
    this.#factsMs = options.factsMs ?? 5_000;
    const [least, most] = factsMsBounds;
    if (!(Number.isInteger(this.#factsMs) && this.#factsMs >= least && this.#factsMs <= most))
      throw new RangeError(`factsMs is whole, from ${least} to ${most}, not ${this.#factsMs}`);
    this.#now = options.now ?? Date.now;
    this.#seen = new ExpiringMap(options.entries ?? 1_000, this.#now);
  }

  /** Facts still believed, or `undefined`. */
  recall(name: string): PinnedFacts | undefined {
    return this.#seen.get(name);
  }

  /** Keeps facts that pin a version of known size, not empty; drops all others. */
  remember(name: string, facts: Facts): void {
    this.#seen.delete(name);
    if (this.#factsMs <= 0 || !isPinned(facts) || facts.size === 0) return;
    if (name.length > longestName) return;
    if (JSON.stringify(facts.headers).length > longestHeaders) return;
    this.#seen.set(name, facts, this.#now() + this.#factsMs);
  }

  forget(name: string): void {
    this.#seen.delete(name);
  }

  /** Entries kept, expired ones included until they are asked for. */
  get size(): number {
    return this.#seen.size;
  }
}

function isPinned(facts: Facts): facts is PinnedFacts {
  return facts.pin !== undefined && facts.size !== undefined && facts.unversioned === undefined;
}
