import { describe, expect, it } from "vitest";
import type { Attempt, Room } from "../../src/readahead/attempt.ts";
import { Race, type RaceTrack } from "../../src/readahead/race.ts";

/** A part at byte 100 that notes what a race does to it. */
function createTrack() {
  const accepted: Uint8Array[] = [];
  const track = {
    position: 100,
    overtakes: 0,
    wastedBytes: 0,
    accepted,
    overtaken: () => {
      track.overtakes += 1;
    },
    wasted: (bytes: number) => {
      track.wastedBytes += bytes;
    },
    room: (_attempt: Attempt, bytes: number): Room => ({ capacity: bytes, charged: bytes }),
    givenUp: 0,
    giveUp: ({ charged }: Room) => {
      track.givenUp += charged;
    },
    accept: (bytes: Uint8Array<ArrayBuffer>) => {
      accepted.push(bytes);
      track.position += bytes.byteLength;
      return true;
    },
  } satisfies RaceTrack & Record<string, unknown>;
  return track;
}

const rival = { range: { start: 100, end: 400 } } as Attempt;
const room: Room = { capacity: 65_536, charged: 0 };

function bytes(start: number, end: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: end - start }, (_, index) => (start + index) % 251);
}

describe("Race", () => {
  it("throws away what the first attempt has brought meanwhile, and counts it", () => {
    const track = createTrack();
    const race = new Race(rival, track);
    track.position = 200;
    expect(race.accept(bytes(100, 150), room)).toBe(false);
    expect(track).toMatchObject({ wastedBytes: 50, overtakes: 0, accepted: [] });
  });

  it("takes over with its first byte ahead, handing on only what is new", () => {
    const track = createTrack();
    const race = new Race(rival, track);
    track.position = 200;
    race.accept(bytes(100, 150), room);
    race.accept(bytes(150, 260), room);
    expect(track).toMatchObject({ wastedBytes: 100, overtakes: 1 });
    expect(track.accepted).toEqual([bytes(200, 260)]);
  });

  it("hands on a copy: the buffer it gives back is read into again", () => {
    const track = createTrack();
    const race = new Race(rival, track);
    const block = bytes(100, 160);
    expect(race.accept(block, room)).toBe(false);
    block.fill(0);
    expect(track.accepted).toEqual([bytes(100, 160)]);
  });

  it("goes on as the part's own attempt once it is ahead", () => {
    const track = createTrack();
    const race = new Race(rival, track);
    race.accept(bytes(100, 110), room);
    expect(race.accept(bytes(110, 120), room)).toBe(true);
    expect(track.overtakes).toBe(1);
    expect(track.accepted).toEqual([bytes(100, 110), bytes(110, 120)]);
  });

  it("uses the free block while it is behind, the part's memory when it is ahead", () => {
    const track = createTrack();
    const race = new Race(rival, track);
    expect(race.room(rival, 1_000_000)).toEqual({ capacity: 65_536, charged: 0 });
    race.accept(bytes(100, 110), room);
    const taken = race.room(rival, 1_000_000) as Room;
    expect(taken).toEqual({ capacity: 1_000_000, charged: 1_000_000 });
    race.giveUp(taken);
    expect(track.givenUp).toBe(1_000_000);
  });
});
