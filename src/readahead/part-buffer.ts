/**
 * What a part has received and the client has not taken, and the memory for it.
 *
 * With a grant, memory for the whole part was taken before it was asked for, and its body is drained as fast as it
 * comes. Without one (a head when the budget is used up) each block is read when the client wants it.
 */
import type { StoredPiece } from "../sources/source.ts";
import { type Attempt, LetGo, type Room } from "./attempt.ts";
import type { Engine } from "./engine.ts";
import { Gate } from "./gate.ts";
import { SMALL_BLOCK } from "./pace.ts";
import { GRANT_MARGIN } from "./plan.ts";

/** Bytes received and not handed on, with what they cost the budget. */
export interface Block {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly charged: number;
}

/** Largest block for a head without a share: 256 KiB cost a quarter more CPU than 1 MiB, 64 KiB three times as much. */
const LENT_BLOCK = 256 * 1024;

/** Bytes a part of `length` must be granted to be read ahead whole. */
export function grantFor(piece: StoredPiece, length: number): number {
  const hold = piece.holdBytes ?? 0;
  return isCovered(piece, length) ? hold : hold + length + GRANT_MARGIN;
}

/** True for stores that decode the whole piece in memory: their hold pays for the blocks too. */
export function isCovered(piece: StoredPiece, length: number): boolean {
  return piece.holdBytes !== undefined && piece.holdBytes >= length;
}

export class PartBuffer {
  readonly #engine: Engine;
  readonly #blocks: Block[] = [];
  readonly #demand = new Gate();
  /** The store's hold covers the blocks. */
  readonly #covered: boolean;
  /** Reads on without being asked for each block. */
  readonly ahead: boolean;
  /** Lives on the memory that was reserved before headers. */
  readonly onReserve: boolean;
  /** Bytes granted and not in blocks. */
  #granted: number;
  #wanted = false;
  #closed = false;

  /** @param granted Bytes of the budget already taken for this part; 0: it reads block by block, on demand */
  constructor(engine: Engine, piece: StoredPiece, length: number, granted: number) {
    this.#engine = engine;
    this.#granted = granted;
    this.#covered = isCovered(piece, length);
    this.onReserve = this.#covered && granted === 0;
    this.ahead = this.#covered || granted > 0;
  }

  get empty(): boolean {
    return this.#blocks.length === 0;
  }

  want(): void {
    this.#wanted = true;
    this.#demand.open();
  }

  /** Has whoever waits for the client look at its own state again. */
  wake(): void {
    this.#demand.open();
  }

  /** Resolves when the client waits for a byte, or the part was closed. */
  async untilWanted(): Promise<void> {
    while (!this.#wanted && !this.#closed) await this.#demand.wait();
  }

  /** Takes the oldest block, if it is no larger than `most`; whoever takes it gives its charge back. */
  take(most: number): Block | undefined {
    const block = this.#blocks[0];
    if (block === undefined || block.bytes.byteLength > most) return undefined;
    this.#blocks.shift();
    this.#wanted = false;
    return block;
  }

  /** Puts the rest of a block back that was too large for the client. */
  putBack(block: Block): void {
    this.#blocks.unshift(block);
  }

  /** Memory for the next block of up to `bytes`; waits for the client where there is no grant. */
  room(attempt: Attempt, bytes: number): Room | Promise<Room> {
    if (this.#covered) return { capacity: bytes, charged: 0 };
    if (!this.ahead) return this.#wanted ? this.#roomOnDemand(bytes) : this.#park(attempt, bytes);
    this.#granted -= bytes;
    return { capacity: bytes, charged: bytes };
  }

  /** The block was not read after all. */
  giveUp(room: Room): void {
    if (this.ahead) this.#granted += room.charged;
    else this.#engine.lease.give(room.charged);
  }

  /** Takes a block in; `false`: it was copied, the buffer can be used again. */
  accept(bytes: Uint8Array<ArrayBuffer>, room: Room): boolean {
    // A view is held whole, however little is in it: one that is not full is copied out, unless it goes on at once.
    const full = room.capacity - bytes.byteLength <= 1;
    const kept = bytes.byteLength > 0 && (full || !this.ahead);
    const charged = kept ? room.charged : Math.min(room.charged, bytes.byteLength);
    this.giveUp({ capacity: 0, charged: room.charged - charged });
    if (bytes.byteLength === 0) return false;
    // The free block is one: the next is read when the client has taken this one.
    if (room.charged === 0 && !this.ahead) this.#wanted = false;
    this.#blocks.push({ bytes: kept ? bytes : bytes.slice(), charged });
    this.#engine.news();
    return kept;
  }

  /** Every byte was received: what blocks did not use goes back, but a store's hold stays until they are taken. */
  received(): void {
    if (!this.#covered || this.empty) this.#giveGrant();
  }

  /** Frees everything at once. Idempotent. */
  close(): void {
    this.#giveGrant();
    this.#closed = true;
    this.#demand.open();
    for (const { bytes } of this.#blocks.splice(0)) {
      this.#engine.totals.bytesWasted += bytes.byteLength;
      free(bytes.buffer);
    }
  }

  #roomOnDemand(bytes: number): Room {
    const { lease, pace } = this.#engine;
    const wanted = Math.min(bytes, pace.blockBytes);
    if (wanted > SMALL_BLOCK && lease.take(wanted)) return { capacity: wanted, charged: wanted };
    // Small blocks cost CPU, and a crowd has none to spare: a larger one is lent while memory lies idle.
    const lent = Math.min(wanted, LENT_BLOCK);
    if (lent > SMALL_BLOCK && lease.borrow(lent)) return { capacity: lent, charged: lent };
    // The head may always have one small block, whatever the budget says: every download goes on.
    return { capacity: Math.min(wanted, SMALL_BLOCK), charged: 0 };
  }

  async #park(attempt: Attempt, bytes: number): Promise<Room> {
    attempt.parkedAt = performance.now();
    try {
      while (!this.#wanted) {
        await this.#demand.wait();
        attempt.signal.throwIfAborted();
        if (attempt.letGo) throw new LetGo();
      }
    } finally {
      attempt.parkedAt = undefined;
    }
    return this.#roomOnDemand(bytes);
  }

  #giveGrant(): void {
    this.#engine.lease.give(this.#granted);
    this.#granted = 0;
  }
}

/** Dropping references freed nothing for seconds (measured); a transfer frees at once. */
export function free(buffer: ArrayBuffer): void {
  if (buffer.byteLength > 0) buffer.transfer(0);
}
