/**
 * How many requests a range of a chunk list can cost, told before any is sent: a read for every visible stretch, and
 * first what it needs to be read (a manifest, a lookup, a data key), each once. Pure.
 *
 * Exact, or somewhat too much, for chunks that are known. Of a manifest that was not read yet only the span is known: it
 * is taken to list as many chunks, as small and over as many volumes, as those that were read: in the range, or else
 * wherever in the object. Writers fold the same number into each, or less into the last.
 */
import type { ByteRange } from "../../readahead/byte-range.ts";
import type { Chunk } from "./chunk.ts";

/** What a count has to be told. */
export interface CountedNeeds {
  /** The chunks of a manifest, where they were read already. */
  opened(manifest: Chunk): readonly Chunk[] | undefined;
  /** Those of the object that were read lately, wherever they lie. */
  read?(): Iterable<OpenedManifest>;
  /** Names what must still be asked before the chunk can be read. Chunks with the same name share one request. */
  firstAsked(chunk: Chunk): Iterable<string>;
}

/** A manifest that was read. */
export interface OpenedManifest {
  readonly manifest: Chunk;
  readonly children: readonly Chunk[];
}

/** The most that a writer folds into one manifest: 10,000 chunks; 4.53 folds every 256 that are smaller than 1 MiB, too. */
const manifestChunks = 10_000;

/** @returns An upper bound, so far as {@link CountedNeeds.opened} knows the list */
export function countRequests(
  top: readonly Chunk[],
  range: ByteRange,
  needs: CountedNeeds,
): number {
  const seen = visitAll(top, range, needs);
  let typical: Fold | undefined;
  const overlapping = overlappingOf(seen.leaves);
  const overlappingKnown = overlappingOf(seen.leaves.filter(({ manifest }) => !manifest));
  let reads = 0;
  let others = seen.asked.size;
  for (const leaf of seen.leaves) {
    // Chunks that overlap have at most twice as many visible stretches: one may lie within another, and cut it in two.
    // What a manifest lists counts for that itself, not the chunks it lies among: 4.53 folds small ones among large ones.
    if (!leaf.manifest) {
      reads += overlappingKnown.has(leaf) ? 2 : 1;
      continue;
    }
    const manifest = leaf;
    typical ??= typicalFold(seen.folds.length > 0 ? seen.folds : foldsElsewhere(needs));
    const fold = typical;
    const stretches = overlapping.has(leaf) ? 2 : 1;
    const share = bytesIn(manifest, range) / manifest.size;
    const listed = Math.min(fold.chunks, Math.ceil(fold.chunks * share) + 1);
    // A manifest of manifests lists more than fits one.
    const below = Math.ceil(bytesIn(manifest, range) * fold.chunksPerByte);
    const chunks = Math.max(listed, below);
    reads += stretches * chunks;
    others += Math.ceil(chunks / fold.chunks) + Math.ceil(chunks * fold.asksPerChunk);
  }
  return others + reads;
}

/**
 * The manifest to read next where nothing is known of what any in the range lists: the first one in the order of the
 * bytes. `undefined` where one is known, or none is left.
 */
export function firstToLearn(
  top: readonly Chunk[],
  range: ByteRange,
  needs: CountedNeeds,
): Chunk | undefined {
  const { folds, leaves, visited } = visitAll(top, range, needs);
  if (folds.length > 0) return undefined;
  return leaves
    .filter((leaf) => leaf.manifest && !visited.has(leaf.fid))
    .toSorted((a, b) => a.offset - b.offset)[0];
}

interface Seen {
  /** Chunks, and manifests that were not read. */
  readonly leaves: Chunk[];
  readonly asked: Set<string>;
  /** Of every manifest read: what tells of those that were not. */
  readonly folds: Fold[];
  /** Manifests gone into: a list that contains itself has no end. */
  readonly visited: Set<string>;
}

/** Those that have bytes in common with another one. A list need not be in the order of the bytes. */
function overlappingOf(leaves: readonly Chunk[]): Set<Chunk> {
  const overlapping = new Set<Chunk>();
  let furthest: Chunk | undefined;
  for (const leaf of leaves.toSorted((a, b) => a.offset - b.offset)) {
    if (furthest !== undefined && leaf.offset < furthest.offset + furthest.size) {
      overlapping.add(furthest);
      overlapping.add(leaf);
    }
    if (furthest === undefined || leaf.offset + leaf.size > furthest.offset + furthest.size)
      furthest = leaf;
  }
  return overlapping;
}

interface Fold {
  readonly chunks: number;
  readonly chunksPerByte: number;
  readonly asksPerChunk: number;
}

function visitAll(top: readonly Chunk[], range: ByteRange, needs: CountedNeeds): Seen {
  const seen = { leaves: [], asked: new Set<string>(), folds: [], visited: new Set<string>() };
  visit(top, range, needs, seen);
  return seen;
}

function visit(chunks: readonly Chunk[], range: ByteRange, needs: CountedNeeds, seen: Seen): void {
  for (const chunk of chunks) {
    if (bytesIn(chunk, range) <= 0) continue;
    const children =
      chunk.manifest && !seen.visited.has(chunk.fid) ? needs.opened(chunk) : undefined;
    if (children !== undefined) {
      seen.visited.add(chunk.fid);
      const fold = foldOf(chunk, children, needs);
      if (fold !== undefined) seen.folds.push(fold);
      visit(children, range, needs, seen);
      continue;
    }
    for (const name of needs.firstAsked(chunk)) seen.asked.add(name);
    seen.leaves.push(chunk);
  }
}

/** Names of all their chunks are asked for: only where a count needs it. */
function foldsElsewhere(needs: CountedNeeds): Fold[] {
  return [...(needs.read?.() ?? [])].flatMap(
    ({ manifest, children }) => foldOf(manifest, children, needs) ?? [],
  );
}

function foldOf(
  manifest: Chunk,
  children: readonly Chunk[],
  needs: CountedNeeds,
): Fold | undefined {
  const names = new Set<string>();
  let chunks = 0;
  for (const child of children) {
    if (child.manifest) continue;
    chunks += 1;
    for (const name of needs.firstAsked(child)) names.add(name);
  }
  if (chunks === 0) return undefined;
  return { chunks, chunksPerByte: chunks / manifest.size, asksPerChunk: names.size / chunks };
}

/** The costliest of those seen. With none, what SeaweedFS writes, each chunk in a volume of its own. */
function typicalFold(folds: readonly Fold[]): Fold {
  if (folds.length === 0) return { chunks: manifestChunks, chunksPerByte: 0, asksPerChunk: 1 };
  return {
    chunks: Math.max(...folds.map((fold) => fold.chunks)),
    chunksPerByte: Math.max(...folds.map((fold) => fold.chunksPerByte)),
    asksPerChunk: Math.max(...folds.map((fold) => fold.asksPerChunk)),
  };
}

function bytesIn({ offset, size }: Chunk, range: ByteRange): number {
  return Math.min(offset + size, range.end) - Math.max(offset, range.start);
}
