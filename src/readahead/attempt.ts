/**
 * One attempt at a part: one upstream request, its body read in adaptive blocks, ended exactly once.
 *
 * Block sizes (measured): 1 MiB blocks cost a third of the CPU of 64 KiB blocks, but a pending read of
 * 1 MiB loses what already came when the body breaks, and hides a trickle. So the first block, and every block of an
 * upstream slower than a block in 50 ms, is read as it comes; large minimums are for upstreams proven fast.
 */
import { type ErrorKind, ReadaheadError, type ReadaheadErrorOptions } from "../errors.ts";
import type { Answer } from "../sources/source.ts";
import { type BodyReader, createBodyReader, createDecodingReader } from "./body-reader.ts";
import { type ByteRange, byteLength } from "./byte-range.ts";
import type { Engine } from "./engine.ts";
import type { AttemptEnd } from "./events.ts";
import { LARGE_BLOCK, SMALL_BLOCK } from "./pace.ts";

/** A block within this time lets the next one be twice as large; one slower than twice this is read as it comes. */
const QUICK_BLOCK_MS = 25;
const SLOW_BLOCK_MS = 50;

/** Why a body was given up although nothing was wrong with it: nobody drained it. */
export class LetGo extends Error {}

/** Memory for one block: how large it may be, and what was charged to the budget for it. */
export interface Room {
  readonly capacity: number;
  readonly charged: number;
}

/** Where an attempt's bytes go. */
export interface Sink {
  /** Resolves when a block of up to `bytes` may be read; rejects when the body must be given up. */
  room(attempt: Attempt, bytes: number): Room | Promise<Room>;
  /** The block was not read after all. */
  giveUp(room: Room): void;
  /** Takes the block; `false`: it was copied, the buffer can be used again. */
  accept(bytes: Uint8Array<ArrayBuffer>, room: Room): boolean;
  /** Told right behind the last block that the body has ended with it: its turn need not be waited for. */
  ends?(attempt: Attempt): void;
}

export class Attempt {
  readonly number: number;
  readonly range: ByteRange;
  readonly hedge: boolean;
  readonly controller = new AbortController();
  /** Kept: each look at it through the controller is a native call. */
  readonly signal = this.controller.signal;
  readonly #part: number;
  readonly #engine: Engine;
  #reader: BodyReader | undefined;
  #bytes = 0;
  /** Received and held back: the tail that may be the text of an error. */
  #carried = 0;
  #ended = false;
  /** Since when the body lies undrained because nobody wants its bytes; ms. */
  parkedAt: number | undefined;
  /** Since when a read brings nothing; ms. */
  readingSince: number | undefined;
  readonly requestedAt = performance.now();
  answeredAt: number | undefined;
  lastByteAt: number | undefined;
  /** Since when every byte is here and the body's end is waited for; ms. */
  endingSince: number | undefined;
  #wasParked = false;
  /** Set by whoever decides that the undrained body is given up. */
  letGo = false;
  replica: string | undefined;
  /** The source knows another replica. */
  alternatives = false;

  constructor(part: number, number: number, range: ByteRange, hedge: boolean, engine: Engine) {
    this.#part = part;
    this.number = number;
    this.range = range;
    this.hedge = hedge;
    this.#engine = engine;
    engine.live.add(this);
    engine.lease.opened();
    engine.totals.attempts += 1;
    const at = this.requestedAt;
    engine.emit?.({ type: "part-requested", at, part, attempt: number, range, hedge });
  }

  /** Bytes received. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Ends request and body; a pending read rejects or comes back empty. */
  abort(reason: unknown): void {
    this.controller.abort(reason);
    this.#reader?.cancel(reason);
  }

  /** An error of the replica that was asked. */
  fault(kind: ErrorKind, message: string, more?: ReadaheadErrorOptions): ReadaheadError {
    const { replica, alternatives } = this;
    return new ReadaheadError(kind, message, { replica, alternatives, ...more });
  }

