import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Budget } from "../../src/readahead/budget.ts";
import { Reserve } from "../../src/readahead/reserve.ts";
import { checkLeaks } from "../support/leak-check.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
checkLeaks();

const never = new AbortController().signal;

describe("Reserve", () => {
  it("takes the bytes at once where they are free, beyond the fair share", async () => {
    const budget = new Budget(1000, 10);
    budget.lease();
    await new Reserve(900).take(budget.lease(), never);
    expect(budget.held).toBe(900);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("refuses at once what can never be had", async () => {
    const budget = new Budget(1000, 10);
    await expect(new Reserve(1001).take(budget.lease(), never)).rejects.toMatchObject({
      kind: "unsupported",
      message: expect.stringContaining("budget_bytes") as string,
    });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("waits on a timer of its own until the bytes are free", async () => {
    const budget = new Budget(1000, 10);
    const other = budget.lease();
    other.reserve(500);
    let taken = false;
    const waiting = new Reserve(600).take(budget.lease(), never).then(() => {
      taken = true;
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(taken).toBe(false);
    expect(vi.getTimerCount()).toBe(1);
    other.release();
    // The longest wait is 250 ms, half of it more by jitter.
    await vi.advanceTimersByTimeAsync(1_500);
    expect(taken).toBe(true);
    await waiting;
    expect(budget.held).toBe(600);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("takes the bytes over from a request that the runtime killed, and is not taken for one", async () => {
    const budget = new Budget(1000, 10);
    budget.lease().reserve(1000);
    vi.advanceTimersByTime(100_000);
    const lease = budget.lease();
    const waiting = new Reserve(600).take(lease, never);
    await vi.advanceTimersByTimeAsync(25_000);
    await waiting;
    expect(budget).toMatchObject({ held: 600, leases: 1 });
  });

  it("shows that it lives while it waits, however long ago the download began", async () => {
    const budget = new Budget(1000, 10);
    const lease = budget.lease();
    await vi.advanceTimersByTimeAsync(90_000);
    const other = budget.lease();
    other.reserve(1000);
    const waiting = new Reserve(1).take(lease, never);
    await vi.advanceTimersByTimeAsync(40_000);
    // Whoever finds no room reclaims the leases of the dead.
    expect(budget.lease().take(1)).toBe(false);
    expect(budget.leases).toBe(3);
    other.release();
    await vi.advanceTimersByTimeAsync(1_500);
    await waiting;
    expect(budget.held).toBe(1);
  });

  it("tells the client to come back after a minute of waiting", async () => {
    const budget = new Budget(1000, 10);
    const other = budget.lease();
    other.reserve(1000);
    const waiting = new Reserve(1).take(budget.lease(), never);
    const refused = expect(waiting).rejects.toMatchObject({
      kind: "overloaded",
      retryAfterMs: 5_000,
    });
    await vi.advanceTimersByTimeAsync(59_000);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(4_000);
    await refused;
    expect(vi.getTimerCount()).toBe(0);
    expect(budget.held).toBe(1000);
  });

  it("ends with the signal's reason in the same turn, with nothing taken and no timer left", async () => {
    const budget = new Budget(1000, 10);
    budget.lease().reserve(1000);
    const controller = new AbortController();
    const waiting = new Reserve(1).take(budget.lease(), controller.signal);
    waiting.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(100);
    const reason = new Error("The client has left");
    controller.abort(reason);
    expect(vi.getTimerCount()).toBe(0);
    await expect(waiting).rejects.toBe(reason);
    expect(budget.held).toBe(1000);
  });
});
