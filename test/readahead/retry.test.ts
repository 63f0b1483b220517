import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ErrorKind, ReadaheadError, type ReadaheadErrorOptions } from "../../src/errors.ts";
import { isTransient, nextMove, type Troubles } from "../../src/readahead/retry.ts";

const fresh: Troubles = {
  failures: 1,
  allowed: 5,
  graceUsed: false,
  canRefresh: false,
  resumable: true,
};

function move(
  kind: ErrorKind,
  options: ReadaheadErrorOptions = {},
  troubles: Partial<Troubles> = {},
  random = 0.5,
) {
  return nextMove(new ReadaheadError(kind, "Refused", options), { ...fresh, ...troubles }, random);
}

describe("nextMove", () => {
  const table: ReadonlyArray<
    readonly [kind: ErrorKind, plain: string, alternatives: string, refresh: string]
  > = [
    ["unavailable", "wait", "other", "refresh"],
    ["truncated", "wait", "other", "refresh"],
    ["protocol", "wait", "other", "refresh"],
    ["throttled", "wait", "other", "refresh"],
    // Another replica may have it; a location or token looked up again may be the right one.
    ["not-found", "fail", "other", "refresh"],
    ["denied", "fail", "other", "refresh"],
    ["changed", "fail", "fail", "fail"],
    ["unsatisfiable", "fail", "fail", "fail"],
    ["lost", "fail", "fail", "fail"],
    ["key-missing", "fail", "fail", "fail"],
    ["key-wrong", "fail", "fail", "fail"],
    ["unsupported", "fail", "fail", "fail"],
    ["too-many-parts", "fail", "fail", "fail"],
    ["overloaded", "fail", "fail", "fail"],
    ["config", "fail", "fail", "fail"],
  ];

  it.for(table)(
    "after %s is %s; with another replica %s; where locations can be looked up %s",
    ([kind, plain, alternatives, refresh]) => {
      expect(move(kind).move).toBe(plain);
      expect(move(kind, { alternatives: true }).move).toBe(alternatives);
      expect(move(kind, {}, { canRefresh: true }).move).toBe(refresh);
    },
  );

  it("does not repeat a question that the store calls wrong, unless another replica may see it otherwise", () => {
    for (const status of [302, 400, 416]) {
      expect(move("protocol", { status })).toEqual({ move: "fail" });
      expect(move("protocol", { status }, { canRefresh: true })).toEqual({ move: "fail" });
      expect(move("protocol", { status, alternatives: true })).toEqual({ move: "other" });
    }
    expect(move("protocol", { status: 206 }).move).toBe("wait");
    // S3's RequestTimeout is a 400 of another kind.
    expect(move("unavailable", { status: 400 }).move).toBe("wait");
  });

  it("asks the same replica again after a reset, once: a kept-alive connection may have died", () => {
    const reset = { connection: true, alternatives: true };
    expect(move("unavailable", reset)).toEqual({ move: "same" });
    expect(move("unavailable", reset, { graceUsed: true })).toEqual({ move: "other" });
    expect(move("unavailable", { connection: true }, { graceUsed: true }).move).toBe("wait");
  });

  it("does not ask a silent address a second time", () => {
    const silent = { connection: true, silent: true };
    expect(move("unavailable", { ...silent, alternatives: true })).toEqual({ move: "other" });
    expect(move("unavailable", silent).move).toBe("wait");
  });

  it("asks every replica before it looks up again", () => {
    const troubles = { canRefresh: true };
    expect(move("unavailable", { alternatives: true }, troubles).move).toBe("other");
    expect(move("unavailable", { alternatives: false }, troubles).move).toBe("refresh");
  });

  it("fails when the attempts without progress are used up", () => {
    expect(move("unavailable", {}, { failures: 4 }).move).toBe("wait");
    expect(move("unavailable", {}, { failures: 5 })).toEqual({ move: "fail" });
    const all = { alternatives: true, connection: true };
    expect(move("unavailable", all, { failures: 5, canRefresh: true })).toEqual({ move: "fail" });
  });

  it("fails when bytes were used and the version cannot be pinned", () => {
    const all = { alternatives: true, connection: true };
    expect(move("unavailable", all, { resumable: false })).toEqual({ move: "fail" });
  });

  it("fails for what is no error of a store: a fault of ours is not asked again", () => {
    expect(nextMove(new TypeError("x is undefined"), fresh, 0.5)).toEqual({ move: "fail" });
    expect(nextMove(undefined, fresh, 0.5)).toEqual({ move: "fail" });
  });

  it("waits with full jitter below a ceiling that doubles from 100 ms to 5 s", () => {
    const ceilings = [1, 2, 3, 4, 5, 6, 7, 8, 50].map((failures) =>
      move("unavailable", {}, { failures, allowed: 100 }, 1),
    );
    expect(ceilings).toEqual(
      [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000].map((delayMs) => ({
        move: "wait",
        delayMs,
      })),
    );
    expect(move("unavailable", {}, { failures: 4 }, 0)).toEqual({ move: "wait", delayMs: 0 });
  });

  it("waits at least as long as the store asked, and no longer than the jitter beyond", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 30_000 }),
        fc.integer({ min: 1, max: 90 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (retryAfterMs, failures, random) => {
          const next = move("throttled", { retryAfterMs }, { failures, allowed: 100 }, random);
          if (next.move !== "wait") throw new Error(`moved ${next.move}`);
          expect(next.delayMs).toBeGreaterThanOrEqual(retryAfterMs);
          expect(next.delayMs).toBeLessThanOrEqual(retryAfterMs + 5_000);
        },
      ),
    );
  });

  it("spreads those who were told to wait for the same time", () => {
    const asked = { retryAfterMs: 2_000 };
    expect(move("throttled", asked, { failures: 4 }, 0.5)).toEqual({
      move: "wait",
      delayMs: 2_400,
    });
  });

  it("fails honestly where the store asks for more than 30 s", () => {
    expect(move("unavailable", { retryAfterMs: 30_000 }).move).toBe("wait");
    expect(move("unavailable", { retryAfterMs: 30_001 })).toEqual({ move: "fail" });
    expect(move("unavailable", { retryAfterMs: 3_600_000 }, { canRefresh: true })).toEqual({
      move: "fail",
    });
    // One that throttles may count our own other requests: it is asked again behind the usual back-off.
    expect(move("throttled", { retryAfterMs: 60_000 })).toEqual({ move: "wait", delayMs: 50 });
    // Another replica did not ask for patience.
    expect(move("unavailable", { retryAfterMs: 60_000, alternatives: true })).toEqual({
      move: "other",
    });
  });
});

describe("isTransient", () => {
  it("is true for what can pass by itself", () => {
    const kinds = ["throttled", "unavailable", "truncated", "protocol"] as const;
    expect(kinds.every(isTransient)).toBe(true);
    expect((["not-found", "denied", "changed", "lost"] as const).some(isTransient)).toBe(false);
  });
});
