import { describe, expect, it } from "vitest";
import { defaultLimits, type Limits, resolveLimits } from "../../src/readahead/limits.ts";

describe("resolveLimits", () => {
  it("fills in the defaults, and takes undefined for absent", () => {
    expect(resolveLimits()).toEqual(defaultLimits);
    const overrides = { windowParts: 3, partBytes: undefined } as unknown as Partial<Limits>;
    expect(resolveLimits(overrides)).toEqual({ ...defaultLimits, windowParts: 3 });
  });

  it("neither changes nor keeps what it was given", () => {
    const overrides = Object.freeze({ attempts: 2 });
    const limits = resolveLimits(overrides);
    expect(limits).not.toBe(overrides);
    expect(limits.attempts).toBe(2);
  });

  const bounds: ReadonlyArray<[keyof Limits, number, number]> = [
    ["windowParts", 1, 64],
    ["partBytes", 1024, 1024 ** 3],
    ["budgetBytes", 0, 1024 ** 4],
    ["unanswered", 1, 1024],
    ["subrequests", 1, 10_000_000],
    ["openUpstreams", 1, 100_000],
    ["holdMs", 10, 600_000],
    ["firstByteMs", 10, 600_000],
    ["stallMs", 10, 600_000],
    ["attempts", 1, 100],
  ];

  it.for(bounds)("takes %s from %i to %i, whole numbers alone", ([name, least, most]) => {
    expect(resolveLimits({ [name]: least })[name]).toBe(least);
    expect(resolveLimits({ [name]: most })[name]).toBe(most);
    for (const wrong of [least - 1, most + 1, least + 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      const resolve = () => resolveLimits({ [name]: wrong });
      expect(resolve).toThrow(RangeError);
      expect(resolve).toThrow(`${name} must be a whole number from ${least} to ${most}`);
    }
  });

  it("knows no other names: those of the configuration are spelled otherwise", () => {
    const resolve = () => resolveLimits({ window_parts: 3 } as object);
    expect(resolve).toThrow(new RangeError("There is no limit window_parts"));
    for (const wrong of [{ hedge: "no" }, { toString: 1 }, { attempts: "10" }])
      expect(() => resolveLimits(wrong as object)).toThrow(RangeError);
  });

  it("says what type a limit has", () => {
    const hedge = () => resolveLimits({ hedge: 1 } as object);
    expect(hedge).toThrow(new RangeError("hedge must be a boolean"));
    const parts = () => resolveLimits({ windowParts: "3" } as object);
    expect(parts).toThrow(new RangeError("windowParts must be a number"));
  });

  it("has a bound for every number", () => {
    const numbers = Object.entries(defaultLimits).flatMap(([name, value]) =>
      typeof value === "number" ? [name] : [],
    );
    expect(bounds.map(([name]) => name).toSorted()).toEqual(numbers.toSorted());
  });
});
