import { describe, expect, it } from "vitest";
import { LARGE_BLOCK, Pace, SMALL_BLOCK } from "../../src/readahead/pace.ts";
import { KiB } from "../support/units.ts";

/** Hands on `bytes` and has the client come back after `drainMs`, over and over, until `untilMs`. */
function take(pace: Pace, from: number, untilMs: number, bytes: number, drainMs: number): number {
  let now = from;
  while (now < untilMs) {
    pace.handed(bytes, now);
    now += drainMs;
    pace.pulled(now);
  }
  return now;
}

describe("Pace.takingMs", () => {
  it("is the time from the first block to the last pull, whatever comes after", () => {
    const pace = new Pace(800, 0);
    pace.pulled(10);
    expect(pace.takingMs).toBe(0);
    pace.handed(64 * KiB, 20);
    expect(pace.takingMs).toBe(0);
    pace.pulled(23);
    pace.handed(64 * KiB, 500);
    expect(pace.takingMs).toBe(3);
    pace.pulled(501);
    expect(pace.takingMs).toBe(481);
  });

  it("leaves out the client's pauses: a full kernel takes once more when its client has long stopped", () => {
    const pace = new Pace(800, 0);
    const stopped = take(pace, 0, 50, 64 * KiB, 1);
    pace.handed(64 * KiB, stopped);
    pace.pulled(stopped + 1_000);
    expect(pace.takingMs).toBe(55);
  });

  it("grows for a client that is steadily slow, too", () => {
    const pace = new Pace(800, 0);
    take(pace, 0, 2_000, 64 * KiB, 50);
    expect(pace.takingMs).toBe(200);
  });
});

describe("Pace.slow", () => {
  it("is judged over ten seconds or more, never before", () => {
    const pace = new Pace(800, 0);
    take(pace, 0, 9_000, 40 * KiB, 1_000);
    expect(pace.slow).toBe(false);
    take(pace, 9_000, 10_000, 40 * KiB, 1_000);
    expect(pace.slow).toBe(true);
  });

  it("is not the verdict on one long pull after a gulp: the mean counts", () => {
    const pace = new Pace(800, 0);
    // A kernel takes 16 MiB at once, then nothing for 9 s, and again.
    let now = 0;
    for (let turn = 0; turn < 3; turn += 1) {
      for (let block = 0; block < 16; block += 1) {
        pace.handed(1024 * KiB, now);
        pace.pulled(now);
      }
      pace.handed(KiB, now);
      now += 9_000;
      pace.pulled(now);
      expect(pace.slow).toBe(false);
    }
  });

  it("is taken back when the last ten seconds were fast", () => {
    const pace = new Pace(800, 0);
    const now = take(pace, 0, 11_000, 40 * KiB, 1_000);
    expect(pace.slow).toBe(true);
    take(pace, now, now + 10_000, 1024 * KiB, 100);
    expect(pace.slow).toBe(false);
  });

  it("does not count the time of a slow store: only that from a block handed on to the next pull", () => {
    const pace = new Pace(800, 0);
    for (let now = 0; now < 60_000; now += 5_000) {
      // The client was back after 10 ms, the store needed the other 4990.
      pace.handed(64 * KiB, now);
      pace.pulled(now + 10);
    }
    expect(pace.slow).toBe(false);
  });

  it("is assumed after a part was let go, until ten seconds say otherwise", () => {
    const pace = new Pace(800, 0);
    pace.handed(64 * KiB, 0);
    pace.letGo(5_000);
    expect(pace.slow).toBe(true);
    expect(pace.sliceBytes).toBe(SMALL_BLOCK);
    pace.pulled(5_010);
    take(pace, 5_010, 16_000, 1024 * KiB, 10);
    expect(pace.slow).toBe(false);
  });
});

it("a part that is let go after more than ten seconds shows a slow client, too", () => {
  const pace = new Pace(800, 0);
  pace.handed(64 * KiB, 0);
  pace.letGo(12_000);
  expect(pace.slow).toBe(true);
});

it("a client that let a part go is asked for little for ten seconds, however much it took before", () => {
  const pace = new Pace(800, 0);
  pace.handed(40 * 1024 * KiB, 0);
  pace.letGo(12_000);
  pace.pulled(12_010);
  expect(pace.slow).toBe(true);
});

it("a client that has become fast is not held to the time it once took", () => {
  const pace = new Pace(800, 0);
  pace.handed(64 * KiB, 0);
  pace.pulled(10_000);
  expect(pace.slow).toBe(true);
  take(pace, 10_000, 21_000, 10 * KiB, 10);
  expect(pace.slow).toBe(false);
});

describe("Pace.blockBytes", () => {
  it("starts at 64 KiB and doubles to 1 MiB while blocks are drained quickly", () => {
    const pace = new Pace(800, 0);
    const sizes = [pace.blockBytes];
    for (let now = 0; now < 7; now += 1) {
      pace.handed(64 * KiB, now);
      pace.pulled(now + 1);
      sizes.push(pace.blockBytes);
    }
    expect(sizes.map((size) => size / KiB)).toEqual([64, 128, 256, 512, 1024, 1024, 1024, 1024]);
    expect(pace.blockBytes).toBe(LARGE_BLOCK);
  });

  it("halves with every block that takes longer than 50 ms, down to 64 KiB", () => {
    const pace = new Pace(800, 0);
    take(pace, 0, 10, KiB, 1);
    const sizes: number[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      pace.handed(KiB, 1_000 * turn);
      pace.pulled(1_000 * turn + 51);
      sizes.push(pace.blockBytes / KiB);
    }
    expect(sizes).toEqual([512, 256, 128, 64, 64, 64]);
  });

  it("is small again after a part was let go", () => {
    const pace = new Pace(800, 0);
    take(pace, 0, 10, KiB, 1);
    pace.letGo(100);
    expect(pace.blockBytes).toBe(SMALL_BLOCK);
  });

  it("does not move before anything was handed on", () => {
    const pace = new Pace(800, 0);
    pace.pulled(1);
    pace.pulled(2);
    expect(pace.blockBytes).toBe(SMALL_BLOCK);
  });
});

describe("Pace.sliceBytes", () => {
  it.for([
    [10_000, 64],
    [100_000, 64],
    [200_000, 192],
    [700_000, 640],
  ])("of a client of %i bytes per second is %i KiB: about a second of it", ([rate = 0, slice]) => {
    const pace = new Pace(800, 0);
    take(pace, 0, 11_000, rate, 1_000);
    expect(pace.sliceBytes / KiB).toBe(slice);
  });

  it("is one small block of a client that has taken nothing for more than ten seconds", () => {
    const pace = new Pace(800, 0);
    pace.letGo(12_000);
    expect(pace.sliceBytes).toBe(SMALL_BLOCK);
  });

  it("is at most 1 MiB", () => {
    const pace = new Pace(1_000_000, 0);
    take(pace, 0, 11_000, 50_000_000, 1_000);
    expect(pace.sliceBytes).toBe(LARGE_BLOCK);
  });
});

describe("Pace.idleSince", () => {
  it("is the time of the last bytes, before them that of the beginning", () => {
    const pace = new Pace(800, 100);
    expect(pace.idleSince).toBe(100);
    pace.handed(64 * KiB, 500);
    pace.pulled(600);
    expect(pace.idleSince).toBe(500);
    pace.handed(64 * KiB, 20_000);
    pace.pulled(70_000);
    pace.pulled(80_000);
    expect(pace.idleSince).toBe(20_000);
  });
});
