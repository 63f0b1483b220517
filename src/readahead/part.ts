/**
 * One part: a ranged read inside one piece, made of one or more attempts, each resumed at the byte reached.
 *
 * A part runs by itself from `open()` until its last byte is received or it fails for good; the window takes blocks from
 * its queue. It reads on as long as it has a grant of memory. Without one (a head when the budget is used up) it reads
 * a block only when the client wants one, and an upstream that lies undrained for `holdMs` is let go.
 *
 * What it does not know: the order of parts, the client's stream, HTTP.
 */
import { ReadaheadError } from "../errors.ts";
import type { Answer, FirstAnswer, StoredPiece } from "../sources/source.ts";
import { PutBack } from "./allowance.ts";
import { Attempt, LetGo, type Room, type Sink } from "./attempt.ts";
import { type ByteRange, byteLength } from "./byte-range.ts";
import { delay } from "./delay.ts";
import type { Engine } from "./engine.ts";
import { PartBuffer } from "./part-buffer.ts";
import { Outrun, Race, type RaceTrack } from "./race.ts";
import { isTransient, nextMove } from "./retry.ts";
import type { HeadProgress } from "./slow-tail.ts";
import { absolve, isSuspect, suspect } from "./suspects.ts";

/** A part is let go at most once in this time: a store must not be asked over and over for bytes nobody takes. */
const LET_GO_AT_MOST_EVERY_MS = 10_000;

/** A body whose every byte is here may take so long to end: then its connection is given up. */
const END_PATIENCE_MS = 500;

/** An attempt that brings less and breaks is followed by a pause: a store that breaks every answer must not be stormed. */
const LEAST_GAIN = 64 * 1024;
const PAUSE_BASE_MS = 25;
const LONGEST_PAUSE_MS = 5_000;

export class Part implements RaceTrack {
  readonly index: number;
  readonly piece: StoredPiece;
  readonly range: ByteRange;
  readonly #engine: Engine;
  readonly buffer: PartBuffer;
  readonly #tried = new Set<string>();
  /** Next byte to receive. */
  #position: number;
  #attempt: Attempt | undefined;
  /** The second attempt beside the first, and its end. */
  #race: { readonly rival: Attempt; readonly done: Promise<void> } | undefined;
  #attempts = 0;
  #state: "running" | "received" | "closed" = "running";
  #head = false;
  #letGoAt = -Infinity;
  #failures = 0;
  /** Failed attempts in a row that brought little. */
  #meagre = 0;
  #graceUsed = false;
  #refreshed = false;

  /** @param granted Bytes of the budget already taken for this part; 0: it reads block by block, on demand */
  constructor(
    index: number,
    piece: StoredPiece,
    range: ByteRange,
    granted: number,
    engine: Engine,
  ) {
    this.index = index;
    this.piece = piece;
    this.range = range;
    this.#position = range.start;
    this.buffer = new PartBuffer(engine, piece, byteLength(range), granted);
    this.#engine = engine;
  }

  /** True when every byte was received and taken. */
  get delivered(): boolean {
    return this.#state === "received" && this.buffer.empty;
  }

