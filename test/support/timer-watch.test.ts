import { describe, expect, it } from "vitest";
import { watchTimers } from "./timer-watch.ts";
import { until } from "./until.ts";

describe("watchTimers", () => {
  it("names what is set and neither ran nor was cleared, and where", async () => {
    const { setTimeout: before } = globalThis;
    const watch = watchTimers();
    try {
      let ran: unknown;
      setTimeout((value: string) => (ran = value), 1, "ran");
      clearTimeout(setTimeout(() => {}, 60_000));
      const left = setTimeout(() => {}, 60_000);
      await until("the first one ran", () => ran === "ran");
      expect(watch.pending()).toEqual([
        expect.stringMatching(/^60000 ms, .*timer-watch\.test\.ts/),
      ]);
      clearTimeout(left);
      expect(watch.pending()).toEqual([]);
    } finally {
      watch.stop();
    }
    expect(globalThis.setTimeout).toBe(before);
  });
});
