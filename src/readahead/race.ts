/**
 * A race: the head's remaining bytes, asked for a second time beside the attempt that lags.
 *
 * The rival starts at the byte the part had reached. While it is behind, its bytes are thrown away and counted; with
 * its first byte ahead it takes over, and the other is aborted. Nothing is ever handed on twice.
 *
 * While it is behind it reads into a block of 64 KiB beside the budget and beside the one that every download has: that one
 * may be held by the attempt that lags, and a race that waited for it would never be won. A download races one part at a
 * time, so it holds two such blocks at most.
 */
import type { Attempt, Room, Sink } from "./attempt.ts";
import { SMALL_BLOCK } from "./pace.ts";

/** Why an attempt was ended: the other one is ahead. */
export class Outrun extends Error {}

/** The part whose bytes are raced for. */
export interface RaceTrack extends Sink {
  /** Next byte the part needs. */
  readonly position: number;
  /** The rival is ahead: it goes on alone. */
  overtaken(by: Attempt): void;
  wasted(bytes: number): void;
}

export class Race implements Sink {
  readonly attempt: Attempt;
  readonly #track: RaceTrack;
  #position: number;
  #ahead = false;

  constructor(attempt: Attempt, track: RaceTrack) {
    this.attempt = attempt;
    this.#track = track;
    this.#position = attempt.range.start;
  }

  room(attempt: Attempt, bytes: number): Room | Promise<Room> {
    if (this.#ahead) return this.#track.room(attempt, bytes);
    // A free block of its own: the attempt that lags may hold the download's.
    return { capacity: Math.min(bytes, SMALL_BLOCK), charged: 0 };
  }

  giveUp(room: Room): void {
    this.#track.giveUp(room);
  }

  accept(bytes: Uint8Array<ArrayBuffer>, room: Room): boolean {
    if (this.#ahead) return this.#track.accept(bytes, room);
    const behind = Math.min(bytes.byteLength, this.#track.position - this.#position);
    this.#position += bytes.byteLength;
    this.#track.wasted(behind);
    if (behind === bytes.byteLength) return false;
    this.#ahead = true;
    this.#track.overtaken(this.attempt);
    const gained = bytes.slice(behind);
    this.#track.accept(gained, { capacity: gained.byteLength, charged: 0 });
    return false;
  }
}
