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
import { type CountedNeeds, countRequests, firstToLearn } from "./request-count.ts";

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
/** Fits the 50 subrequests of the smallest plan. */
const cheapRequests = 40;
/** Manifests kept after a walk has passed, for the next range of the same request. */
const maxRecent = 3;

export class ChunkList {
  readonly #top: readonly Chunk[];
  readonly #readManifest: ManifestReader;
  readonly #recent = new Map<string, readonly Chunk[]>();

  constructor(top: readonly Chunk[], readManifest: ManifestReader) {
    this.#top = top;
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

  /** Most requests that the range can cost, as far as the list is known. Reads nothing. See request-count.ts. */
  requestCount(range: ByteRange, firstAsked: CountedNeeds["firstAsked"]): number {
    const opened = (manifest: Chunk) => this.#recent.get(manifest.fid);
    return countRequests(this.#top, range, { opened, firstAsked });
  }

  /**
   * Reads a manifest of the range, where nothing is known of any and what they are taken for would be too much for the
   * smallest plan: the walk needs it anyway, and one tells of the others.
   */
  async learn(
    range: ByteRange,
    firstAsked: CountedNeeds["firstAsked"],
    context: ClusterContext,
  ): Promise<void> {
    const opened = (manifest: Chunk) => this.#recent.get(manifest.fid);
    if (!this.#top.some((chunk) => chunk.manifest)) return;
    // As deep as manifests of manifests can be kept.
    for (let depth = 0; depth < maxRecent; depth++) {
      const needs = { opened, firstAsked };
      if (countRequests(this.#top, range, needs) <= cheapRequests) return;
      const unread = firstToLearn(this.#top, range, needs);
      if (unread === undefined) return;
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
        if (chunk.manifest) open.delete(chunk.fid);
        continue;
      }
      if (chunk.offset >= found.end) continue;
      if (!chunk.manifest) {
        found.chunks.push(chunk);
      } else if (chunk.offset > start) {
        found.end = chunk.offset;
      } else if (!found.visited.has(chunk.fid) || above.includes(chunk.fid)) {
        found.visited.add(chunk.fid);
        if (above.length >= maxDepth)
          throw new ReadaheadError("protocol", `Chunk manifests are nested ${maxDepth} deep`);
        const children = open.get(chunk.fid) ?? (await this.#open(chunk, context));
        open.set(chunk.fid, children);
        await this.#collect(children, start, found, open, context, [...above, chunk.fid]);
      }
    }
  }

  async #open(manifest: Chunk, context: ClusterContext): Promise<readonly Chunk[]> {
    const recent = this.#recent.get(manifest.fid);
    if (recent !== undefined) return recent;
    const children = withinSpan(await this.#readManifest(manifest, context), manifest);
    this.#recent.set(manifest.fid, children);
    for (const oldest of this.#recent.keys()) {
      if (this.#recent.size <= maxRecent) break;
      this.#recent.delete(oldest);
    }
    return children;
  }
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
