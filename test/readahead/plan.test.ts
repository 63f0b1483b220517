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

const KIB = 1024;
const MIB = 1024 * KIB;
const TIB = MIB * MIB;

const limits = { partBytes: 4 * MIB, windowParts: 6, subrequests: 10_000_000 };

/** A part in the middle of a large object, with everything in plenty. */
const middle: PlanState = {
  position: 0,
  end: TIB,
  planned: 100 * MIB,
  remaining: TIB,
  subrequestsLeft: 10_000_000,
  shareBytes: 48 * MIB,
  askAheadBytes: 24 * MIB,
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
      shareBytes: 48 * MIB,
      askAheadBytes: 24 * MIB,
    };
    const end = partEnd(state, walk);
    yield { start: position, end };
    planned = end - walk.start;
    subrequestsLeft -= 1;
  }
}

describe("firstPartBytes", () => {
  it("is 256 KiB, or a literal partBytes below 1 MiB", () => {
    expect(firstPartBytes({ partBytes: 4 * MIB })).toBe(256 * KIB);
    expect(firstPartBytes({ partBytes: MIB })).toBe(256 * KIB);
    expect(firstPartBytes({ partBytes: MIB - 1 })).toBe(MIB - 1);
    expect(firstPartBytes({ partBytes: 100_000 })).toBe(100_000);
  });
});

describe("partEnd", () => {
  it("starts with the first part's size and grows with the bytes planned before", () => {
    expect(size({ planned: 0 })).toBe(256 * KIB);
    expect(size({ planned: 256 * KIB })).toBe(256 * KIB);
    expect(size({ planned: 8 * MIB })).toBe(MIB);
    expect(size({ planned: 16 * MIB })).toBe(2 * MIB);
    expect(size({ planned: 32 * MIB })).toBe(4 * MIB);
    expect(size({ planned: 1000 * MIB })).toBe(4 * MIB);
  });

  it("shrinks at the end, so that all connections end together", () => {
    expect(size({ remaining: 16 * MIB, end: 16 * MIB })).toBe(4 * MIB);
    expect(size({ remaining: 8 * MIB, end: 8 * MIB })).toBe(2 * MIB);
    expect(size({ remaining: MIB, end: MIB })).toBe(512 * KIB);
  });

  it("ends at the end of its stretch, whatever else speaks for more", () => {
    expect(size({ end: 1000 })).toBe(1000);
    expect(size({ position: 10 * MIB, end: 10 * MIB + 1 })).toBe(1);
  });

  it("ends on 256 KiB boundaries of the object, wherever the range started", () => {
    expect(partEnd({ ...middle, position: 5 }, limits) % PLAN_UNIT).toBe(0);
    expect(partEnd({ ...middle, position: 7 * MIB + 300_001 }, limits) % PLAN_UNIT).toBe(0);
  });

  it("is not cut to less than half of its size by a boundary close by", () => {
    const position = 10 * PLAN_UNIT - 10;
    expect(partEnd({ ...middle, position, planned: 0 }, limits)).toBe(position + PLAN_UNIT);
  });

  it("weighs no more than its share of memory, in a narrower window rather than in smaller parts", () => {
    expect(size({ shareBytes: 12 * MIB })).toBe(2 * MIB);
    expect(size({ shareBytes: 3 * MIB })).toBe(MIB);
  });

  it("fits the memory there is when it goes alone, so that its connection is free soon", () => {
    expect(size({ shareBytes: 1.5 * MIB, askAheadBytes: 4 * MIB })).toBe(1.25 * MIB);
    expect(size({ shareBytes: 300 * KIB, askAheadBytes: 4 * MIB })).toBe(256 * KIB);
  });

  it("is all that may be asked for where there is no memory to read ahead", () => {
    expect(size({ shareBytes: 1000, planned: 0, askAheadBytes: MIB })).toBe(MIB);
    expect(size({ shareBytes: 1000, askAheadBytes: 50 * MIB })).toBe(4 * MIB);
  });

  it("takes a partBytes below 1 MiB literally: no ramp, no boundary, no shrinking", () => {
    const own = { partBytes: 300_000 };
    expect(size({ planned: 0 }, own)).toBe(300_000);
    expect(size({ position: 17, planned: TIB }, own)).toBe(300_000);
    expect(size({ remaining: 600_000, end: 600_000 }, own)).toBe(300_000);
  });

  it("is raised where the subrequests left would not last otherwise", () => {
    // 1000 requests, 900 of them planned, for 9000 MiB.
    const state = { remaining: 9000 * MIB, subrequestsLeft: 1000 };
    expect(size(state)).toBe(10 * MIB);
    expect(size({ ...state, planned: 0 })).toBe(10 * MIB);
    expect(size(state, { partBytes: 100_000 })).toBe(10 * MIB);
  });

  it("stays as large as the whole needs, so that the tenth for retries is kept to the end", () => {
    const state = { planned: 8000 * MIB, remaining: 1000 * MIB, subrequestsLeft: 200 };
    expect(size(state, { subrequests: 1000 })).toBe(10 * MIB);
    // Retries have used more than that tenth: what is left must do.
    expect(size({ ...state, subrequestsLeft: 56 }, { subrequests: 1000 })).toBe(20 * MIB);
  });

  it("is a slice for a slow client while the rest stays affordable at full size", () => {
    const slow = { sliceBytes: 64 * KIB, planned: 0, remaining: 100 * MIB };
    expect(size({ ...slow, subrequestsLeft: 1000 })).toBe(64 * KIB);
    // As many as are needed lie in between: of 200 requests 180 are planned for 100 MiB.
    expect(size({ ...slow, subrequestsLeft: 200 })).toBe(768 * KIB);
    // 25 planned requests of 4 MiB cover it behind this one; 24 do not, and the ramp is back.
    expect(size({ ...slow, subrequestsLeft: 29 })).toBe(4 * MIB);
    const large = { ...slow, sliceBytes: 5 * MIB };
    expect(size({ ...large, subrequestsLeft: 29 })).toBe(5 * MIB);
    expect(size({ ...large, subrequestsLeft: 28 })).toBe(4 * MIB);
  });

  it("tiles any range exactly, with no more parts than subrequests", () => {
    fc.assert(
      fc.property(
        fc.record({
          start: fc.oneof(
            fc.nat({ max: 10 * MIB }),
            fc.maxSafeNat().map((n) => n % (5 * TIB)),
          ),
          bytes: fc.oneof(
            fc.nat({ max: 100 * MIB }),
            fc.maxSafeNat().map((n) => n % (5 * TIB)),
          ),
          subrequests: fc.integer({ min: 4, max: 3000 }),
          partBytes: fc.oneof(
            fc.integer({ min: 1024, max: 64 * MIB }),
            fc.constantFrom(4 * MIB, 256 * KIB, MIB, MIB - 1),
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
    expect(size({ ...open, planned: 0 })).toBe(256 * KIB);
    expect(size(open)).toBe(4 * MIB);
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

  it("says how many are needed and how many there are", () => {
    expect(() => assertAffordable(45_000, 10_000, 0, Infinity)).toThrow(/45000 .* 9000 /);
  });
});
