import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPaint } from "../../cli/download-line.ts";
import { formatWaterfall } from "../../cli/waterfall.ts";
import type { SummaryRecord } from "../../src/observe/record.ts";
import { syntheticRecord } from "./support/tail-items.ts";

const plain = createPaint(false);

function draw(record: SummaryRecord, width = 60, rows?: number): string[] {
  return formatWaterfall(record, { width, paint: plain, ...(rows === undefined ? {} : { rows }) });
}

describe("formatWaterfall", () => {
  it("draws a staircase that tells waiting, receiving and holding apart", () => {
    const record = syntheticRecord({
      parts: 6,
      window: 3,
      wait: () => 40,
      receive: (part) => (part === 0 ? 120 : 40),
      replica: (part) => `10.0.0.${part % 2}`,
    });
    expect(`\n${draw(record).join("\n")}\n`).toMatchSnapshot();
  });

  it("marks a retry where it happened, and says who answered in the end", () => {
    const record = syntheticRecord({
      parts: 4,
      window: 2,
      failures: (part) => (part === 1 ? 2 : 0),
      replica: (_part, attempt) => `10.0.0.${attempt}`,
    });
    const row = draw(record).find((line) => line.includes("x3"));
    expect(row).toMatch(/r3 x3|r2 x3|r1 x3/);
    expect(row?.match(/r/g)?.length).toBe(3);
  });

  it("says how many parts are not drawn, where any is", () => {
    const record = syntheticRecord({ parts: 9 });
    expect(draw(record, 80, 8)).toContain("  1 of 9 parts are not drawn");
    expect(draw(record, 80, 9).some((line) => line.includes("not drawn"))).toBe(false);
  });

  it("keeps half of its rows for parts that went well, however many were repeated", () => {
    const record = syntheticRecord({ parts: 40, failures: (part) => (part < 20 ? 1 : 0) });
    const drawn = draw(record, 80, 8).filter((line) => /^ +\d+ {2}r/.test(line));
    expect(drawn).toHaveLength(8);
    expect(drawn.filter((line) => line.includes("x2")).length).toBeLessThan(8);
    expect(drawn.at(-1)).not.toContain("x2");
  });

  it("cuts the parts off that were in flight when the client left", () => {
    const record = syntheticRecord({
      parts: 8,
      window: 4,
      leaveAt: 0,
      wait: (part) => (part === 0 ? 10 : 400),
    });
    expect(`\n${draw(record).join("\n")}\n`).toMatchSnapshot();
  });

  it("says so when no store was asked, and why the request failed", () => {
    const { timeline: _timeline, slowest: _slowest, ...record } = syntheticRecord({ parts: 1 });
    const error = { kind: "denied", message: "Link is not valid: expired" };
    const lines = draw({ ...record, slowest: null, error });
    expect(lines[0]).toBe("  no store was asked");
    expect(lines.at(-1)).toBe("  denied: Link is not valid: expired");
  });

  it("draws what was asked before the first part, and says why there was none", () => {
    const { timeline, ...record } = syntheticRecord({ parts: 1 });
    if (timeline === undefined) throw new Error("no timeline");
    const none = { of: 0, part: [], start: [], wait: [], receive: [], held: [], attempts: [] };
    const lines = draw({
      ...record,
      slowest: null,
      totalMs: 300,
      error: { kind: "unavailable", message: "Connection refused" },
      timeline: {
        ...timeline,
        ...none,
        replica: [],
        again: [],
        lookups: [
          ["open", 0, 100],
          ["open", 200, null],
        ],
      },
    });
    expect(lines[1]).toMatch(/^ {8}open  ░+$/);
    expect(lines[2]).toMatch(/^ {8}open {3,}░+×$/);
    expect(lines.at(-1)).toBe("  unavailable: Connection refused");
  });

  it("survives a record of more parts than a call has arguments", () => {
    const record = syntheticRecord({ parts: 1 });
    if (record.timeline === undefined) throw new Error("no timeline");
    const column = (value: number) => Array.from({ length: 400_000 }, () => value);
    const { part: _part, ...one } = record.timeline;
    const part = Array.from({ length: 400_000 }, (_, i) => i);
    const columns = { start: column(0), wait: column(1), receive: column(1), held: column(0) };
    expect(draw({ ...record, timeline: { ...one, part, of: 400_000, ...columns } })).not.toEqual(
      [],
    );
  });

  it("says what parts were retried for", () => {
    const record = syntheticRecord({ parts: 4 });
    const lines = draw({ ...record, retriedFor: { throttled: 20, unavailable: 2 } });
    expect(lines).toContain("  retried: 20 throttled, 2 unavailable");
  });

  it("cuts a long name of a replica, not how often it was asked", () => {
    const replicas = ["volume-server-01.weed.example.com:8080"];
    const record = syntheticRecord({ parts: 1 });
    if (record.timeline === undefined) throw new Error("no timeline");
    const lines = draw({ ...record, timeline: { ...record.timeline, attempts: [12], replicas } });
    expect(lines.join("\n")).toContain("  volume-server-01.wee x12  ");
  });

  it("gives each replica a colour of its own and paints nothing without colours", () => {
    const record = syntheticRecord({ parts: 4, replica: (part) => `10.0.0.${part}` });
    const painted = formatWaterfall(record, { width: 80, paint: createPaint(true) }).join("\n");
    for (const code of ["36", "33", "35", "32"]) expect(painted).toContain(`\u001b[${code}m`);
    expect(draw(record).join("\n")).not.toContain("\u001b");
  });

  it("keeps the slowest part and the repeated ones when there are more parts than rows", () => {
    const record = syntheticRecord({
      parts: 150,
      wait: (part) => (part === 77 ? 900 : 20),
      failures: (part) => (part === 101 ? 1 : 0),
    });
    const lines = draw(record, 80, 20);
    expect(lines.some((line) => /^ +77 /.test(line))).toBe(true);
    expect(lines.some((line) => /^ +101 /.test(line))).toBe(true);
    expect(lines).toContain("  130 of 150 parts are not drawn");
  });

  it("draws the slowest part however many were repeated before it", () => {
    const record = syntheticRecord({
      parts: 150,
      wait: (part) => (part === 140 ? 900 : 20),
      failures: (part) => (part < 100 ? 1 : 0),
    });
    expect(draw(record, 80, 20).some((line) => /^ +140 /.test(line))).toBe(true);
  });

  it("replaces control characters, so that no key or host writes into the terminal", () => {
    const record = syntheticRecord({ parts: 2 });
    const { timeline } = record;
    if (timeline === undefined) throw new Error("no timeline");
    const evil = {
      ...record,
      unversioned: "\u001b]0;x\u0007",
      timeline: { ...timeline, replicas: ["\u001b[2J"] },
    };
    expect(draw(evil).join("")).not.toMatch(/\p{Cc}/u);
  });

  it("is never wider than the terminal, whatever the record", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 60, max: 240 }),
        fc.array(fc.nat(100_000), { minLength: 1, maxLength: 20 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (parts, window, width, waits, left) => {
          const record = syntheticRecord({
            parts,
            window,
            wait: (part) => waits[part % waits.length] ?? 0,
            receive: (part) => waits[(part * 7) % waits.length] ?? 0,
            failures: (part) => (part % 9 === 0 ? 1 : 0),
            leaveAt: Math.floor(left * parts),
          });
          const bars = draw(record, width).filter(
            (line) => /[░█×]/.test(line) && !line.includes("waiting"),
          );
          expect(bars.length).toBeGreaterThan(0);
          for (const line of bars) expect(line.length).toBeLessThanOrEqual(width);
        },
      ),
      { numRuns: 150, verbose: 1 },
    );
  });
});
