/**
 * The read-ahead: a window of parts in flight, and the ordered byte stream they feed.
 *
 *   pull()    wants the next bytes: takes a block of the head, or waits for one
 *   fill()    opens parts behind the head as long as the policies say yes
 *
 *   time ->      window of 4, one round trip = 5 dashes, nothing known of the object
 *   part 0  [-----####]
 *   part 1       [-----####]          asked for when part 0's answer had shown size and version
 *   part 2       [-----####    ]
 *   part 3       [-----####        ]  with size and version known, all four start with part 0
 *   part 4           [-----####    ]  asked for when part 0 was delivered
 *            ----- waiting for headers    #### receiving    blank: received, waiting for its turn
 *
 * Who owns what: the download owns lifetime, permits and totals. This file owns order. A part owns its attempts and
 * its blocks until they are handed on. The planner owns the position.
 *
 * Who waits for whom: only `pull()` waits, for the head's next block; parts wait for their store, or, without a
 * grant of memory, for `pull()`. Nothing waits for another download.
 *
 * The first byte goes first: behind a first answer of more than 128 KiB the window opens 2 ms later. Five requests cost a
 * millisecond of the turn that sends headers (measured at 10 ms, in turns: first byte 0.8 ms sooner, a whole MiB 0.3 ms
 * later). The full width comes as soon as there is nothing to win by waiting.
 *
 * The core asks each policy one question: `ask-ahead.ts` how much may be asked for, `budget.ts` whether memory is there,
 * `pace.ts` whether this client is slow, `plan.ts` how large the next part is, `slow-tail.ts` whether the head is raced.
 *
 * What it deliberately does not do: it never drains a part inside `pull()`, never enqueues more than was pulled for,
 * and never asks for a part behind the head without memory to take it in.
 */
import type { FirstAnswer } from "../sources/source.ts";
import { askAheadBytes } from "./ask-ahead.ts";
import { BlockStream, TOGETHER_BYTES } from "./block-stream.ts";
import { discardBody } from "./body-reader.ts";
import { byteLength } from "./byte-range.ts";
import type { Engine } from "./engine.ts";
import type { EndedBy } from "./events.ts";
import { Filler } from "./filler.ts";
import { Gate } from "./gate.ts";
import { isLiteral, type Layout, layoutBytes } from "./layout.ts";
import { LARGE_BLOCK, SMALL_BLOCK } from "./pace.ts";
import { Part } from "./part.ts";
import { grantFor, isCovered } from "./part-buffer.ts";
import { assertAffordable, partEnd } from "./plan.ts";
import { Planner, type StoredStretch, type Stretch } from "./planner.ts";

/** Fillers at most queued behind parts: manifests with a hole after every chunk must not be walked to their end. */
const MAX_QUEUED = 256;
/** A head that is waited for is judged this often at most. */
const SHORTEST_RACE_WATCH_MS = 10;
/** How long the window waits behind the first answer, so that its first block is with the client before others are asked for. */
const HEAD_START_MS = 2;

export class Readahead {
  /** Exactly the layout's bytes, in order. Errors when the download fails: never a short body that looks complete. */
  readonly stream: ReadableStream<Uint8Array>;
  readonly #out: BlockStream;
  readonly #engine: Engine;
  readonly #layout: Layout;
  readonly #planner: Planner;
  /** Oldest first. */
  readonly #queue: Array<Part | Filler> = [];
  readonly #news = new Gate();
  #first: FirstAnswer | undefined;
  #partsInWindow = 0;
  /** The part that was judged far below normal once. */
  #lagging: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #filling = false;
  #pulling = false;
  #started = false;
  #closed = false;

