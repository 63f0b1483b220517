/** Reads chunks of one open object: asks a replica, checks what came, decodes it. Who is asked: replica-walk.ts. */
import { ReadaheadError } from "../../errors.ts";
import type { ByteRange } from "../../readahead/byte-range.ts";
import { delay } from "../../readahead/delay.ts";
import { free } from "../../readahead/part-buffer.ts";
import { nextMove } from "../../readahead/retry.ts";
import { absolve, isSuspect, suspect } from "../../readahead/suspects.ts";
import type { Answer, ReadRequest, StoredPiece } from "../source.ts";
import { discard } from "../upstream.ts";
import type { Chunk } from "./chunk.ts";
import type { Cluster } from "./cluster.ts";
import { matchesEtag } from "./crc32c.ts";
import { createDecoder, decryptInPlace, type StreamCipher } from "./ctr.ts";
import { cipherOverheadBytes, inflate, looksGzipped, openCiphered } from "./decode.ts";
import type { Door, NextDoor } from "./door.ts";
import { readOrWaste, tellWaste } from "./in-vain.ts";
import { checkSpan, parseManifest } from "./manifest-blob.ts";
import { isNeedle, type NeedleAnswer, readNeedle } from "./needle.ts";
import { provenBody } from "./proven-body.ts";
import type { ReplicaWalk } from "./replica-walk.ts";
import { type ClusterContext, ofReplica, readWhole } from "./request.ts";
import { sliceBody } from "./slice-body.ts";
import type { ObjectKeys } from "./sse/object-keys.ts";

/** A visible stretch of a chunk. */
export interface ChunkPiece extends StoredPiece {
  readonly chunk: Chunk;
  /** Where in the chunk the piece begins. */
  readonly offsetInChunk: number;
}

/** `not found\n` and the like may end a body that breaks off; the longest seen is 10 bytes. */
const suspectTailBytes = 64;
/** 10,000 chunks with keys and ids are about 2 MB. */
const manifestBytes = 16 * 1024 * 1024;
/** When memory may be free again. */
const retryAfterMs = 5_000;
/** Their pauses take 1.6 s on average where every replica fails. What fails here ends the download. */
const manifestAttempts = 6;

/** What is wanted of a chunk, in its clear bytes. */
interface Wanted {
  readonly chunk: Chunk;
  readonly from: number;
  readonly to: number;
  readonly cipher: StreamCipher | undefined;
  /** The piece's bytes are to be held and checked against the checksum. */
  readonly verify: boolean;
}

export class ChunkReader {
  readonly #cluster: Cluster;
  readonly #walk: ReplicaWalk;
  readonly #keys: ObjectKeys | undefined;
  /** Stretches that broke when they were handed on in part, unchecked: nothing may be spliced to that part. */
  readonly #unproven = new WeakMap<Chunk, { readonly from: number; readonly to: number }>();

  constructor(cluster: Cluster, walk: ReplicaWalk, keys: ObjectKeys | undefined) {
    this.#cluster = cluster;
    this.#walk = walk;
    this.#keys = keys;
  }

