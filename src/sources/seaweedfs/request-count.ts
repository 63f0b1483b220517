/**
 * How many requests a range of a chunk list can cost, told before any is sent: a read for every visible stretch, and
 * first what it needs to be read (a manifest, a lookup, a data key), each once. Pure.
 *
 * Exact, or somewhat too much, for chunks that are known. Of a manifest that was not read yet only the span is known: it
 * is taken to list as many chunks, as small and over as many volumes, as those that were read. Writers fold the same
 * number into each, and the engine finds a range's first piece, with its manifest, before it asks for this.
 */
import type { ByteRange } from "../../readahead/byte-range.ts";
import type { Chunk } from "./chunk.ts";

/** What a count has to be told. */
export interface CountedNeeds {
  /** The chunks of a manifest, where they were read already. */
  opened(manifest: Chunk): readonly Chunk[] | undefined;
  /** Names what must still be asked before the chunk can be read. Chunks with the same name share one request. */
  firstAsked(chunk: Chunk): Iterable<string>;
}

/** A writer folds 10,000 chunks into one manifest. */
const manifestChunks = 10_000;

/** @returns An upper bound, so far as {@link CountedNeeds.opened} knows the list */
export function countRequests(
  top: readonly Chunk[],
  range: ByteRange,
  needs: CountedNeeds,
): number {
  const seen: Seen = { reads: 0, asked: new Set(), unread: [], folds: [], end: 0, overlaps: false };
  visit(top, range, needs, seen);
  const fold = typicalFold(seen);
  let { reads } = seen;
  let others = seen.asked.size;
  for (const manifest of seen.unread) {
    const share = bytesIn(manifest, range) / manifest.size;
    const listed = Math.min(fold.chunks, Math.ceil(fold.chunks * share) + 1);
    // A manifest of manifests lists more than fits one.
    const below = Math.ceil(bytesIn(manifest, range) * fold.chunksPerByte);
    const chunks = Math.max(listed, below);
    reads += chunks;
    others += Math.ceil(chunks / fold.chunks) + Math.ceil(chunks * fold.asksPerChunk);
  }
  // Chunks that overlap have at most twice as many visible stretches.
  return others + (seen.overlaps ? 2 * reads : reads);
}

interface Seen {
  reads: number;
  readonly asked: Set<string>;
  readonly unread: Chunk[];
  /** Of every manifest read: what tells of those that were not. */
  readonly folds: Fold[];
  /** Furthest end so far. */
  end: number;
  overlaps: boolean;
}

interface Fold {
  readonly chunks: number;
  readonly chunksPerByte: number;
  readonly asksPerChunk: number;
}

function visit(chunks: readonly Chunk[], range: ByteRange, needs: CountedNeeds, seen: Seen): void {
  for (const chunk of chunks) {
    if (bytesIn(chunk, range) <= 0) continue;
    const children = chunk.manifest ? needs.opened(chunk) : undefined;
    if (children !== undefined) {
      const fold = foldOf(chunk, children, needs);
      if (fold !== undefined) seen.folds.push(fold);
      visit(children, range, needs, seen);
      continue;
    }
    if (chunk.offset < seen.end) seen.overlaps = true;
    seen.end = Math.max(seen.end, chunk.offset + chunk.size);
    for (const name of needs.firstAsked(chunk)) seen.asked.add(name);
    if (chunk.manifest) seen.unread.push(chunk);
    else seen.reads += 1;
  }
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
function typicalFold({ folds }: Seen): Fold {
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
