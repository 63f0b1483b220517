import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import {
  assertAffordable,
  firstPartBytes,
  PLAN_UNIT,
  type PlanState,
  partEnd,
} from "../../src/readahead/plan.ts";
import { KiB, MiB } from "../support/units.ts";

const TIB = MiB * MiB;

const limits = { partBytes: 4 * MiB, windowParts: 6, subrequests: 10_000_000 };

/** A part in the middle of a large object, with everything in plenty. */
const middle: PlanState = {
  position: 0,
  end: TIB,
  planned: 100 * MiB,
  remaining: TIB,
  subrequestsLeft: 10_000_000,
  shareBytes: 48 * MiB,
  askAheadBytes: 24 * MiB,
};

function size(state: Partial<PlanState>, own: Partial<typeof limits> = {}): number {
  const whole = { ...middle, ...state };
  return partEnd(whole, { ...limits, ...own }) - whole.position;
}

interface Walk {
  readonly start: number;
  readonly end: number;
  readonly subrequests: number;
  readonly partBytes: number;
  readonly windowParts: number;
}

/** Every part of a range, as the window would ask for them; lazily, so that 5 TiB costs no memory. */
function* parts(walk: Walk): Generator<{ start: number; end: number }> {
  let planned = 0;
  let subrequestsLeft = walk.subrequests;
  while (walk.start + planned < walk.end) {
    const position = walk.start + planned;
    const state: PlanState = {
      position,
      end: walk.end,
      planned,
      remaining: walk.end - position,
      subrequestsLeft,
      shareBytes: 48 * MiB,
      askAheadBytes: 24 * MiB,
    };
    const end = partEnd(state, walk);
    yield { start: position, end };
    planned = end - walk.start;
    subrequestsLeft -= 1;
  }
}

describe("firstPartBytes", () => {
  it("is 256 KiB, or a literal partBytes below 1 MiB", () => {
    expect(firstPartBytes({ partBytes: 4 * MiB })).toBe(256 * KiB);
    expect(firstPartBytes({ partBytes: MiB })).toBe(256 * KiB);
    expect(firstPartBytes({ partBytes: MiB - 1 })).toBe(MiB - 1);
    expect(firstPartBytes({ partBytes: 100_000 })).toBe(100_000);
  });
});

