/**
 * One entry, open for reading: its stretches as pieces, chunk by chunk, and how each is read.
 */

import { ReadaheadError } from "../../errors.ts";
import type { ByteRange } from "../../readahead/byte-range.ts";
import { intersect } from "../../readahead/byte-range.ts";
import { isLiteral, type Layout } from "../../readahead/layout.ts";
import { Reserve } from "../../readahead/reserve.ts";
import type {
  Answer,
  CallContext,
  Facts,
  KnownPiece,
  OpenObject,
  OpenRequest,
  ReadRequest,
  StoredPiece,
  Want,
} from "../source.ts";
import type { Chunk } from "./chunk.ts";
import { ChunkList } from "./chunk-list.ts";
import { type ChunkPiece, ChunkReader } from "./chunk-reader.ts";
import type { Cluster } from "./cluster.ts";
import { decryptInPlace } from "./ctr.ts";
import { type Entry, isRemoteOnly } from "./entry.ts";
import { checksumHeaders } from "./facts.ts";
import type { Interval } from "./intervals.ts";
import { Lookups } from "./locate.ts";
import { ReplicaWalk } from "./replica-walk.ts";
import type { ClusterContext } from "./request.ts";
import { s3PartOf } from "./s3-part.ts";
import { ObjectKeys } from "./sse/object-keys.ts";
import { sealedKeyName } from "./sse/record.ts";

/** The whole of an object that only the filer can fetch. */
interface RemotePiece extends StoredPiece {
  readonly remote: true;
}

export type SeaweedfsPiece = ChunkPiece | RemotePiece;

/**
 * A client's key is judged after its conditions, as the S3 gateway does it: where the request has any, a missing or wrong
 * key comes with the object, as `locked`.
 *
 * @throws ReadaheadError `key-missing`, `key-wrong`, `unsupported` for an object that cannot be decrypted, and
 * `unsatisfiable` for a part number it does not have
 */
export async function openEntry(
  entry: Entry,
  cluster: Cluster,
  request: OpenRequest,
): Promise<OpenObject<SeaweedfsPiece>> {
  const part =
    request.s3PartNumber === undefined ? undefined : s3PartOf(entry, request.s3PartNumber);
  const known = cluster.facts.of(entry);
  const facts =
    request.checksums === true
      ? { ...known, headers: { ...known.headers, ...checksumHeaders(entry) } }
      : known;
  let keys: ObjectKeys | undefined;
  try {
    keys = await ObjectKeys.open(entry, request.clientKeys, cluster.keys, request);
  } catch (error) {
    if (request.conditions === undefined || !isKeyRefusal(error)) throw error;
    return lockedObject(facts, part?.range, error);
  }
  // The filer removes no encryption: what it fetches from the remote storage would go out as it lies there.
  if (keys !== undefined && isRemoteOnly(entry))
    throw new ReadaheadError(
      "unsupported",
      "The object is encrypted and lies in remote storage, where only the filer can read it",
    );
  const lookups = cluster.locator === undefined ? undefined : new Lookups(cluster.locator);
  const object = new SeaweedfsObject(
    entry,
    part === undefined ? facts : { ...facts, s3PartCount: part.count },
    cluster,
    lookups,
    keys,
    part?.range,
  );
  await object.prepare(request);
  return object;
}

function isKeyRefusal(error: unknown): error is ReadaheadError {
  return (
    error instanceof ReadaheadError && (error.kind === "key-missing" || error.kind === "key-wrong")
  );
}

/** Facts to judge conditions by, and no bytes. */
function lockedObject(
  facts: Facts,
  s3Part: ByteRange | undefined,
  locked: ReadaheadError,
): OpenObject<SeaweedfsPiece> {
  return { facts, s3Part, locked, read: () => Promise.reject(locked) };
}

