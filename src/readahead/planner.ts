/**
 * Walks a layout and the object's pieces, lazily: it knows the stretch under the cursor and nothing behind it. A 5 TiB
 * object costs no memory, and a chunk manifest is read only when the cursor gets there.
 */
import { ReadaheadError } from "../errors.ts";
import type { CallContext, KnownPiece, OpenObject, StoredPiece } from "../sources/source.ts";
import { type ByteRange, byteLength, intersect } from "./byte-range.ts";
import { isLiteral, type Layout, layoutBytes } from "./layout.ts";

/** A stretch of one piece, from which parts are cut. */
export interface StoredStretch {
  readonly kind: "stored";
  readonly piece: StoredPiece;
  readonly range: ByteRange;
}

/** What comes next: bytes at hand, zeros, or what a store has. */
export type Stretch =
  | { readonly kind: "literal"; readonly bytes: Uint8Array }
  | { readonly kind: "zeros"; readonly count: number }
  | StoredStretch;

/** The cursor of one download's plan. */
export class Planner {
  readonly #object: OpenObject;
  readonly #layout: Layout;
  readonly #context: CallContext;
  #segment = 0;
  #pieces: AsyncIterator<StoredPiece | KnownPiece> | undefined;
  #position = 0;
  #current: Stretch | undefined;
  #planned = 0;
  readonly #total: number;
  #ended = false;

  constructor(object: OpenObject, layout: Layout, context: CallContext) {
    this.#object = object;
    this.#layout = layout;
    this.#context = context;
    this.#total = layoutBytes(layout);
  }

  /** Bytes of the answer before the cursor. */
  get planned(): number {
    return this.#planned;
  }

  /** Bytes of the answer from the cursor on. */
  get remaining(): number {
    return this.#total - this.#planned;
  }

  /** True when the cursor was seen at the end of the answer. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The stretch under the cursor, when it is known without asking the source. */
  get current(): Stretch | undefined {
    return this.#current;
  }

  /** The stretch under the cursor; `undefined` at the end of the answer. */
  async peek(): Promise<Stretch | undefined> {
    while (this.#current === undefined) {
      const segment = this.#layout[this.#segment];
      if (segment === undefined) {
        this.#ended = true;
        return undefined;
      }
      if (isLiteral(segment)) {
        this.#segment += 1;
        if (segment.byteLength > 0) this.#current = { kind: "literal", bytes: segment };
      } else {
        this.#current = await this.#next(segment);
        if (this.#current === undefined) this.#segment += 1;
      }
    }
    return this.#current;
  }

  /** Moves the cursor past `bytes` of the current stretch. */
  advance(bytes: number): void {
    const stretch = this.#current;
    if (stretch === undefined) return;
    this.#planned += bytes;
    this.#current = undefined;
    if (stretch.kind !== "stored") return;
    const start = stretch.range.start + bytes;
    const { end } = stretch.range;
    if (start < end) this.#current = { ...stretch, range: { start, end } };
  }

  /** Ends the source's iteration, whose own cleanup may run then. */
  end(): void {
    const pieces = this.#pieces;
    this.#pieces = undefined;
    pieces?.return?.().then(undefined, () => {});
  }

  async #next(segment: ByteRange): Promise<Stretch | undefined> {
    if (this.#pieces === undefined) {
      const pieces = this.#object.pieces?.(segment, this.#context) ?? wholePiece(segment);
      this.#pieces = pieces[Symbol.asyncIterator]();
      this.#position = segment.start;
    }
    for (;;) {
      const { done, value } = await this.#pieces.next();
      if (done) {
        this.#pieces = undefined;
        if (this.#position >= segment.end) return undefined;
        throw uncovered(this.#position);
      }
      const range = intersect(value.range, { start: this.#position, end: segment.end });
      if (range === undefined) continue;
      if (range.start !== this.#position) throw uncovered(this.#position);
      this.#position = range.end;
      if (value.kind === "stored") return { kind: "stored", piece: value, range };
      if (value.kind === "zeros") return { kind: "zeros", count: byteLength(range) };
      const from = range.start - value.range.start;
      const bytes = value.bytes.subarray(from, from + byteLength(range));
      return { kind: "literal", bytes };
    }
  }
}

function uncovered(position: number): ReadaheadError {
  return new ReadaheadError("protocol", `No piece covers byte ${position}`);
}

async function* wholePiece(range: ByteRange): AsyncGenerator<StoredPiece> {
  yield { kind: "stored", range };
}