  /** Headers are there and checked. */
  answered(answer: Answer): void {
    this.replica = answer.replica;
    const reader = createBodyReader(answer.body);
    const { decode } = answer;
    this.#reader = decode === undefined ? reader : createDecodingReader(reader, decode);
    if (this.signal.aborted) {
      this.#reader.cancel(this.signal.reason);
      throw this.signal.reason;
    }
    const at = performance.now();
    this.answeredAt = at;
    this.#engine.slowTail.answered(at - this.requestedAt);
    this.#engine.watch();
    this.#engine.emit?.({
      type: "part-answered",
      at,
      part: this.#part,
      attempt: this.number,
      replica: answer.replica,
    });
  }

  /**
   * Reads the body to the end of the range, block by block, into the sink.
   *
   * @throws ReadaheadError `truncated` when the body ended early, `unavailable` when it broke
   */
  async drain(answer: Answer, sink: Sink): Promise<void> {
    const reader = this.#reader;
    if (reader === undefined) return;
    const tail = answer.suspectTailBytes ?? 0;
    let missing = byteLength(this.range);
    const speed = new ReadSpeed(this.#engine, missing);
    let carry: Uint8Array = new Uint8Array(0);
    let spare: ArrayBuffer | undefined;
    while (missing > 0) {
      const wanted = Math.min(speed.blockBytes, missing + 1) + carry.byteLength;
      const asked = sink.room(this, wanted);
      this.#wasParked ||= this.parkedAt !== undefined;
      const room = asked instanceof Promise ? await asked : asked;
      const capacity = Math.max(room.capacity, carry.byteLength + 1);
      const buffer = spare?.byteLength === capacity ? spare : new ArrayBuffer(capacity);
      const view = new Uint8Array(buffer, carry.byteLength);
      if (carry.byteLength > 0) new Uint8Array(buffer).set(carry);
      const min = Math.max(1, speed.least(view.byteLength, reader.endsShort ? Infinity : missing));
      const result = await this.#readBlock(reader, view, min, speed).catch((error: unknown) => {
        sink.giveUp(room);
        throw error;
      });
      if (
        this.signal.aborted ||
        result.view.buffer.byteLength < carry.byteLength + result.view.byteLength
      ) {
        sink.giveUp(room);
        throw this.#truncated(missing);
      }
      const read = Math.min(result.view.byteLength, missing);
      const ended = result.done || result.view.byteLength < min;
      missing -= read;
      this.#bytes += read;
      this.#engine.totals.bytesFetched += read;
      // An unfinished body may end in the text of an error: its last bytes wait until more has come.
      const whole = missing === 0 || (ended && missing === Infinity);
      const held = whole ? 0 : Math.min(tail, carry.byteLength + read);
      this.#carried = held;
      const filled = new Uint8Array(result.view.buffer, 0, carry.byteLength + read);
      carry = filled.slice(filled.byteLength - held);
      const kept = sink.accept(filled.subarray(0, filled.byteLength - held), room);
      if (ended && missing === 0) sink.ends?.(this);
      spare = kept ? undefined : result.view.buffer;
      if (!ended) continue;
      if (missing === 0 || missing === Infinity) return;
      throw this.#truncated(missing);
    }
    await this.#readEnd(reader);
  }

  /** Ends the attempt, once: frees its upstream and says why. */
  end(end: AttemptEnd, error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    const engine = this.#engine;
    engine.live.delete(this);
    engine.lease.ended();
    engine.totals.bytesWasted += this.#carried;
    if (end === "complete") this.#learn();
    else this.abort(error ?? new LetGo(end));
    const failure = error instanceof ReadaheadError ? error : undefined;
    engine.emit?.({
      type: "attempt-ended",
      at: performance.now(),
      part: this.#part,
      attempt: this.number,
      bytes: this.#bytes,
      end,
      kind: failure?.kind,
      status: failure?.status,
      replica: this.replica ?? failure?.replica,
    });
  }

  /** What this attempt says about the store; a body that waited for its client says nothing. */
  #learn(): void {
    if (this.#wasParked || this.answeredAt === undefined || this.lastByteAt === undefined) return;
    this.#engine.slowTail.completed(this.#bytes, this.lastByteAt - this.answeredAt);
  }

  async #readBlock(
    reader: BodyReader,
    view: Uint8Array<ArrayBuffer>,
    min: number,
    speed: ReadSpeed,
  ) {
    this.readingSince = performance.now();
    try {
      const result = await reader.read(view, min);
      this.lastByteAt = performance.now();
      speed.read(result.view.byteLength, this.lastByteAt - this.readingSince);
      return result;
    } catch (error) {
      // What came within the pending read is lost: the next one must not wait for as much again.
      speed.broke();
      throw this.fault("unavailable", "Upstream broke its answer off", {
        cause: error,
        connection: true,
      });
    } finally {
      this.readingSince = undefined;
    }
  }

  #truncated(missing: number): ReadaheadError {
    return this.fault("truncated", `Upstream's answer ended ${missing} bytes early`);
  }

  /** Reads past the last byte, so that a kept-alive connection is free again; surplus is cancelled. */
  async #readEnd(reader: BodyReader): Promise<void> {
    this.endingSince = performance.now();
    try {
      const { done, view } = await reader.read(new Uint8Array(1), 1);
      if (done || view.byteLength === 0) return;
    } catch {
      // Every byte asked for is here: how the connection ends does not matter.
    }
    reader.cancel(undefined);
  }
}

/** How large the next block may be, by how fast the last ones came. */
class ReadSpeed {
  readonly #engine: Engine;
  readonly #least: number;
  #bytes = 0;
  #ms = 0;
  proven = false;
  blockBytes = SMALL_BLOCK;

  /** @param bytes Length of the part: one that fits a small block is read at once where others were fast */
  constructor(engine: Engine, bytes: number) {
    this.#engine = engine;
    // What cannot be asked for again must not be lost in a read that waits for more than a slow store sends in time.
    this.#least = engine.resumable ? LARGE_BLOCK : SMALL_BLOCK;
    if (bytes > SMALL_BLOCK || engine.provenBlockBytes === 0) return;
    this.proven = true;
    // One byte more than the part: the same read shows its end.
    this.blockBytes = bytes + 1;
  }

  /** How much the next read waits for: of a view of `bytes`, with `known` to come. */
  least(bytes: number, known: number): number {
    return this.proven ? Math.min(bytes, known, this.#least) : 1;
  }

  read(bytes: number, ms: number): void {
    this.#bytes += bytes;
    this.#ms += ms;
    if (this.#bytes < this.blockBytes) return;
    if (this.#ms <= QUICK_BLOCK_MS) {
      this.blockBytes = this.proven
        ? Math.min(LARGE_BLOCK, this.#least * 4, this.blockBytes * 2)
        : Math.max(SMALL_BLOCK, this.#engine.provenBlockBytes);
      this.#engine.provenBlockBytes = Math.max(this.#engine.provenBlockBytes, this.blockBytes);
      this.proven = true;
    } else if (this.#ms > SLOW_BLOCK_MS) {
      this.broke();
    }
    this.#bytes = 0;
    this.#ms = 0;
  }

  /** Too slow, or a read failed: this store is proven no longer. */
  broke(): void {
    this.proven = false;
    this.blockBytes = SMALL_BLOCK;
    this.#engine.provenBlockBytes = 0;
  }
}