class SeaweedfsObject implements OpenObject<SeaweedfsPiece> {
  readonly facts: Facts;
  readonly s3Part: ByteRange | undefined;
  readonly #entry: Entry;
  readonly #cluster: Cluster;
  readonly #keys: ObjectKeys | undefined;
  readonly #walk: ReplicaWalk;
  readonly #reader: ChunkReader;
  readonly #list: ChunkList;
  #content: Uint8Array | undefined;
  /** What chunks under manifests need, as far as it was found. */
  #manifestHold = 0;

  constructor(
    entry: Entry,
    facts: Facts,
    cluster: Cluster,
    lookups: Lookups | undefined,
    keys: ObjectKeys | undefined,
    s3Part: ByteRange | undefined,
  ) {
    this.#entry = entry;
    this.facts = facts;
    this.s3Part = s3Part;
    this.#cluster = cluster;
    this.#keys = keys;
    this.#walk = new ReplicaWalk(cluster, lookups, (context) => this.#judgeLoss(context));
    this.#reader = new ChunkReader(cluster, this.#walk, keys);
    this.#list = new ChunkList(entry.chunks, async (manifest, context) =>
      cluster.lists.share(manifest.fid, await this.#reader.manifest(manifest, context)),
    );
  }

  /** Decrypts inline content, and finds how much memory decoding will need. */
  async prepare(request: OpenRequest): Promise<void> {
    const { content, chunks } = this.#entry;
    if (content !== undefined && chunks.length === 0) {
      const cipher = await this.#keys?.contentCipher(request);
      const clear = content.slice();
      if (cipher !== undefined) await decryptInPlace(cipher, clear);
      this.#content = clear;
    }
    // Where nothing at the top is ciphered or verified, nothing below is: opening then asks nobody.
    const holds = this.#verifies || chunks.some((chunk) => chunk.cipherKey !== undefined);
    if (request.want !== "facts" && holds && chunks.some((chunk) => chunk.manifest))
      this.#manifestHold = await this.#holdOfManifests(request.want, request);
  }

