/** Entries seen moments ago, per isolate: plain data, bounded by count and by chunks, each for a short time. */
import type { Entry } from "./entry.ts";

/** A chunk in memory is about 300 bytes, so this is about 12 MiB. */
const maxChunks = 40_000;
const maxEntries = 1_000;

interface Kept {
  readonly entry: Entry | undefined;
  readonly until: number;
}

export class EntryCache {
  readonly #ttlMs: number;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();
  #chunks = 0;

  /** @param ttlMs How long an overwritten object may still be served as it was; 0 keeps nothing */
  constructor(ttlMs: number, now: () => number) {
    this.#ttlMs = ttlMs;
    this.#now = now;
  }

  /** What was seen at the path, wrapped: `entry` is `undefined` for a path that had none. */
  get(path: string): { readonly entry: Entry | undefined } | undefined {
    const kept = this.#kept.get(path);
    if (kept === undefined) return undefined;
    if (kept.until > this.#now()) return kept;
    this.drop(path);
    return undefined;
  }

  set(path: string, entry: Entry | undefined): void {
    this.drop(path);
    const weight = entry?.chunks.length ?? 0;
    const until = Math.min(this.#now() + this.#ttlMs, entry?.expires ?? Infinity);
    if (this.#ttlMs === 0 || weight > maxChunks || until <= this.#now()) return;
    this.#kept.set(path, { entry, until });
    this.#chunks += weight;
    for (const oldest of this.#kept.keys()) {
      if (this.#chunks <= maxChunks && this.#kept.size <= maxEntries) break;
      this.drop(oldest);
    }
  }

  drop(path: string): void {
    const kept = this.#kept.get(path);
    if (kept === undefined) return;
    this.#kept.delete(path);
    this.#chunks -= kept.entry?.chunks.length ?? 0;
  }
}