  /** See `OpenObject.read`. */
  async read(piece: ChunkPiece, range: ByteRange, request: ReadRequest): Promise<Answer> {
    const { chunk } = piece;
    const from = piece.offsetInChunk + range.start - piece.range.start;
    const to = from + range.end - range.start;
    const cipher = await this.#cipher(chunk, from, request);
    const verify = chunk.cipherKey === undefined && piece.holdBytes !== undefined;
    const wanted = { chunk, from, to, cipher, verify };
    const answer = await this.#walk.ask(
      chunk,
      request,
      (replica) => request.tried(replica),
      (door) =>
        chunk.cipherKey === undefined
          ? this.#readPlain(wanted, door, request)
          : this.#readCiphered(wanted, chunk.cipherKey, door, request),
    );
    this.#walk.answered();
    return answer;
  }

  /**
   * The chunks that a manifest lists. Fails over by itself, as a part of the engine's window would: none asks for
   * manifests.
   */
  async manifest(chunk: Chunk, { permits, signal }: ClusterContext): Promise<Chunk[]> {
    const context = { permits, signal, suspect: isSuspect };
    const tried = new Set<string>();
    let graceUsed = false;
    let refreshed = false;
    for (let failures = 1; ; failures++) {
      let asked: string | undefined;
      try {
        return await this.#walk.ask(
          chunk,
          context,
          (replica) => tried.has(replica),
          async (door) => {
            asked = door.replica;
            const chunks = await this.#readManifest(chunk, door, context);
            absolve(door.replica);
            return chunks;
          },
        );
      } catch (error) {
        if (!(error instanceof ReadaheadError) || signal.aborted) throw error;
        const move = nextMove(error, {
          failures,
          allowed: manifestAttempts,
          graceUsed,
          canRefresh: !refreshed,
          resumable: true,
        });
        if (move.move === "fail") throw error;
        if (move.move === "same") {
          graceUsed = true;
          continue;
        }
        if (asked !== undefined) tried.add(asked);
        if (asked !== undefined && error.connection) suspect(asked);
        if (move.move === "other") continue;
        tried.clear();
        const changed = move.move === "refresh" && (await this.#walk.refresh(chunk, context));
        refreshed ||= move.move === "refresh";
        if (!changed) await delay(move.delayMs, signal);
      }
    }
  }

  /** Only the top of the list told how the object is encrypted; chunks of a manifest may say otherwise. */
  async #cipher(
    chunk: Chunk,
    from: number,
    context: ClusterContext,
  ): Promise<StreamCipher | undefined> {
    if (this.#keys !== undefined) return this.#keys.cipher(chunk, from, context);
    if (chunk.sse === "none") return undefined;
    throw new ReadaheadError(
      "unsupported",
      "A chunk is encrypted in an object that does not say that it is",
    );
  }

  async #readPlain(wanted: Wanted, door: NextDoor, request: ReadRequest): Promise<Answer> {
    const { chunk, from, to } = wanted;
    const { fid, size } = chunk;
    const full = from === 0 && to === size;
    const unproven = this.#unproven.get(chunk);
    if (unproven !== undefined && from > unproven.from && from < unproven.to)
      throw new ReadaheadError("lost", "A compressed chunk broke off, and part of it is sent");
    if (!full && !chunk.compressed && !this.#cluster.gzipped.has(fid)) {
      const range = { start: from, end: to };
      const answer = await this.#ask({ fid, door, range, purpose: "read" }, request);
      if (!answer.gzip) {
        this.#checkLength(answer, size, door);
        return this.#deliver(answer, { ...wanted, from: 0, to: to - from }, door, request);
      }
      discard(answer.response);
      this.#cluster.gzipped.add(fid);
    }
    const answer = await this.#ask({ fid, door, acceptGzip: true, purpose: "read" }, request);
    if (answer.gzip) this.#cluster.gzipped.add(fid);
    else this.#checkLength(answer, size, door);
    // The checksum is of the whole needle, which a mount that truncates a file leaves longer than its chunk.
    if (wanted.verify && full && !answer.gzip && (answer.needleBytes ?? size) === size)
      return this.#verified(answer, wanted, door, request);
    const exact = full && !answer.gzip && answer.needleBytes === size;
    return this.#deliver(answer, wanted, door, request, !exact);
  }

  /** Hands the body on, cut and decrypted where that is needed. */
  #deliver(
    answer: NeedleAnswer,
    wanted: Wanted,
    door: Door,
    request: ReadRequest,
    cut = false,
  ): Answer {
    const { cipher } = wanted;
    const body = cut ? this.#cutBody(answer, wanted, door, request) : answer.body;
    const decode = cipher === undefined ? {} : { decode: createDecoder(cipher) };
    return { body, replica: door.replica, suspectTailBytes, ...decode };
  }

  #cutBody(
    answer: NeedleAnswer,
    { chunk, from, to }: Wanted,
    { replica }: Door,
    request: ReadRequest,
  ): ReadableStream<Uint8Array> {
    const onSkipped = (bytes: number) => tellWaste(request, bytes);
    const slice = { skip: from, length: to - from, permits: request.permits, onSkipped };
    if (!answer.gzip) return sliceBody(answer.body, slice);
    const onWhole = (bytes: number) => {
      if (bytes !== chunk.size && !(bytes > chunk.size && isNeedle(answer)))
        throw new ReadaheadError("protocol", "A compressed needle is not its chunk's", { replica });
    };
    const onUnproven = () => this.#unproven.set(chunk, { from, to });
    return provenBody(answer.body, { ...slice, onWhole, onUnproven });
  }

  #verified(
    answer: NeedleAnswer,
    { chunk: { size }, cipher }: Wanted,
    door: NextDoor,
    request: ReadRequest,
  ): Promise<Answer> {
    const { replica, alternatives } = door;
    return readOrWaste(request, async (received) => {
      const bytes = await this.#wholeBody(answer, size, door, request, received);
      if (bytes.byteLength !== size || !matchesEtag(bytes, answer.response.headers.get("etag"))) {
        const message = "A chunk does not match its checksum";
        throw new ReadaheadError("protocol", message, { replica, alternatives });
      }
      if (cipher !== undefined) await decryptInPlace(cipher, bytes);
      request.signal.throwIfAborted();
      return { body: bytes, replica };
    });
  }

  async #readCiphered(
    { chunk, from, to, cipher }: Wanted,
    cipherKey: Uint8Array<ArrayBuffer>,
    door: NextDoor,
    request: ReadRequest,
  ): Promise<Answer> {
    const { fid, size } = chunk;
    const answer = await this.#ask({ fid, door, purpose: "read" }, request);
    const limit = storedLimit(chunk);
    // A mount that truncates a file shortens the chunk, not its needle: the surplus goes through memory twice, too.
    const surplus = Math.max(0, (answer.needleBytes ?? 0) - limit);
    if (surplus > 0 && !request.permits.take(2 * surplus)) {
      discard(answer.response);
      throw new ReadaheadError("overloaded", "No memory was free to decode a truncated chunk", {
        retryAfterMs,
      });
    }
    try {
      return await readOrWaste(request, async (received) => {
        const most = limit + surplus;
        const stored = await this.#wholeBody(answer, most, door, request, received);
        const clear = await this.#decipher(stored, chunk, cipherKey, size, door);
        request.signal.throwIfAborted();
        const { byteLength } = clear;
        if (byteLength < size)
          throw new ReadaheadError("lost", "A chunk of the object is shorter than it should be");
        const bytes = surplus > 0 ? clear.slice(from, to) : clear.subarray(from, to);
        if (surplus > 0) free(clear.buffer);
        if (cipher !== undefined) await decryptInPlace(cipher, bytes);
        request.signal.throwIfAborted();
        tellWaste(request, byteLength - bytes.byteLength);
        return { body: bytes, replica: door.replica };
      });
    } finally {
      request.permits.give(2 * surplus);
    }
  }

  async #readManifest(chunk: Chunk, door: NextDoor, context: ClusterContext): Promise<Chunk[]> {
    const blob = await this.#wholeBlob(chunk, door, context);
    try {
      const children = parseManifest(blob);
      checkSpan(children, chunk);
      return children;
    } catch (error) {
      // Another replica may have it undamaged.
      if (!(error instanceof ReadaheadError)) throw error;
      throw ofReplica(error, door.replica, door.alternatives);
    }
  }

  async #wholeBlob(chunk: Chunk, door: NextDoor, context: ClusterContext): Promise<Uint8Array> {
    const { fid, cipherKey } = chunk;
    const acceptGzip = cipherKey === undefined;
    const answer = await this.#ask({ fid, door, acceptGzip, purpose: "manifest" }, context);
    const blob = await this.#wholeBody(answer, manifestBytes, door, context);
    if (cipherKey === undefined) return blob;
    return this.#decipher(blob, chunk, cipherKey, manifestBytes, door, "refused");
  }

  async #decipher(
    stored: Uint8Array<ArrayBuffer>,
    chunk: Chunk,
    cipherKey: Uint8Array<ArrayBuffer>,
    limitBytes: number,
    { replica, alternatives }: NextDoor,
    surplus: "refused" | "dropped" = "dropped",
  ): Promise<Uint8Array<ArrayBuffer>> {
    try {
      const opened = await openCiphered(stored, cipherKey);
      if (!chunk.compressed || !looksGzipped(opened)) return opened;
      const clear = await inflate(opened, limitBytes, surplus);
      free(opened.buffer);
      return clear;
    } catch (error) {
      if (!(error instanceof ReadaheadError) || error.kind !== "lost" || !alternatives) throw error;
      // Another replica may have it whole.
      throw new ReadaheadError("protocol", error.message, { cause: error, replica, alternatives });
    }
  }

  async #wholeBody(
    { body, needleBytes, gzip }: NeedleAnswer,
    limitBytes: number,
    { replica, alternatives }: NextDoor,
    context: ClusterContext,
    onRead?: (bytes: number) => void,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const expectedBytes = gzip ? undefined : needleBytes;
    try {
      const bytes = await readWhole(body, { limitBytes, expectedBytes, replica, onRead });
      if (expectedBytes !== undefined && bytes.byteLength < expectedBytes)
        throw new ReadaheadError("truncated", "A volume server's answer ended early", { replica });
      return bytes;
    } catch (error) {
      if (context.signal.aborted) throw context.signal.reason;
      throw error instanceof ReadaheadError ? ofReplica(error, replica, alternatives) : error;
    }
  }

  async #ask(
    request: Parameters<typeof readNeedle>[0],
    context: ClusterContext,
  ): Promise<NeedleAnswer> {
    try {
      const answer = await readNeedle(request, this.#cluster.needles, context);
      // The server has fetched it from where the volume lies now: good bytes at double the traffic.
      if (answer.moved && request.door.direct) this.#forgetPlace(request.fid);
      return answer;
    } catch (error) {
      // The next token of the master is asked for anew.
      if (error instanceof ReadaheadError && error.status === 401) this.#forgetPlace(request.fid);
      throw error;
    }
  }

  #forgetPlace(fid: string): void {
    const { locator } = this.#cluster;
    locator?.forget(locator.keyOf(fid));
  }

  /**
   * A needle may be longer than its chunk (a mount truncated the file), never shorter. Of another length, or of none, it
   * has to be told from what else may answer there: a filer's read-only port has its front page for every chunk.
   */
  #checkLength(answer: NeedleAnswer, size: number, door: NextDoor): void {
    const { needleBytes } = answer;
    if (needleBytes === size) return;
    if (!isShorter(needleBytes, size) && isNeedle(answer)) return;
    discard(answer.response);
    throw new ReadaheadError(
      "protocol",
      isShorter(needleBytes, size)
        ? `A needle has ${needleBytes} bytes where its chunk has ${size}`
        : "An answer for a chunk does not come from a volume server",
      { replica: door.replica, alternatives: door.alternatives },
    );
  }
}

function isShorter(needleBytes: number | undefined, size: number): boolean {
  return needleBytes !== undefined && needleBytes < size;
}

/** Most bytes a ciphered needle can have. Gzip may make random bytes longer by a few in every 16 KiB. */
function storedLimit({ size, compressed }: Chunk): number {
  return size + cipherOverheadBytes + (compressed ? 1024 + Math.ceil(size / 1024) : 0);
}