  /** A large chunk outside of what is asked for is nobody's concern. */
  reserve(layout: Layout): Reserve | undefined {
    let hold = this.#manifestHold;
    for (const segment of layout) {
      if (isLiteral(segment)) continue;
      for (const chunk of this.#entry.chunks) {
        const meets = chunk.offset < segment.end && chunk.offset + chunk.size > segment.start;
        if (meets && !chunk.manifest) hold = Math.max(hold, this.#holdOf(chunk) ?? 0);
      }
    }
    return hold === 0 ? undefined : new Reserve(hold);
  }

  async *pieces(
    range: ByteRange,
    context: CallContext,
  ): AsyncGenerator<SeaweedfsPiece | KnownPiece> {
    const { size } = this.#entry;
    const wanted = intersect(range, { start: 0, end: size });
    if (wanted === undefined) return;
    if (isRemoteOnly(this.#entry)) {
      yield { kind: "stored", range: wanted, remote: true };
      return;
    }
    if (this.#content !== undefined) {
      yield* literal(this.#content, wanted);
      return;
    }
    let at = wanted.start;
    for await (const window of this.#list.windows(wanted, context)) {
      for (const interval of window.intervals) {
        if (interval.start > at) yield zeros(at, interval.start);
        yield this.#piece(interval);
        at = interval.end;
      }
    }
    if (at < wanted.end) yield zeros(at, wanted.end);
  }

  async pieceCount(range: ByteRange, left: number, context: CallContext): Promise<number> {
    if (this.#content !== undefined) return 0;
    if (isRemoteOnly(this.#entry)) return 1;
    return this.#list.requestCount(range, left, (chunk) => this.#firstAsked(chunk), context);
  }

  async read(piece: SeaweedfsPiece, range: ByteRange, request: ReadRequest): Promise<Answer> {
    if (!("remote" in piece)) return this.#reader.read(piece, range, request);
    return this.#cluster.filer.read(this.#entry.path, range, this.facts, request);
  }

  async refresh(piece: SeaweedfsPiece, context: CallContext): Promise<boolean> {
    return "remote" in piece ? false : this.#walk.refresh(piece.chunk, context);
  }

  async replicas(piece: SeaweedfsPiece, context: CallContext): Promise<readonly string[]> {
    return "remote" in piece ? ["filer"] : this.#walk.names(piece.chunk, context);
  }

  /** Where the chunk's volume (or its token) must be looked up, and which data key must be opened by a key service. */
  *#firstAsked(chunk: Chunk): Generator<string> {
    const { locator } = this.#cluster;
    const key = locator?.keyOf(chunk.fid);
    if (key !== undefined && locator?.known(key) === undefined) yield `lookup ${key}`;
    const sealed = chunk.sse === "sse-kms" ? sealedKeyName(chunk.sseMetadata ?? "") : undefined;
    if (sealed !== undefined) yield `key ${sealed}`;
  }

  #piece({ start, end, chunk, offsetInChunk }: Interval<Chunk>): ChunkPiece {
    const whole = offsetInChunk === 0 && end - start === chunk.size;
    const holdBytes = whole || chunk.cipherKey !== undefined ? this.#holdOf(chunk) : undefined;
    // Every part of a compressed chunk would fetch it whole.
    const gzip = chunk.compressed || this.#cluster.gzipped.has(chunk.fid);
    return {
      kind: "stored",
      range: { start, end },
      chunk,
      offsetInChunk,
      ...(holdBytes !== undefined || gzip ? { atomic: true } : {}),
      ...(holdBytes === undefined ? {} : { holdBytes }),
    };
  }

  /**
   * A ciphered chunk is held as stored and as clear bytes, one that is verified as it came and in the blocks made of it.
   * The cipher's own 28 bytes are left out: with them, two downloads of 8 MiB chunks would miss 32 MiB by 112 bytes, and
   * one would wait for the other.
   */
  #holdOf({ cipherKey, compressed, size }: Chunk): number | undefined {
    const held = cipherKey !== undefined || (this.#verifies && !compressed);
    return held ? 2 * size : undefined;
  }

  get #verifies(): boolean {
    return this.#cluster.options.verify;
  }

  /**
   * What chunks under manifests need is only known from the manifests; the first stands for all. It is read now instead
   * of a moment later, when the walk reaches it.
   */
  async #holdOfManifests(want: Exclude<Want, "facts">, context: ClusterContext): Promise<number> {
    const { size } = this.#entry;
    const asked = "suffix" in want ? size - want.suffix : want.start;
    const start = Math.min(Math.max(0, asked), size - 1);
    let hold = 0;
    for await (const { intervals } of this.#list.windows({ start, end: start + 1 }, context))
      for (const { chunk } of intervals) hold = Math.max(hold, this.#holdOf(chunk) ?? 0);
    return hold;
  }

  /** No server has a chunk any more. @throws ReadaheadError `changed` or `lost` */
  async #judgeLoss(context: ClusterContext): Promise<never> {
    const { path, identity } = this.#entry;
    this.#cluster.entries.drop(path);
    const now = await this.#cluster.filer.entry(path, context);
    if (now?.identity !== identity)
      throw new ReadaheadError("changed", "The object changed while it was read");
    throw new ReadaheadError("lost", "A chunk of the object is on no server any more");
  }
}

function zeros(start: number, end: number): KnownPiece {
  return { kind: "zeros", range: { start, end } };
}

/** Content may be longer than the object (cut off by a mount), and shorter: the rest reads as zeros. */
function* literal(content: Uint8Array, range: ByteRange): Generator<KnownPiece> {
  const end = Math.min(range.end, content.byteLength);
  if (range.start < end)
    yield {
      kind: "literal",
      range: { start: range.start, end },
      bytes: content.subarray(range.start, end),
    };
  if (end < range.end) yield zeros(Math.max(end, range.start), range.end);
}
