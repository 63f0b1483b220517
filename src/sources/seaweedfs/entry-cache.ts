/** Entries seen moments ago, per isolate: plain data, bounded by count and by what they weigh, each for a short time. */
import type { Entry } from "./entry.ts";

const maxBytes = 12 * 1024 * 1024;
const maxEntries = 1_000;
/** In memory, about. */
const chunkBytes = 300;
const cipherKeyBytes = 250;

interface Kept {
  readonly entry: Entry | undefined;
  readonly until: number;
  readonly bytes: number;
}

export class EntryCache {
  readonly #ttlMs: number;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

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
    const bytes = weigh(entry);
    const now = this.#now();
    const until = Math.min(now + this.#ttlMs, entry?.expires ?? Infinity);
    if (this.#ttlMs === 0 || bytes > maxBytes || until <= now) return;
    this.#kept.set(path, { entry, until, bytes });
    this.#bytes += bytes;
    for (const [oldest, kept] of this.#kept) {
      const fits = this.#bytes <= maxBytes && this.#kept.size <= maxEntries;
      if (fits && kept.until > now) break;
      this.drop(oldest);
    }
  }

  drop(path: string): void {
    const kept = this.#kept.get(path);
    if (kept === undefined) return;
    this.#kept.delete(path);
    this.#bytes -= kept.bytes;
  }
}

function weigh(entry: Entry | undefined): number {
  if (entry === undefined) return 0;
  const { chunks, content, extended } = entry;
  let bytes = chunks.length * chunkBytes + (content?.byteLength ?? 0);
  for (const { cipherKey, sseMetadata } of chunks)
    bytes += (cipherKey === undefined ? 0 : cipherKeyBytes) + (sseMetadata?.length ?? 0);
  for (const [name, value] of Object.entries(extended)) bytes += name.length + value.length;
  return bytes;
}
