import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Budget } from "../../src/readahead/budget.ts";
import { createDownload } from "../../src/readahead/download.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("is refused where it would bound nothing", () => {
  for (const [bytes, open] of [
    [Number.NaN, 1],
    [1, Number.NaN],
    [-1, 1],
    [undefined, 1],
  ])
    expect(() => new Budget(bytes as number, open as number)).toThrow(RangeError);
  expect(new Budget(0, 0).held).toBe(0);
});

describe("a lease", () => {
  it("alone takes everything, all or nothing", () => {
    const budget = new Budget(1000, 10);
    const lease = budget.lease();
    expect(lease.take(1001)).toBe(false);
    expect(budget.held).toBe(0);
    expect(lease.take(1000)).toBe(true);
    expect(lease.take(1)).toBe(false);
    expect(lease.take(0)).toBe(true);
    lease.give(400);
    expect(budget.held).toBe(600);
    expect(lease.take(401)).toBe(false);
    expect(lease.take(400)).toBe(true);
  });

  it("among others takes its fair share, however much is free", () => {
    const budget = new Budget(1000, 10);
    const [one, two] = [budget.lease(), budget.lease()];
    expect(one.take(501)).toBe(false);
    expect(one.take(500)).toBe(true);
    expect(two.take(500)).toBe(true);
    expect(budget.held).toBe(1000);
  });

  it("keeps what it holds when others come, and takes no more until it is below its share", () => {
    const budget = new Budget(1000, 10);
    const first = budget.lease();
    expect(first.take(900)).toBe(true);
    const others = Array.from({ length: 4 }, () => budget.lease());
    expect(first.take(1)).toBe(false);
    expect(others.map((lease) => lease.take(100))).toEqual([true, false, false, false]);
    first.give(800);
    expect(first.take(100)).toBe(true);
    expect(first.take(1)).toBe(false);
    expect(others[3]?.take(200)).toBe(true);
  });

  it("says what the fair share is now", () => {
    const budget = new Budget(1200, 10);
    const lease = budget.lease();
    expect(lease.share()).toBe(1200);
    budget.lease();
    expect(lease.share()).toBe(600);
  });

  it("lends a block beyond the share only while half of the budget is free", () => {
    const budget = new Budget(1000, 10);
    const leases = Array.from({ length: 10 }, () => budget.lease());
    expect(leases[0]?.take(400)).toBe(false);
    expect(leases[0]?.borrow(400)).toBe(true);
    expect(leases[1]?.borrow(200)).toBe(false);
    leases[0]?.give(400);
    expect(leases[1]?.borrow(200)).toBe(true);
  });

  it("leaves room for the largest reserve asked for, but by those who hold one, or could never", () => {
    const budget = new Budget(1000, 10);
    const [plain, small] = [budget.lease(), budget.lease({ bytes: 600, openUpstreams: 10 })];
    expect(plain.take(500)).toBe(true);
    plain.give(500);
    const first = budget.lease();
    first.reserve(400);
    first.release();
    // Half of 1,000 is the share of two, and 600 are left to both.
    expect(plain.take(500)).toBe(true);
    expect(plain.take(1)).toBe(false);
    expect(small.take(100)).toBe(true);
    const second = budget.lease();
    expect(second.reserve(400)).toBe(true);
    small.release();
    plain.release();
    expect(second.take(600)).toBe(true);
  });

  it("without a reserve takes no more than what the largest one asked for leaves, in vain or not", () => {
    const budget = new Budget(1000, 10);
    const plain = budget.lease();
    expect(plain.take(700)).toBe(true);
    const other = budget.lease();
    expect(other.reserve(400)).toBe(false);
    plain.release();
    expect(other.take(601)).toBe(false);
    expect(other.take(600)).toBe(true);
  });

  it("reserves beyond the share, never beyond the budget", () => {
    const budget = new Budget(1000, 10);
    const [one, two] = [budget.lease(), budget.lease()];
    expect(one.couldReserve(1000)).toBe(true);
    expect(one.couldReserve(1001)).toBe(false);
    expect(one.reserve(800)).toBe(true);
    expect(two.reserve(201)).toBe(false);
    expect(two.reserve(200)).toBe(true);
    expect(budget.held).toBe(1000);
  });

  it("says that others wait for a second after one could not reserve, and at no other time", () => {
    const budget = new Budget(1000, 10);
    const [one, two] = [budget.lease(), budget.lease()];
    expect(one.othersWait()).toBe(false);
    expect(one.reserve(900)).toBe(true);
    expect(two.take(200)).toBe(false);
    expect(one.othersWait()).toBe(false);
    expect(two.reserve(200)).toBe(false);
    expect(one.othersWait()).toBe(true);
    vi.advanceTimersByTime(999);
    expect(one.othersWait()).toBe(true);
    vi.advanceTimersByTime(1);
    expect(one.othersWait()).toBe(false);
  });

  it("gives everything back at once, once", () => {
    const budget = new Budget(1000, 10);
    const [one, two] = [budget.lease(), budget.lease()];
    one.take(300);
    one.opened();
    two.take(200);
    two.opened();
    one.release();
    one.release();
    expect(budget).toMatchObject({ held: 200, open: 1, leases: 1 });
  });

  it("is dead after its release: late callers change nothing", () => {
    const budget = new Budget(1000, 10);
    const lease = budget.lease();
    lease.take(300);
    lease.opened();
    lease.release();
    lease.give(300);
    lease.ended();
    lease.opened();
    expect(lease.take(1)).toBe(false);
    expect(lease.reserve(1)).toBe(false);
    expect(budget).toMatchObject({ held: 0, open: 0, leases: 0 });
  });
});

