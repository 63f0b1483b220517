import { describe, expect, it } from "vitest";
import { type HeadProgress, SlowTail } from "../../src/readahead/slow-tail.ts";
import { MiB } from "../support/units.ts";

const SENT = 100 * MiB;

/** Siblings answer after 5 ms and run 100 ms for 1 MiB. */
function learned(): SlowTail {
  const tail = new SlowTail();
  for (let part = 0; part < 8; part += 1) {
    tail.answered(5);
    tail.completed(MiB, 100);
  }
  return tail;
}

/** A head asked at 0 and answered at 5, half received at 50, then silent. */
const stalled: HeadProgress = {
  requestedAt: 0,
  answeredAt: 5,
  lastByteAt: 50,
  bytes: MiB / 2,
  remaining: MiB / 2,
};

describe("SlowTail", () => {
  it("judges nobody before four parts have shown what is normal", () => {
    const tail = new SlowTail();
    for (let part = 0; part < 3; part += 1) tail.completed(MiB, 100);
    expect(tail.raceIn(stalled, SENT, 5_000)).toBeUndefined();
    tail.completed(MiB, 100);
    expect(tail.raceIn(stalled, SENT, 5_000)).toBe(0);
  });

  it("takes for normal what half of the parts are, not the best or worst of them", () => {
    const tail = new SlowTail();
    for (const ms of [400, 40, 400, 400, 4_000]) tail.completed(MiB, ms);
    expect(tail.raceIn(stalled, SENT, 100)).toBe(150);
  });

  it("learns from parts that were there at once", () => {
    const tail = new SlowTail();
    for (let part = 0; part < 4; part += 1) tail.completed(1_000, 0);
    const normal = { ...stalled, answeredAt: 0, lastByteAt: 59, bytes: 54_000 };
    expect(tail.raceIn(normal, SENT, 60)).toBe(49);
  });

  it("leaves a head alone whose answer came just now", () => {
    const answered = { ...stalled, lastByteAt: undefined, bytes: 0 };
    expect(learned().raceIn(answered, SENT, 10)).toBe(45);
  });

  it("races a head that has been silent for half of a normal part's time", () => {
    expect(learned().raceIn(stalled, SENT, 90)).toBe(10);
    expect(learned().raceIn(stalled, SENT, 100)).toBe(0);
    expect(learned().raceIn(stalled, SENT, 120)).toBe(0);
  });

  it("takes no silence of less than 50 ms for anything, however fast parts are", () => {
    const tail = new SlowTail();
    for (let part = 0; part < 8; part += 1) tail.completed(100_000, 10);
    expect(tail.raceIn(stalled, SENT, 80)).toBe(20);
    expect(tail.raceIn(stalled, SENT, 100)).toBe(0);
  });

  it("forgets what was normal when sixteen parts were otherwise", () => {
    const tail = new SlowTail();
    for (let part = 0; part < 50; part += 1) tail.completed(MiB, part < 34 ? 100 : 1_000);
    expect(tail.raceIn(stalled, SENT, 100)).toBe(450);
  });

  it("leaves a head alone that runs at a third of its siblings' rate", () => {
    const third = { ...stalled, answeredAt: 0, lastByteAt: 299, bytes: MiB };
    expect(learned().raceIn(third, SENT, 300)).toBeGreaterThan(0);
  });

  it("races a trickle, though its last byte came just now", () => {
    const trickle = { ...stalled, lastByteAt: 299, bytes: 15_000, remaining: MiB - 15_000 };
    expect(learned().raceIn(trickle, SENT, 300)).toBe(0);
  });

  it("leaves a head alone that runs like its siblings", () => {
    const normal = { ...stalled, lastByteAt: 54, bytes: MiB / 2 };
    expect(learned().raceIn(normal, SENT, 55)).toBeGreaterThan(0);
  });

  it("races an answer that is late by three times the slowest normal one, and by 50 ms at least", () => {
    const waiting = {
      requestedAt: 0,
      answeredAt: undefined,
      lastByteAt: undefined,
      bytes: 0,
      remaining: MiB,
    };
    expect(learned().raceIn(waiting, SENT, 20)).toBe(30);
    expect(learned().raceIn(waiting, SENT, 50)).toBe(0);
    expect(learned().raceIn(waiting, SENT, 60)).toBe(0);
    const uneven = learned();
    uneven.answered(40);
    uneven.answered(5);
    expect(uneven.raceIn(waiting, SENT, 50)).toBe(70);
  });

  it("asks for at most 6 % of the bytes sent a second time", () => {
    const tail = learned();
    expect(tail.raceIn(stalled, 8 * MiB, 1_000)).toBeUndefined();
    expect(tail.raceIn(stalled, 9 * MiB, 1_000)).toBe(0);
    tail.raced(stalled.remaining);
    expect(tail.raceIn(stalled, 9 * MiB, 1_000)).toBeUndefined();
    expect(tail.raceIn(stalled, 18 * MiB, 1_000)).toBe(0);
  });

  it("never asks a store twice that said it has too much to do", () => {
    const tail = learned();
    tail.throttled();
    expect(tail.raceIn(stalled, SENT, 5_000)).toBeUndefined();
  });
});