describe("partEnd", () => {
  it("starts with the first part's size and grows with the bytes planned before", () => {
    expect(size({ planned: 0 })).toBe(256 * KiB);
    expect(size({ planned: 256 * KiB })).toBe(256 * KiB);
    expect(size({ planned: 8 * MiB })).toBe(MiB);
    expect(size({ planned: 16 * MiB })).toBe(2 * MiB);
    expect(size({ planned: 32 * MiB })).toBe(4 * MiB);
    expect(size({ planned: 1000 * MiB })).toBe(4 * MiB);
  });

  it("shrinks at the end, so that all connections end together", () => {
    expect(size({ remaining: 16 * MiB, end: 16 * MiB })).toBe(4 * MiB);
    expect(size({ remaining: 8 * MiB, end: 8 * MiB })).toBe(2 * MiB);
    expect(size({ remaining: MiB, end: MiB })).toBe(512 * KiB);
  });

  it("ends at the end of its stretch, whatever else speaks for more", () => {
    expect(size({ end: 1000 })).toBe(1000);
    expect(size({ position: 10 * MiB, end: 10 * MiB + 1 })).toBe(1);
  });

  it("ends on 256 KiB boundaries of the object, wherever the range started", () => {
    expect(partEnd({ ...middle, position: 5 }, limits) % PLAN_UNIT).toBe(0);
    expect(partEnd({ ...middle, position: 7 * MiB + 300_001 }, limits) % PLAN_UNIT).toBe(0);
  });

  it("is not cut to less than half of its size by a boundary close by", () => {
    const position = 10 * PLAN_UNIT - 10;
    expect(partEnd({ ...middle, position, planned: 0 }, limits)).toBe(position + PLAN_UNIT);
  });

  it("weighs no more than its share of memory, in a narrower window rather than in smaller parts", () => {
    expect(size({ shareBytes: 12 * MiB })).toBe(2 * MiB);
    expect(size({ shareBytes: 3 * MiB })).toBe(MiB);
  });

  it("fits the memory there is when it goes alone, so that its connection is free soon", () => {
    expect(size({ shareBytes: 1.5 * MiB, askAheadBytes: 4 * MiB })).toBe(1.25 * MiB);
    expect(size({ shareBytes: 300 * KiB, askAheadBytes: 4 * MiB })).toBe(256 * KiB);
    expect(size({ shareBytes: 1.5 * MiB, askAheadBytes: MiB })).toBe(MiB);
  });

  it("is all that may be asked for where there is no memory to read ahead", () => {
    expect(size({ shareBytes: 1000, planned: 0, askAheadBytes: MiB })).toBe(MiB);
    expect(size({ shareBytes: 1000, askAheadBytes: 50 * MiB })).toBe(4 * MiB);
  });

  it("takes a partBytes below 1 MiB literally: no ramp, no boundary, no shrinking", () => {
    const own = { partBytes: 300_000 };
    expect(size({ planned: 0 }, own)).toBe(300_000);
    expect(size({ position: 17, planned: TIB }, own)).toBe(300_000);
    expect(size({ remaining: 600_000, end: 600_000 }, own)).toBe(300_000);
  });

  it("is raised where the subrequests left would not last otherwise", () => {
    // 1000 requests, 900 of them planned, for 9000 MiB.
    const state = { remaining: 9000 * MiB, subrequestsLeft: 1000 };
    expect(size(state)).toBe(10 * MiB);
    expect(size({ ...state, planned: 0 })).toBe(10 * MiB);
    expect(size(state, { partBytes: 100_000 })).toBe(10 * MiB);
  });

  it("stays as large as the whole needs, so that the tenth for retries is kept to the end", () => {
    const state = { planned: 8000 * MiB, remaining: 1000 * MiB, subrequestsLeft: 200 };
    expect(size(state, { subrequests: 1000 })).toBe(10 * MiB);
    // Retries have used more than that tenth: what is left must do.
    expect(size({ ...state, subrequestsLeft: 56 }, { subrequests: 1000 })).toBe(20 * MiB);
  });

  it("is a slice for a slow client while the rest stays affordable at full size", () => {
    const slow = { sliceBytes: 64 * KiB, planned: 0, remaining: 100 * MiB };
    expect(size({ ...slow, subrequestsLeft: 1000 })).toBe(64 * KiB);
    // As many as are needed lie in between: of 200 requests 180 are planned for 100 MiB.
    expect(size({ ...slow, subrequestsLeft: 200 })).toBe(768 * KiB);
    // 25 planned requests of 4 MiB cover it behind this one; 24 do not, and the ramp is back.
    expect(size({ ...slow, subrequestsLeft: 29 })).toBe(4 * MiB);
    const large = { ...slow, sliceBytes: 5 * MiB };
    expect(size({ ...large, subrequestsLeft: 29 })).toBe(5 * MiB);
    expect(size({ ...large, subrequestsLeft: 28 })).toBe(4 * MiB);
  });

  it("tiles any range exactly, with no more parts than subrequests", () => {
    fc.assert(
      fc.property(
        fc.record({
          start: fc.oneof(
            fc.nat({ max: 10 * MiB }),
            fc.maxSafeNat().map((n) => n % (5 * TIB)),
          ),
          bytes: fc.oneof(
            fc.nat({ max: 100 * MiB }),
            fc.maxSafeNat().map((n) => n % (5 * TIB)),
          ),
          subrequests: fc.integer({ min: 4, max: 3000 }),
          partBytes: fc.oneof(
            fc.integer({ min: 1024, max: 64 * MiB }),
            fc.constantFrom(4 * MiB, 256 * KiB, MiB, MiB - 1),
          ),
          windowParts: fc.integer({ min: 1, max: 64 }),
        }),
        ({ bytes, ...rest }) => {
          const walk = { ...rest, end: rest.start + bytes };
          let position = walk.start;
          let count = 0;
          for (const part of parts(walk)) {
            if (part.start !== position || part.end <= part.start || part.end > walk.end) {
              throw new Error(`part ${count} is [${part.start}, ${part.end}) at ${position}`);
            }
            position = part.end;
            count += 1;
            if (count > walk.subrequests) throw new Error(`more than ${walk.subrequests} parts`);
          }
          expect(position).toBe(walk.end);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("tiles 5 TiB in the default number of subrequests, a tenth of them spared", () => {
    const walk = { ...limits, start: 0, end: 5 * TIB, subrequests: 10_000 };
    let count = 0;
    for (const _ of parts(walk)) count += 1;
    expect(count).toBeLessThanOrEqual(9_000);
    expect(count).toBeGreaterThan(4_000);
  });

  it("needs no length: a stretch without an end has parts of the usual sizes", () => {
    const open = { end: Number.POSITIVE_INFINITY, remaining: Number.POSITIVE_INFINITY };
    expect(size({ ...open, planned: 0 })).toBe(256 * KiB);
    expect(size(open)).toBe(4 * MiB);
  });
});

describe("assertAffordable", () => {
  it("keeps a tenth of the subrequests for retries", () => {
    expect(() => assertAffordable(90, 100, 0, Infinity)).not.toThrow();
    const refused = expect.objectContaining({ kind: "too-many-parts" }) as ReadaheadError;
    expect(() => assertAffordable(91, 100, 0, Infinity)).toThrow(ReadaheadError);
    expect(() => assertAffordable(91, 100, 0, Infinity)).toThrow(refused);
  });

  it("lets a single request through when there is one left", () => {
    expect(() => assertAffordable(1, 1, 0, Infinity)).not.toThrow();
    // The open has spent the last request: what came with it must be all.
    expect(() => assertAffordable(1, 0, 100, 100)).not.toThrow();
    expect(() => assertAffordable(1, 0, 100, 101)).toThrow(ReadaheadError);
    expect(() => assertAffordable(2, 1, 0, Infinity)).toThrow(ReadaheadError);
  });

  it("counts the request that came with the open, once it is spent, as one of those there are", () => {
    expect(() => assertAffordable(9, 9, 1, 100)).not.toThrow();
    expect(() => assertAffordable(9, 9, 0, 100)).toThrow(ReadaheadError);
  });

  it("says how many are needed and how many there are", () => {
    expect(() => assertAffordable(45_000, 10_000, 0, Infinity)).toThrow(/45000 .* 9000 /);
  });
});