describe("open upstreams", () => {
  it("are counted over all leases", () => {
    const budget = new Budget(1000, 2);
    const [one, two] = [budget.lease(), budget.lease()];
    one.opened();
    expect(two.mayOpen()).toBe(true);
    two.opened();
    expect(one.mayOpen()).toBe(false);
    expect(two.mayOpen()).toBe(false);
    one.ended();
    expect(two.mayOpen()).toBe(true);
  });
});

describe("a request that the runtime killed", () => {
  it("gives its bytes up 120 s after its last sign of life, to whoever takes next", () => {
    const budget = new Budget(1000, 10);
    const killed = budget.lease();
    killed.take(1000);
    vi.advanceTimersByTime(60_000);
    killed.touch();
    vi.advanceTimersByTime(119_000);
    const next = budget.lease();
    expect(next.take(100)).toBe(false);
    vi.advanceTimersByTime(2_000);
    expect(next.take(100)).toBe(true);
    expect(budget).toMatchObject({ held: 100, leases: 1 });
    // Nothing of it comes back, should it have lived after all.
    killed.give(1000);
    killed.release();
    expect(budget).toMatchObject({ held: 100, leases: 1 });
  });

  it("takes nothing more once its own taking has reclaimed it", () => {
    const budget = new Budget(1000, 10);
    const [killed, late] = [budget.lease(), budget.lease()];
    killed.reserve(900);
    vi.advanceTimersByTime(121_000);
    expect(late.take(400)).toBe(false);
    late.release();
    expect(budget).toMatchObject({ held: 0, leases: 0 });
  });

  it("gives its open upstreams up to whoever opens next", () => {
    const budget = new Budget(1000, 1);
    const killed = budget.lease();
    killed.opened();
    const next = budget.lease();
    vi.advanceTimersByTime(119_000);
    next.touch();
    expect(next.mayOpen()).toBe(false);
    vi.advanceTimersByTime(2_000);
    expect(next.mayOpen()).toBe(true);
    expect(budget).toMatchObject({ open: 0, leases: 1 });
    killed.ended();
    expect(budget.open).toBe(0);
  });

  it("never costs a download that shows its life every 30 s anything", () => {
    const budget = new Budget(1000, 10);
    const living = budget.lease();
    living.take(1000);
    for (let turn = 0; turn < 20; turn += 1) {
      vi.advanceTimersByTime(30_000);
      living.touch();
      expect(budget.lease().take(1)).toBe(false);
    }
    expect(budget.held).toBe(1000);
  });
});

describe("the budget", () => {
  it("holds never more than its bytes, and what its leases took, for any order of calls", () => {
    const call = fc.record({
      lease: fc.nat({ max: 5 }),
      what: fc.constantFrom("take", "reserve", "give", "release", "touch", "wait"),
      bytes: fc.nat({ max: 700 }),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 80 }), (calls) => {
        const budget = new Budget(1000, 10);
        const slots = Array.from({ length: 6 }, () => ({ lease: budget.lease(), held: 0 }));
        for (const { lease: number, what, bytes } of calls) {
          const slot = slots[number];
          if (slot === undefined) continue;
          if (what === "take" || what === "reserve") {
            if (slot.lease[what](bytes)) slot.held += bytes;
          } else if (what === "give") {
            slot.lease.give(Math.min(bytes, slot.held));
            slot.held -= Math.min(bytes, slot.held);
          } else if (what === "release") {
            slot.lease.release();
            slots[number] = { lease: budget.lease(), held: 0 };
          } else if (what === "touch") slot.lease.touch();
          else {
            vi.advanceTimersByTime(100_000);
            for (const { lease } of slots) lease.touch();
          }
          expect(budget.held).toBe(slots.reduce((sum, { held }) => sum + held, 0));
          expect(budget.held).toBeLessThanOrEqual(1000);
          expect(budget.leases).toBe(6);
        }
        for (const { lease } of slots) lease.release();
        expect(budget).toMatchObject({ held: 0, leases: 0 });
      }),
      { numRuns: 300 },
    );
  });
});

describe("a lease with ceilings of its own", () => {
  it("takes while all together hold less than its ceiling, whatever the budget's is", () => {
    const budget = new Budget(1000, 10);
    const small = budget.lease({ bytes: 300, openUpstreams: 1 });
    const large = budget.lease({ bytes: 4000, openUpstreams: 20 });
    expect(small.share()).toBe(150);
    expect(small.take(151)).toBe(false);
    expect(small.take(150)).toBe(true);
    expect(large.take(2000)).toBe(true);
    expect(small.take(1)).toBe(false);
    expect(small.couldReserve(301)).toBe(false);
    large.opened();
    expect(small.mayOpen()).toBe(false);
    expect(large.mayOpen()).toBe(true);
    expect(budget.held).toBe(2150);
  });
});

describe("the isolate's budget", () => {
  it("has the ceilings that a download's limits say", () => {
    const small = createDownload({ limits: { budgetBytes: 1000 } });
    expect(small.permits.take(1001)).toBe(false);
    expect(small.permits.take(1000)).toBe(true);
    small.close("done");
    const large = createDownload({ limits: { budgetBytes: 64 * 1024 * 1024 } });
    expect(large.permits.take(64 * 1024 * 1024)).toBe(true);
    large.close("done");
  });
});
