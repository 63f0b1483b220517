import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createJsonDocuments, MAX_DOCUMENT_CHARACTERS } from "../../cli/json-documents.ts";

function read(pieces: readonly string[]): { values: unknown[]; skipped: number } {
  const documents = createJsonDocuments();
  const values = pieces.flatMap((piece) => documents.push(piece));
  documents.end();
  return { values, skipped: documents.skipped };
}

describe("createJsonDocuments", () => {
  it("reads documents one after another, in one line, in many, and without a break between them", () => {
    const text = `{"a":1}\n${JSON.stringify({ b: [1, { c: "}" }] }, null, 2)}{"d":"\\"{"}\n\n  {"e":{}}`;
    expect(read([text])).toEqual({
      values: [{ a: 1 }, { b: [1, { c: "}" }] }, { d: '"{' }, { e: {} }],
      skipped: 0,
    });
  });

  it("counts a list that nothing follows", () => {
    expect(read(["[\n"])).toEqual({ values: [], skipped: 1 });
    expect(read(["[", '{"a":1}', "]"])).toEqual({ values: [{ a: 1 }], skipped: 0 });
  });

  it("reads any documents however they are split", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()), { maxLength: 6 }),
        fc.array(fc.nat(400), { maxLength: 30 }),
        fc.constantFrom(undefined, 2),
        (values, cuts, indent) => {
          const text = values.map((value) => JSON.stringify(value, null, indent)).join("\n");
          const at = [0, ...cuts.map((cut) => Math.min(cut, text.length)), text.length].toSorted(
            (a, b) => a - b,
          );
          const pieces = at.slice(1).map((end, i) => text.slice(at[i], end));
          const result = read(pieces);
          expect(result.skipped).toBe(0);
          expect(result.values).toEqual(JSON.parse(JSON.stringify(values)));
        },
      ),
      { numRuns: 300, verbose: 1 },
    );
  });

  it("takes lists of documents apart, in one line or many, however they are split", () => {
    const values = [{ a: 1 }, { b: [{ c: 2 }] }, { d: "]" }];
    for (const indent of [undefined, 2]) {
      const text = `${JSON.stringify(values, null, indent)}\n{"e":3}\n`;
      const expected = { values: [...values, { e: 3 }], skipped: 0 };
      expect(read([text])).toEqual(expected);
      expect(read(text.split(""))).toEqual(expected);
    }
    expect(read(["[]\n[1, 2]\n[]"]).values).toEqual([]);
    expect(read(['[{"a":1}, {broken}, {"b":2}]\n{"c":3}\n'])).toEqual({
      values: [{ a: 1 }, { c: 3 }],
      skipped: 1,
    });
    expect(read(['[wrangler:warn] {"a":1}\n["b"]\n'])).toEqual({ values: [], skipped: 2 });
  });

  it("counts other lines and goes on behind them", () => {
    const text =
      'Connected to edge-readahead, waiting for logs...\n[wrangler:warn] {hm}\n{"a":1}\nGET / - Ok\n{"b":2}\nbye';
    expect(read([text])).toEqual({ values: [{ a: 1 }, { b: 2 }], skipped: 4 });
  });

  it("counts a document that does not parse once, and reads the next", () => {
    expect(read(['{not json} and more\n{"a":1}\n'])).toEqual({ values: [{ a: 1 }], skipped: 1 });
    expect(read(['{"cut": "in a stri\n{"a":1}\n'])).toEqual({ values: [{ a: 1 }], skipped: 1 });
  });

  it("gives a cut document up when the next begins at the first column", () => {
    expect(read(['{"cut": {"x": 1,\n{"a":1}\n{"b":2}'])).toEqual({
      values: [{ a: 1 }, { b: 2 }],
      skipped: 1,
    });
  });

  it("counts a document that the input ends in", () => {
    expect(read(['{"a":1}\n{"b":'])).toEqual({ values: [{ a: 1 }], skipped: 1 });
  });

  it("gives a document without an end up before it fills the memory", () => {
    const documents = createJsonDocuments();
    documents.push('{"a":"');
    const piece = "x".repeat(64 * 1024);
    for (let fed = 0; fed <= MAX_DOCUMENT_CHARACTERS; fed += piece.length) documents.push(piece);
    expect(documents.skipped).toBe(1);
    expect(documents.push('\n{"b":1}')).toEqual([{ b: 1 }]);
  });
});
