import { describe, expect, it } from "vitest";
import type { Layout } from "../../src/readahead/layout.ts";
import { Planner, type Stretch } from "../../src/readahead/planner.ts";
import type { KnownPiece, OpenObject, StoredPiece } from "../../src/sources/source.ts";
import { createTestDownload } from "../support/permits.ts";

type Piece = StoredPiece | KnownPiece;

function objectOf(pieces?: OpenObject["pieces"]): OpenObject {
  return {
    facts: { size: undefined, headers: {} },
    ...(pieces && { pieces }),
    read: () => Promise.reject(new Error("The planner reads nothing")),
  };
}

function plan(layout: Layout, pieces?: Iterable<Piece>): Planner {
  const inTurns = async function* () {
    for (const piece of pieces ?? []) yield piece;
  };
  return new Planner(objectOf(pieces && inTurns), layout, createTestDownload());
}

function describeStretch(stretch: Stretch): string {
  switch (stretch.kind) {
    case "literal":
      return `literal ${stretch.bytes.byteLength}`;
    case "zeros":
      return `zeros ${stretch.count}`;
    case "stored":
      return `stored ${stretch.range.start}-${stretch.range.end}`;
    default:
      return stretch satisfies never;
  }
}

/** Walks to the end, taking at most `step` bytes of a stored stretch at a time. */
async function walk(planner: Planner, step = Number.POSITIVE_INFINITY): Promise<string[]> {
  const seen: string[] = [];
  for (;;) {
    const stretch = await planner.peek();
    if (stretch === undefined) return seen;
    seen.push(describeStretch(stretch));
    if (stretch.kind === "literal") planner.advance(stretch.bytes.byteLength);
    else if (stretch.kind === "zeros") planner.advance(stretch.count);
    else planner.advance(Math.min(step, stretch.range.end - stretch.range.start));
  }
}

const stored = (start: number, end: number): StoredPiece => ({
  kind: "stored",
  range: { start, end },
});
const zeros = (start: number, end: number): KnownPiece => ({
  kind: "zeros",
  range: { start, end },
});

describe("Planner", () => {
  it("takes an object without pieces as one", async () => {
    const planner = plan([{ start: 5, end: 100 }]);
    expect(await walk(planner)).toEqual(["stored 5-100"]);
    expect(planner).toMatchObject({ planned: 95, remaining: 0, ended: true });
  });

  it("moves through a stretch as it is told, and knows what is left", async () => {
    const planner = plan([{ start: 0, end: 10 }]);
    expect(await walk(planner, 4)).toEqual(["stored 0-10", "stored 4-10", "stored 8-10"]);
  });

  it("counts literals among the bytes of the answer, and passes over empty ones", async () => {
    const layout = [new Uint8Array(3), { start: 0, end: 5 }, new Uint8Array(0), new Uint8Array(2)];
    const planner = plan(layout);
    expect(planner).toMatchObject({ planned: 0, remaining: 10 });
    expect(await walk(planner)).toEqual(["literal 3", "stored 0-5", "literal 2"]);
    expect(planner).toMatchObject({ planned: 10, remaining: 0 });
  });

  it("cuts the first and the last piece to the range, and passes over pieces outside", async () => {
    const pieces = [stored(0, 10), stored(10, 20), zeros(20, 30), stored(30, 40), stored(40, 50)];
    const planner = plan([{ start: 15, end: 33 }], pieces);
    expect(await walk(planner)).toEqual(["stored 15-20", "zeros 10", "stored 30-33"]);
  });

  it("cuts bytes that came with the metadata to the range, without copying them", async () => {
    const bytes = Uint8Array.from({ length: 10 }, (_, index) => index);
    const literal: KnownPiece = { kind: "literal", range: { start: 0, end: 10 }, bytes };
    const stretch = await plan([{ start: 3, end: 7 }], [literal]).peek();
    expect(stretch).toMatchObject({ kind: "literal", bytes: Uint8Array.of(3, 4, 5, 6) });
    expect(stretch?.kind === "literal" && stretch.bytes.buffer).toBe(bytes.buffer);
  });

  it("hands on the source's own handle", async () => {
    const piece = { ...stored(0, 10), fileId: "3,01637037d6" };
    const stretch = await plan([{ start: 0, end: 10 }], [piece]).peek();
    expect(stretch?.kind === "stored" && stretch.piece).toBe(piece);
  });

  it("walks the pieces anew for every range of the layout", async () => {
    const layout = [
      { start: 12, end: 14 },
      { start: 3, end: 5 },
    ];
    const pieces = [stored(0, 10), stored(10, 20)];
    expect(await walk(plan(layout, pieces))).toEqual(["stored 12-14", "stored 3-5"]);
  });

  it.for<[string, Piece[], RegExp]>([
    ["a gap in the middle", [stored(0, 10), stored(11, 20)], /byte 10$/],
    ["an end too soon", [stored(0, 10)], /byte 10$/],
    ["a start too late", [stored(5, 20)], /byte 0$/],
    ["no piece at all", [], /byte 0$/],
    ["pieces out of order", [stored(10, 20), stored(0, 10)], /byte 0$/],
  ])("calls %s a fault of the source", async ([, pieces, message]) => {
    const walked = walk(plan([{ start: 0, end: 20 }], pieces));
    await expect(walked).rejects.toMatchObject({
      kind: "protocol",
      message: expect.stringMatching(message) as string,
    });
  });

  it("uses each byte once where pieces overlap", async () => {
    const pieces = [stored(0, 12), stored(8, 20)];
    expect(await walk(plan([{ start: 0, end: 20 }], pieces))).toEqual([
      "stored 0-12",
      "stored 12-20",
    ]);
  });

  it("does not run ahead of the cursor: a manifest is read when the cursor gets there", async () => {
    let yielded = 0;
    let ended = false;
    const endless = function* (): Generator<Piece> {
      try {
        for (let turn = 0; ; turn += 1) {
          yielded += 1;
          yield stored(turn * 10, (turn + 1) * 10);
        }
      } finally {
        ended = true;
      }
    };
    const planner = plan([{ start: 0, end: Number.POSITIVE_INFINITY }], endless());
    for (let turn = 1; turn <= 3; turn += 1) {
      await planner.peek();
      await planner.peek();
      expect(yielded).toBe(turn);
      planner.advance(10);
    }
    // Ending the download ends the source's iteration, whose own cleanup runs then.
    planner.end();
    planner.end();
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(true);
    expect(yielded).toBe(3);
  });

  it("passes on what went wrong in the source's iteration", async () => {
    const failing = function* (): Generator<Piece> {
      yield stored(0, 10);
      throw new RangeError("A manifest is broken");
    };
    await expect(walk(plan([{ start: 0, end: 20 }], failing()))).rejects.toThrow(RangeError);
  });
});
