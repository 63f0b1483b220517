import { describe, expect, it } from "vitest";
import { ExpiringMap } from "../src/expiring-map.ts";

describe("ExpiringMap", () => {
  it("believes what it keeps until its time", () => {
    let now = 0;
    const map = new ExpiringMap<number>(2, () => now);
    map.set("a", 1, 10);
    now = 9;
    expect(map.get("a")).toBe(1);
    now = 10;
    expect([map.get("a"), map.size]).toEqual([undefined, 0]);
  });

  it("lets the oldest go, and takes what is kept anew for the newest", () => {
    const map = new ExpiringMap<number>(2, () => 0);
    for (const name of ["a", "b", "a", "c"]) map.set(name, 1, 10);
    expect(["a", "b", "c"].map((name) => map.get(name))).toEqual([1, undefined, 1]);
    map.delete("a");
    expect(map.size).toBe(1);
  });
});
