import { describe, expect, it, vi } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import { onTrial, withoutFirst } from "../../src/http/opened.ts";
import { Reserve } from "../../src/readahead/reserve.ts";
import type { Answer, OpenObject } from "../../src/sources/source.ts";

/** An object with everything that one may have; its methods need it for `this`. */
class Whole implements OpenObject {
  readonly #name = "whole";
  readonly facts = { size: 10, headers: {} };
  readonly rangeable = true;
  readonly s3Part = { start: 0, end: 5 };
  readonly first;
  read = vi.fn(async (): Promise<Answer> => ({ replica: this.#name, body: new Uint8Array(1) }));

  constructor(cancel: () => void = () => undefined) {
    const body = new ReadableStream<Uint8Array>({ cancel });
    this.first = { range: { start: 0, end: 5 }, replica: this.#name, body };
  }

  reserve(): Reserve {
    return new Reserve(this.#name.length);
  }

  async *pieces(range: { start: number; end: number }) {
    if (this.#name.length > 0) yield { kind: "stored", range } as const;
  }

  async pieceCount(): Promise<number> {
    return this.#name.length;
  }

  async refresh(): Promise<boolean> {
    return this.#name.length > 0;
  }
}

const context = {} as never;
const range = { start: 1, end: 2 };

describe.each([
  ["without its first answer", withoutFirst],
  ["on trial", onTrial],
])("an object %s", (_name, copy) => {
  it("is the object in everything else", async () => {
    const whole = new Whole();
    const { first, facts, rangeable, s3Part, ...object } = copy(whole);
    expect(first).toBeUndefined();
    expect({ facts, rangeable, s3Part }).toEqual({
      facts: whole.facts,
      rangeable: true,
      s3Part: whole.s3Part,
    });
    expect(object.reserve?.([])?.bytes).toBe(5);
    expect(await object.pieceCount?.(range, 5, context)).toBe(5);
    expect(await object.refresh?.({ kind: "stored", range }, context)).toBe(true);
    expect(await object.pieces?.(range, context)[Symbol.asyncIterator]().next()).toMatchObject({
      value: { kind: "stored", range },
    });
    const answer = await object.read({ kind: "stored", range }, range, context);
    expect(answer.replica).toBe("whole");
  });
});

describe("an object on trial", () => {
  const misfit = new ReadaheadError("protocol", "A 200", { replica: "r", status: 200 });

  it("has an answer that does not fit taken for one of another version, until one fitted", async () => {
    const whole = new Whole();
    const { read } = onTrial(whole);
    const piece = { kind: "stored", range } as const;
    whole.read.mockRejectedValueOnce(misfit);
    await expect(read(piece, range, context)).rejects.toMatchObject({
      kind: "changed",
      replica: "r",
      status: 200,
    });
    await read(piece, range, context);
    whole.read.mockRejectedValueOnce(misfit);
    await expect(read(piece, range, context)).rejects.toBe(misfit);
  });
});