  /** Starts reading; with `first`, from the answer that came with the open. */
  open(first?: FirstAnswer): void {
    this.#run(first).then(
      () => this.#engine.news(),
      (error: unknown) => this.#engine.fail(error),
    );
  }

  /** The part is the oldest now: its requests go first. */
  becomeHead(): void {
    this.#head = true;
    this.#failures = 0;
  }

  /** Frees everything this part holds, at once. Its attempts are aborted by the download. Idempotent. */
  close(): void {
    this.#state = "closed";
    this.buffer.close();
  }

  /** Lets go of an upstream that nobody drains, and gives up one that brings nothing. */
  tick(now: number): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    const { allowance, limits } = this.#engine;
    const { holdMs, stallMs } = limits;
    if (attempt.endingSince !== undefined) {
      if (now - attempt.endingSince >= END_PATIENCE_MS) attempt.abort(new LetGo());
    } else if (attempt.parkedAt !== undefined) {
      if (!this.#engine.resumable || this.piece.atomic === true) return;
      if (now - attempt.parkedAt < holdMs || now - this.#letGoAt < LET_GO_AT_MOST_EVERY_MS) return;
      // Each costs a request: once half of them are spent, the store may cut the body instead, which costs no more.
      if (allowance.left * 2 < limits.subrequests) return;
      this.#letGoAt = now;
      attempt.letGo = true;
      this.buffer.wake();
    } else if (attempt.readingSince !== undefined && now - attempt.readingSince >= stallMs) {
      attempt.abort(
        attempt.fault("unavailable", `Upstream sent nothing for ${stallMs} ms`, {
          connection: true,
          silent: true,
        }),
      );
    }
  }

  get position(): number {
    return this.#position;
  }

  /** How the attempt that should bring the next byte is doing; `undefined` where racing it makes no sense. */
  get progress(): HeadProgress | undefined {
    const attempt = this.#race?.rival ?? this.#attempt;
    if (attempt === undefined || attempt.parkedAt !== undefined) return undefined;
    if (!this.#engine.resumable || this.piece.atomic === true) return undefined;
    const { requestedAt, answeredAt, lastByteAt, bytes } = attempt;
    const remaining = attempt.range.end - this.#position;
    // Every byte is here, only the end of the body is not.
    if (remaining === 0) return undefined;
    return { requestedAt, answeredAt, lastByteAt, bytes, remaining };
  }

  /** Asks for the bytes still missing a second time; whichever attempt is ahead goes on. */
  race(): void {
    const end = this.#attempt?.range.end;
    if (end === undefined || this.#state !== "running") return;
    const engine = this.#engine;
    this.#endRace();
    const range = { start: this.#position, end };
    engine.totals.hedges += 1;
    engine.slowTail.raced(byteLength(range));
    const at = performance.now();
    engine.emit?.({ type: "hedge", at, part: this.index, from: range.start });
    const rival = new Attempt(this.index, ++this.#attempts, range, true, engine);
    const done = this.#read(rival, undefined, new Race(rival, this));
    this.#race = { rival, done };
    done.catch((error: unknown) => {
      // The first attempt goes on alone, unless it has ended already and waits for this one.
      if (this.#race?.rival !== rival || this.#attempt === undefined) return;
      this.#race = undefined;
      rival.end("failed", rival.signal.aborted ? rival.signal.reason : error);
      this.#noteThrottled(error);
    });
  }

  overtaken(by: Attempt): void {
    const attempt = this.#attempt;
    if (attempt === by) return;
    this.#attempt = undefined;
    attempt?.abort(new Outrun());
    this.buffer.wake();
  }

  wasted(bytes: number): void {
    this.#engine.totals.bytesWasted += bytes;
  }

  room(attempt: Attempt, bytes: number): Room | Promise<Room> {
    return this.buffer.room(attempt, bytes);
  }

  giveUp(room: Room): void {
    this.buffer.giveUp(room);
  }

  accept(bytes: Uint8Array<ArrayBuffer>, room: Room): boolean {
    this.#position += bytes.byteLength;
    if (bytes.byteLength > 0) this.#progress();
    return this.buffer.accept(bytes, room);
  }

  /** In the turn of the last block: the next part is asked for before that block is on its way. */
  ends(attempt: Attempt): void {
    attempt.end("complete");
    if (this.#race === undefined && attempt.range.end === this.range.end) this.#state = "received";
  }

  async #run(first: FirstAnswer | undefined): Promise<void> {
    let given = first;
    while (this.#state === "running") {
      const attempt = new Attempt(
        this.index,
        ++this.#attempts,
        { start: this.#position, end: this.#attemptEnd() },
        false,
        this.#engine,
      );
      this.#attempt = attempt;
      await this.#follow(attempt, this.#read(attempt, given, this));
      given = undefined;
    }
  }

  /** Follows an attempt to its end, and decides what comes next. Throws what is final. */
  async #follow(attempt: Attempt, done: Promise<void>): Promise<void> {
    try {
      await done;
      attempt.end("complete");
      this.#attempt = undefined;
      this.#endRace();
      if (this.#isClosed()) return;
      if (attempt.range.end === this.range.end) {
        this.#state = "received";
        this.buffer.received();
      } else await this.buffer.untilWanted();
    } catch (error) {
      this.#attempt = undefined;
      if (this.#isClosed()) {
        attempt.end("aborted");
        return;
      }
      const reason: unknown = attempt.signal.aborted ? attempt.signal.reason : error;
      const race = this.#race;
      if (race === undefined) {
        await this.#recover(attempt, reason);
        return;
      }
      // The rival is ahead, or is all that is left.
      attempt.end(reason instanceof Outrun ? "outrun" : "failed", reason);
      this.#race = undefined;
      this.#attempt = race.rival;
      await this.#follow(race.rival, race.done);
    }
  }

  /** Ends the second attempt: the first was faster, or a third takes its place. */
  #endRace(): void {
    this.#race?.rival.end("outrun", new Outrun());
    this.#race = undefined;
  }

  /** `#state` as another turn may have left it. */
  #isClosed(): boolean {
    return this.#state === "closed";
  }

  /** While the client is slow only a slice is asked for, small enough to be drained at once. */
  #attemptEnd(): number {
    const { pace, resumable, object, allowance } = this.#engine;
    if (!pace.slow || !resumable || this.piece.atomic === true || this.buffer.ahead) {
      return this.range.end;
    }
    // Each slice is a request. As if the whole rest came in slices, and half of what is left is for all else.
    const rest = (object.facts.size ?? Infinity) - this.#position;
    if (rest / pace.sliceBytes > allowance.left / 2) return this.range.end;
    return Math.min(this.range.end, this.#position + pace.sliceBytes);
  }

  async #read(attempt: Attempt, given: FirstAnswer | undefined, sink: Sink): Promise<void> {
    const engine = this.#engine;
    const answer: Answer =
      given ??
      (await engine.object.read(this.piece, attempt.range, {
        permits: engine.permits({
          rank: this.index,
          controller: attempt.controller,
          urgent: () => this.#head,
          asks: (ask) => {
            attempt.replica = ask.replica;
            attempt.alternatives = ask.alternatives === true;
          },
        }),
        signal: attempt.signal,
        observe: engine.context.observe,
        tried: (replica) => this.#tried.has(replica),
        // The replica that lags is asked last, like one that failed.
        suspect: (replica) =>
          isSuspect(replica) || (attempt.hedge && replica === this.#attempt?.replica),
      }));
    attempt.answered(answer);
    absolve(answer.replica);
    engine.answered(this.index);
    await attempt.drain(answer, sink);
  }

  #progress(): void {
    this.#failures = 0;
    this.#graceUsed = false;
    this.#refreshed = false;
    if (this.#tried.size > 0) this.#tried.clear();
  }

  /** A store that has too much to do is asked for nothing twice. */
  #noteThrottled(error: unknown): void {
    if (!(error instanceof ReadaheadError)) return;
    if (error.kind === "throttled" || error.status === 503) this.#engine.slowTail.throttled();
  }

  /** Decides what follows a failed attempt, and waits for it. Throws the error when it is final. */
  async #recover(attempt: Attempt, error: unknown): Promise<void> {
    const engine = this.#engine;
    if (error instanceof PutBack) {
      attempt.end("put-back", error);
      return;
    }
    if (error instanceof LetGo) {
      attempt.end("let-go", error);
      engine.totals.letGo += 1;
      const at = performance.now();
      engine.pace.letGo(at);
      engine.emit?.({ type: "let-go", at, part: this.index, from: this.#position });
      await this.buffer.untilWanted();
      return;
    }
    attempt.end("failed", error);
    this.#noteThrottled(error);
    // Silence has cost a deadline: as many of them as of other failures would be minutes.
    const silent = error instanceof ReadaheadError && error.silent && !error.alternatives;
    this.#failures += silent ? 2 : 1;
    const { object, totals } = engine;
    const move = nextMove(error, {
      failures: this.#failures,
      // Nobody waits for it yet, and what refuses it may be the load of the others.
      allowed: this.#head ? engine.limits.attempts : Infinity,
      graceUsed: this.#graceUsed,
      canRefresh: object.refresh !== undefined && !this.#refreshed,
      resumable: engine.resumable || this.#position === this.range.start,
    });
    if (move.move === "fail" || !(error instanceof ReadaheadError)) throw error;
    totals.retries += 1;
    const replica = error.replica ?? attempt.replica;
    if (move.move === "same") this.#graceUsed = true;
    else if (replica !== undefined) {
      this.#tried.add(replica);
      if (error.connection) suspect(replica);
    }
    let delayMs = move.move === "wait" || move.move === "refresh" ? move.delayMs : 0;
    this.#meagre = attempt.bytes < LEAST_GAIN ? this.#meagre + 1 : 0;
    if (move.move === "refresh") {
      this.#refreshed = true;
      const changed = await object.refresh?.(this.piece, engine.context);
      if (changed === true) delayMs = 0;
      // A refusal stands when nothing has changed since.
      else if (!isTransient(error.kind)) throw error;
    }
    if (this.#meagre > engine.limits.attempts) {
      const pause = PAUSE_BASE_MS * 2 ** (this.#meagre - engine.limits.attempts);
      delayMs = Math.max(delayMs, Math.random() * Math.min(LONGEST_PAUSE_MS, pause));
    }
    if (move.move === "refresh" || move.move === "wait") this.#tried.clear();
    const at = performance.now();
    const from = this.#position;
    engine.emit?.({ type: "retry", at, part: this.index, kind: error.kind, delayMs, from });
    if (delayMs > 0) await delay(delayMs, engine.context.signal);
  }
}
