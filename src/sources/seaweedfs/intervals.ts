/**
 * Which chunk serves which bytes: for every byte the newest chunk over it wins, bytes under no chunk are holes. Pure.
 *
 * Deviation from SeaweedFS, on purpose: where chunks overlap and have the same time, it loses bytes or breaks off
 * (checked live on 4.44). Here the one later in the list wins, always.
 */
import type { ByteRange } from "../../readahead/byte-range.ts";

/** What the computation needs of a chunk. */
export interface Layer {
  readonly offset: number;
  readonly size: number;
  readonly timestamp: bigint;
}

/** Bytes `[start, end)` of the object, served by `chunk` from its byte `offsetInChunk` on. */
export interface Interval<C extends Layer> {
  readonly start: number;
  readonly end: number;
  readonly chunk: C;
  readonly offsetInChunk: number;
}

/**
 * The visible intervals in `range`, in order; what lies between them are holes.
 *
 * A sweep over chunk starts with a heap of those that cover the point: O(n log n) whatever the overlaps.
 *
 * @param chunks In list order (depth first through manifests); the position breaks ties of equal time
 */
export function visibleIntervals<C extends Layer>(
  chunks: readonly C[],
  range: ByteRange,
): Interval<C>[] {
  const layers: Positioned<C>[] = [];
  for (const [position, chunk] of chunks.entries()) {
    const start = Math.max(chunk.offset, range.start);
    const end = Math.min(chunk.offset + chunk.size, range.end);
    if (start < end) layers.push({ chunk, position, start, end });
  }
  layers.sort((a, b) => a.start - b.start);
  const intervals: Interval<C>[] = [];
  const covering = new Heap<C>();
  let next = 0;
  let at = range.start;
  while (next < layers.length || covering.top !== undefined) {
    const top = covering.top;
    if (top === undefined) at = Math.max(at, layers[next]?.start ?? at);
    for (let layer = layers[next]; layer !== undefined && layer.start <= at; ) {
      covering.push(layer);
      next += 1;
      layer = layers[next];
    }
    const winner = covering.top;
    if (winner === undefined) continue;
    if (winner.end <= at) {
      covering.pop();
      continue;
    }
    const until = Math.min(winner.end, layers[next]?.start ?? Infinity);
    paint(intervals, winner.chunk, at, until);
    at = until;
  }
  return intervals;
}

/** Appends a stretch, joined to the last one when the same chunk goes on: it has no holes of its own. */
function paint<C extends Layer>(
  intervals: Interval<C>[],
  chunk: C,
  start: number,
  end: number,
): void {
  const last = intervals.at(-1);
  if (last?.chunk === chunk) {
    intervals[intervals.length - 1] = { ...last, end };
    return;
  }
  intervals.push({ start, end, chunk, offsetInChunk: start - chunk.offset });
}

interface Positioned<C extends Layer> {
  readonly chunk: C;
  readonly position: number;
  readonly start: number;
  readonly end: number;
}

function newer<C extends Layer>(a: Positioned<C>, b: Positioned<C>): boolean {
  if (a.chunk.timestamp !== b.chunk.timestamp) return a.chunk.timestamp > b.chunk.timestamp;
  return a.position > b.position;
}

/** A binary heap with the newest chunk on top. */
class Heap<C extends Layer> {
  readonly #items: Positioned<C>[] = [];

  get top(): Positioned<C> | undefined {
    return this.#items[0];
  }

  push(item: Positioned<C>): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = items[up];
      if (parent === undefined || !newer(item, parent)) break;
      items[at] = parent;
      at = up;
    }
    items[at] = item;
  }

  pop(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    let at = 0;
    for (;;) {
      const left = items[2 * at + 1];
      if (left === undefined) break;
      const right = items[2 * at + 2];
      const useRight = right !== undefined && newer(right, left);
      const child = useRight ? right : left;
      if (!newer(child, last)) break;
      items[at] = child;
      at = 2 * at + (useRight ? 2 : 1);
    }
    items[at] = last;
  }
}