  constructor(engine: Engine, layout: Layout) {
    this.#engine = engine;
    this.#layout = layout;
    this.#planner = new Planner(engine.object, layout, engine.context);
    this.#first = engine.object.first;
    this.#out = new BlockStream({
      length: layoutBytes(layout),
      pull: () => this.#pull(),
      cancel: (failed, reason) => engine.close(failed ? "write-failed" : "stream-cancel", reason),
    });
    this.stream = this.#out.stream;
  }

  /** True once the first answer was checked: from here on a failure breaks the transfer. */
  get started(): boolean {
    return this.#started;
  }

  /** Opens the first parts; resolves when bytes can follow headers. Rejects when the download was closed before. */
  async start(): Promise<void> {
    const { object, allowance, context } = this.#engine;
    // A source tells what its pieces cost when it has found the first: their list may have to be read.
    await this.#planner.peek();
    let pieces = 0;
    for (const segment of this.#layout)
      if (!isLiteral(segment))
        pieces += (await object.pieceCount?.(segment, allowance.left, context)) ?? 1;
    const atHand = object.first === undefined ? 0 : byteLength(object.first.range);
    if (pieces > 0) assertAffordable(pieces, allowance.left, atHand, this.#planner.remaining);
    // Each further request costs a quarter of a millisecond before the headers leave. Small parts would miss the time.
    if (atHand > 2 * SMALL_BLOCK) this.#lookAgainIn(HEAD_START_MS);
    this.#fill();
    while (!this.#started && !this.#closed && this.#needsAnswer()) await this.#news.wait();
    context.signal.throwIfAborted();
    this.#started = true;
  }

  /** A part's answer was checked: its place is free for the next request. */
  answered(part: number): void {
    // Headers wait for part 0: another part's answer says nothing about the first byte.
    if (part === 0) this.#started = true;
    this.#news.open();
    this.#fill();
  }

  /** Something arrived or ended: `pull()` looks again. */
  news(): void {
    this.#news.open();
  }

  /** How long the client has not come for more, ms; 0 while it waits for us. */
  idleMs(now: number): number {
    return this.#pulling ? 0 : now - this.#engine.pace.idleSince;
  }

  tick(now: number): void {
    for (const entry of this.#queue) if (entry instanceof Part) entry.tick(now);
  }

  /** Part of the download's one way out: frees every part and breaks the stream unless it has ended. */
  close(endedBy: EndedBy, reason: unknown): void {
    this.#closed = true;
    for (const entry of this.#queue.splice(0)) if (entry instanceof Part) entry.close();
    discardBody(this.#first?.body, reason);
    this.#planner.end();
    clearTimeout(this.#timer as never);
    if (endedBy !== "done" && endedBy !== "stream-cancel") this.#out.error(reason);
    this.#news.open();
  }

  /** Hands on one block, or small ones together, waiting for the first if need be. */
  async #pull(): Promise<void> {
    let now = performance.now();
    this.#engine.pace.pulled(now);
    this.#pulling = true;
    try {
      while (!this.#closed) {
        let bytes = this.#nextBytes();
        if (bytes !== undefined) {
          // From here on it has what it came for, and may rest.
          this.#pulling = false;
          let room = TOGETHER_BYTES;
          while (bytes !== undefined) {
            room -= bytes.byteLength;
            this.#handOn(bytes, now);
            bytes = room > 0 && !this.#closed ? this.#nextBytes(room) : undefined;
          }
          return;
        }
        if (this.#atEnd()) {
          this.#finish();
          return;
        }
        this.#fill();
        if (!this.#nothingYet()) continue;
        this.#watchHead();
        await this.#news.wait();
        now = performance.now();
      }
    } finally {
      this.#pulling = false;
    }
  }

  /** Has the head judged while the client waits for it: one timer at most, set anew only when it ran. */
  #watchHead(): void {
    const { limits, slowTail, totals } = this.#engine;
    if (!limits.hedge || this.#timer !== undefined || !this.#pulling) return;
    // A sixteenth of the requests, as of the bytes, and two: a tail of a KiB must not be asked for over and over.
    if (totals.hedges * 16 > totals.parts + 32) return;
    const head = this.#queue[0];
    if (!(head instanceof Part) || !head.buffer.empty) return;
    const { progress } = head;
    if (progress === undefined) return;
    const waitMs = slowTail.raceIn(progress, totals.bytesSent, performance.now());
    if (waitMs === undefined) return;
    // Judged twice: a busy isolate finds a block late that came in time.
    const confirmed = waitMs === 0 && this.#lagging === head.index;
    this.#lagging = waitMs === 0 && !confirmed ? head.index : undefined;
    if (confirmed) head.race();
    this.#lookAgainIn(Math.max(waitMs, SHORTEST_RACE_WATCH_MS));
  }

  #lookAgainIn(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#fill();
      this.#watchHead();
    }, ms);
  }

  #nothingYet(): boolean {
    const head = this.#queue[0];
    if (this.#closed || head instanceof Filler || head?.delivered === true) return false;
    head?.buffer.want();
    return head?.buffer.empty !== false;
  }

  #handOn(bytes: Uint8Array<ArrayBuffer>, now: number): void {
    const { totals, pace } = this.#engine;
    // Before it is enqueued: a byte stream takes the buffer away.
    totals.bytesSent += bytes.byteLength;
    pace.handed(bytes.byteLength, now);
    this.#out.enqueue(bytes);
    this.#shiftDelivered();
    if (this.#atEnd()) this.#finish();
    else this.#fill();
  }

  #finish(): void {
    // First the download: whatever a reader's own buffer makes of the stream's end, nothing stays open.
    this.#engine.close("done");
    this.#out.close();
  }

  #atEnd(): boolean {
    if (this.#queue.length > 0) return false;
    return this.#planner.remaining === 0 || this.#planner.ended;
  }

  /** The next bytes of the head that may be handed on and transferred, if any are here: `most` at most. */
  #nextBytes(most = Infinity): Uint8Array<ArrayBuffer> | undefined {
    this.#shiftDelivered();
    const head = this.#queue[0];
    const { pace, lease } = this.#engine;
    if (head instanceof Filler) return head.take(Math.min(LARGE_BLOCK, most));
    const block = head?.buffer.take(most);
    if (head === undefined || block === undefined) return undefined;
    const { bytes, charged } = block;
    // A slow client takes small blocks: the rest stays here, counted, instead of in the runtime's queue.
    if (bytes.byteLength > 2 * pace.blockBytes) {
      head.buffer.putBack({ bytes: bytes.subarray(pace.blockBytes), charged });
      return bytes.slice(0, pace.blockBytes);
    }
    lease.give(charged);
    // What is enqueued is transferred with its whole buffer: the small rest of a large block is copied out.
    return bytes.byteLength * 2 < bytes.buffer.byteLength ? bytes.slice() : bytes;
  }

  #shiftDelivered(): void {
    for (;;) {
      const head = this.#queue[0];
      if (head?.delivered !== true) return;
      this.#queue.shift();
      if (head instanceof Part) this.#partDelivered(head);
      const next = this.#queue[0];
      if (next instanceof Part) next.becomeHead();
    }
  }

  #partDelivered(part: Part): void {
    this.#partsInWindow -= 1;
    part.close();
    this.#engine.emit?.({ type: "part-delivered", at: performance.now(), part: part.index });
  }

  /** Opens what may be opened now. At most one runs at a time; it looks at the state anew after every wait. */
  #fill(): void {
    if (this.#filling || this.#closed || this.#planner.ended) return;
    this.#filling = true;
    this.#openWhilePossible().catch((error: unknown) => this.#engine.fail(error));
  }

  async #openWhilePossible(): Promise<void> {
    try {
      for (;;) {
        if (this.#partsInWindow > 0 && this.#partsInWindow >= this.#width()) return;
        const stretch = this.#planner.current ?? (await this.#planner.peek());
        if (this.#closed) return;
        if (stretch === undefined) {
          this.#news.open();
          return;
        }
        if (!this.#openNext(stretch)) return;
      }
    } finally {
      // In the same turn as the last look: a change right after it must find the door open.
      this.#filling = false;
    }
  }

  /** Opens the next part, or queues bytes at hand; false when it must wait. */
  #openNext(stretch: Stretch): boolean {
    if (this.#queue.length >= MAX_QUEUED) {
      // Whoever waits for the first answer need not walk further either.
      this.#news.open();
      return false;
    }
    if (stretch.kind !== "stored") {
      const filler = new Filler(stretch.kind === "zeros" ? stretch.count : stretch.bytes);
      this.#push(filler);
      this.#planner.advance(filler.left);
      return true;
    }
    const head = this.#partsInWindow === 0;
    // A slow client's next part is asked for when it is wanted; everyone else's as soon as there is room.
    if (head && this.#engine.pace.slow && !this.#pulling) return false;
    const first = head ? this.#takeFirst(stretch) : undefined;
    const end = first?.range.end ?? this.#partEnd(stretch);
    const range = { start: stretch.range.start, end: Math.min(end, stretch.range.end) };
    const granted = this.#grant(stretch, byteLength(range), head);
    if (granted === undefined) return false;
    const part = new Part(this.#engine.totals.parts, stretch.piece, range, granted, this.#engine);
    this.#engine.totals.parts += 1;
    this.#partsInWindow += 1;
    this.#push(part);
    this.#planner.advance(byteLength(range));
    part.open(first);
    return true;
  }

  #push(entry: Part | Filler): void {
    this.#queue.push(entry);
    // Behind literal bytes alone the first part is the one that headers wait for.
    if (entry instanceof Part && this.#partsInWindow === 1) entry.becomeHead();
    if (this.#queue.length === 1) this.#news.open();
  }

  /** The answer that came with open() is part 0, whatever its length. */
  #takeFirst(stretch: StoredStretch): FirstAnswer | undefined {
    const first = this.#first;
    if (first === undefined || first.range.start !== stretch.range.start) return undefined;
    this.#first = undefined;
    if (this.#engine.resumable || first.range.end >= stretch.range.end) return first;
    // What cannot be pinned must come from one answer: this one is too short.
    discardBody(first.body);
    return undefined;
  }

  /** How many parts may be in flight. */
  #width(): number {
    const { limits, pace, lease, resumable, totals } = this.#engine;
    if (!resumable || pace.slow || !lease.mayOpen()) return 1;
    if (totals.parts < 2 && this.#timer !== undefined) return 1;
    return limits.windowParts;
  }

  /** Memory for a part: `undefined` when it may not be opened now, 0 when it may read block by block, on demand. */
  #grant(stretch: StoredStretch, bytes: number, head: boolean): number | undefined {
    const { lease, allowance, resumable, totals } = this.#engine;
    const weight = grantFor(stretch.piece, bytes);
    // The reserve was taken before headers, for whichever part holds a chunk first.
    const onReserve = (entry: Part | Filler) => entry instanceof Part && entry.buffer.onReserve;
    if (isCovered(stretch.piece, bytes) && !this.#queue.some(onReserve)) return 0;
    if (head) return Number.isFinite(bytes) && resumable && lease.take(weight) ? weight : 0;
    if (!allowance.free) return undefined;
    const askedAhead = this.#planner.planned - totals.bytesSent;
    if (askedAhead + bytes > this.#mayAskAhead()) return undefined;
    return lease.take(weight) ? weight : undefined;
  }

  #mayAskAhead(): number {
    const { totals, pace } = this.#engine;
    return askAheadBytes(totals.bytesSent, pace.takingMs);
  }

  #partEnd(stretch: StoredStretch): number {
    const { limits, pace, lease, allowance, resumable } = this.#engine;
    if (!resumable || stretch.piece.atomic === true) return stretch.range.end;
    return partEnd(
      {
        position: stretch.range.start,
        end: stretch.range.end,
        planned: this.#planner.planned,
        remaining: this.#planner.remaining,
        subrequestsLeft: allowance.left,
        shareBytes: lease.share(),
        askAheadBytes: this.#mayAskAhead(),
        sliceBytes: pace.slow ? pace.sliceBytes : undefined,
      },
      limits,
    );
  }

  /** True while a store has not answered that will be asked: for the first bytes, or behind literal ones (multipart). */
  #needsAnswer(): boolean {
    if (this.#queue.some((entry) => entry instanceof Part)) return true;
    if (this.#queue.length >= MAX_QUEUED) return false;
    return this.#planner.remaining > 0 && !this.#planner.ended;
  }
}
