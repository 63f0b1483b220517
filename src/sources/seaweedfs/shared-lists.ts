/**
 * Chunk lists that are read just now, per isolate: downloads that open equal ones hold one of them, or a hundred clients
 * of an object of ten thousand chunks would fill the isolate. Held weakly, so a list lives as long as a download (or the
 * cache) has it. Plain data.
 */
import { type Chunk, isSameChunk } from "./chunk.ts";

/** A shorter list is hardly more than what remembers it. */
const leastChunks = 16;
const mostLists = 1_000;

export class SharedLists {
  readonly #lists = new Map<string, WeakRef<readonly Chunk[]>>();

  /**
   * The list, or an equal one that was brought under the name before and is still held. Compared chunk by chunk: a list
   * that was rewritten, however little, is another.
   */
  share(name: string, list: readonly Chunk[]): readonly Chunk[] {
    // Workers of a compatibility date before 2025-05-05 have none.
    if (list.length < leastChunks || typeof WeakRef === "undefined") return list;
    const held = this.#lists.get(name)?.deref();
    const shared = held !== undefined && isSameList(held, list) ? held : list;
    this.#lists.delete(name);
    this.#lists.set(name, new WeakRef(shared));
    for (const oldest of this.#lists.keys()) {
      if (this.#lists.size <= mostLists) break;
      this.#lists.delete(oldest);
    }
    return shared;
  }
}

function isSameList(a: readonly Chunk[], b: readonly Chunk[]): boolean {
  return (
    a.length === b.length &&
    a.every((chunk, index) => {
      const other = b[index];
      return other !== undefined && isSameChunk(chunk, other);
    })
  );
}
