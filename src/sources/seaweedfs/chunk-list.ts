/**
 * The chunks of an object, opened only where they are wanted: manifests are read when the walk reaches them and dropped
 * when it has passed, so an object of ten million chunks costs the memory of the few manifests over one point.
 *
 * The walk goes in windows. In each, every manifest that covers its start is open, and none begins inside it: what is
 * visible there is then known exactly, whatever the overlaps.
 */
import { ReadaheadError } from "../../errors.ts";
import type { ByteRange } from "../../readahead/byte-range.ts";
import type { Chunk } from "./chunk.ts";
import { type Interval, visibleIntervals } from "./intervals.ts";
import type { ClusterContext } from "./request.ts";
import {
  type CountedNeeds,
  countRequests,
  firstToLearn,
  type OpenedManifest,
} from "./request-count.ts";

/** Reads the chunks a manifest lists. */
export type ManifestReader = (
  manifest: Chunk,
  context: ClusterContext,
) => Promise<readonly Chunk[]>;

/** A stretch with everything visible in it; what lies between its intervals are holes. */
export interface ListWindow {
  readonly range: ByteRange;
  readonly intervals: readonly Interval<Chunk>[];
}

/** Writers nest manifests not at all, readers must; a list that contains itself must not go on for ever. */
const maxDepth = 8;
/** A count of so much of what may be asked need not be exact: sixteen ranges of it fit, with a tenth kept for retries. */
const cheapShare = 1 / 20;
/** Manifests kept after a walk has passed, for the next range of the same request. */
const maxRecent = 3;
/** Smaller ones are kept as long as they list no more chunks than three of the largest. */
const maxRecentChunks = 30_000;

export class ChunkList {
  readonly #top: readonly Chunk[];
  readonly #readManifest: ManifestReader;
  readonly #folded: boolean;
  /** By {@link placeOf}, oldest first. */
  readonly #recent = new Map<string, OpenedManifest>();
  #recentChunks = 0;

  constructor(top: readonly Chunk[], readManifest: ManifestReader) {
    this.#top = top;
    this.#folded = top.some((chunk) => chunk.manifest);
    this.#readManifest = readManifest;
  }

  /**
   * Walks the range in order, without gaps between windows.
   *
   * @throws ReadaheadError `protocol` for a manifest whose chunks begin before it, and what reading one throws
   */
  async *windows(range: ByteRange, context: ClusterContext): AsyncGenerator<ListWindow> {
    const open = new Map<string, readonly Chunk[]>();
    let start = range.start;
    while (start < range.end) {
      const found: Found = { chunks: [], end: range.end, visited: new Set() };
      await this.#collect(this.#top, start, found, open, context, []);
      const window = { start, end: found.end };
      yield { range: window, intervals: visibleIntervals(found.chunks, window) };
      start = found.end;
    }
  }

  /**
   * Most requests that the range can cost, as far as the list is known. See request-count.ts.
   *
   * Reads a manifest of the range (at each level) where none in it is known, and what they are taken for would be more than
   * a small share of what is left: the walk needs it anyway, and one tells of the others.
   */
  async requestCount(
    range: ByteRange,
    left: number,
    firstAsked: CountedNeeds["firstAsked"],
    context: ClusterContext,
  ): Promise<number> {
    const needs: CountedNeeds = {
      opened: (manifest) => this.#recent.get(placeOf(manifest))?.children,
      read: () => this.#recent.values(),
      firstAsked,
    };
    // As deep as manifests of manifests can be kept.
    for (let depth = 0; ; depth++) {
      const requests = countRequests(this.#top, range, needs);
      if (!this.#folded || requests <= left * cheapShare || depth === maxRecent) return requests;
      const unread = firstToLearn(this.#top, range, needs);
      if (unread === undefined) return requests;
      await this.#open(unread, context);
    }
  }

  async #collect(
    chunks: readonly Chunk[],
    start: number,
    found: Found,
    open: Map<string, readonly Chunk[]>,
    context: ClusterContext,
    above: readonly string[],
  ): Promise<void> {
    for (const chunk of chunks) {
      const end = chunk.offset + chunk.size;
      if (end <= start) {
        if (chunk.manifest) open.delete(placeOf(chunk));
        continue;
      }
      if (chunk.offset >= found.end) continue;
      if (!chunk.manifest) {
        found.chunks.push(chunk);
      } else if (chunk.offset > start) {
        found.end = chunk.offset;
      } else if (!found.visited.has(placeOf(chunk)) || above.includes(chunk.fid)) {
        const place = placeOf(chunk);
        found.visited.add(place);
        if (above.length >= maxDepth)
          throw new ReadaheadError("protocol", `Chunk manifests are nested ${maxDepth} deep`);
        const children = open.get(place) ?? (await this.#open(chunk, context));
        open.set(place, children);
        await this.#collect(children, start, found, open, context, [...above, chunk.fid]);
      }
    }
  }

  async #open(manifest: Chunk, context: ClusterContext): Promise<readonly Chunk[]> {
    const place = placeOf(manifest);
    const recent = this.#recent.get(place);
    if (recent !== undefined) return recent.children;
    const children = withinSpan(await this.#readManifest(manifest, context), manifest);
    this.#recent.set(place, { manifest, children });
    this.#recentChunks += children.length;
    for (const [name, oldest] of this.#recent) {
      if (this.#recent.size <= maxRecent || this.#recentChunks <= maxRecentChunks) break;
      this.#recent.delete(name);
      this.#recentChunks -= oldest.children.length;
    }
    return children;
  }
}

/** A list that names one manifest twice, with another span, is damaged: what was checked of the one says nothing of the other. */
function placeOf({ fid, offset, size }: Chunk): string {
  return `${fid} ${offset} ${size}`;
}

interface Found {
  readonly chunks: Chunk[];
  /** Where the next manifest begins: nothing is known of what is visible from there on. */
  end: number;
  /** Manifests gone into: one that is listed over and over tells the same each time, and thirty levels of it never end. */
  readonly visited: Set<string>;
}

/**
 * A mount that truncates a file shortens the chunks at the top of its list, manifests among them, and rewrites nothing:
 * what a manifest lists past its span is gone. What is whole stays the list that it is: others may hold it, too.
 */
function withinSpan(children: readonly Chunk[], manifest: Chunk): readonly Chunk[] {
  const end = manifest.offset + manifest.size;
  const kept: Chunk[] = [];
  for (const child of children) {
    if (child.offset < manifest.offset)
      throw new ReadaheadError("protocol", "A chunk manifest lists chunks before its span");
    if (child.offset >= end) continue;
    kept.push(child.offset + child.size <= end ? child : { ...child, size: end - child.offset });
  }
  return kept.length === children.length && kept.every((child, i) => child === children[i])
    ? children
    : kept;
}
