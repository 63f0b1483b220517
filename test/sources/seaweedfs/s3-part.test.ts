import { expect, it } from "vitest";
import { entryFromJson } from "../../../src/sources/seaweedfs/entry.ts";
import { s3PartOf } from "../../../src/sources/seaweedfs/s3-part.ts";

function entryOf(parts: readonly Record<string, number>[], more: Record<string, string> = {}) {
  const chunks = [0, 10, 20].map((offset) => ({ file_id: "1,0100000000", offset, size: 10 }));
  const records = { "X-Seaweedfs-Multipart-Part-Boundaries": JSON.stringify(parts), ...more };
  const entries = Object.entries(records).map(([name, text]) => [name, btoa(text)]);
  return entryFromJson({
    FullPath: "/o",
    FileSize: 30,
    chunks,
    Extended: Object.fromEntries(entries),
  });
}

it("a part lies where its record says, in bytes or, as older ones have it, in chunks", () => {
  const parts = [
    { part: 1, startOffset: 0, endOffset: 12 },
    { part: 3, start: 1, end: 3 },
  ];
  const entry = entryOf(parts, { "X-Seaweedfs-Multipart-Parts-Count": "2" });
  expect(s3PartOf(entry, 1)).toEqual({ range: { start: 0, end: 12 }, count: 2 });
  expect(s3PartOf(entry, 3)).toEqual({ range: { start: 10, end: 30 }, count: 2 });
  expect(() => s3PartOf(entry, 2)).toThrow(expect.objectContaining({ kind: "unsatisfiable" }));
});

it("parts are counted where no count is stored, or none that is one", () => {
  const parts = [{ part: 1, startOffset: 0, endOffset: 30 }];
  expect(s3PartOf(entryOf(parts), 1).count).toBe(1);
  const named = entryOf(parts, { "X-Seaweedfs-Multipart-Parts-Count": "many" });
  expect(s3PartOf(named, 1).count).toBe(1);
});

it.each([
  { part: 1, startOffset: 20, endOffset: 31 },
  { part: 1, start: 2, end: 1 },
  { part: 1, start: 3, end: 4 },
])("a part that reaches out of the object is none: %j", (part) => {
  expect(() => s3PartOf(entryOf([part]), 1)).toThrow(
    expect.objectContaining({ kind: "unsatisfiable", size: 30 }),
  );
});

it("an empty object that was uploaded in parts has an empty part", () => {
  const extended = { "X-Seaweedfs-Multipart-Part-Boundaries": btoa('[{"part":1}]') };
  const entry = entryFromJson({ FullPath: "/o", FileSize: 0, Extended: extended });
  expect(s3PartOf(entry, 1).range).toEqual({ start: 0, end: 0 });
});

it("an object that was put in one piece has one part", () => {
  const entry = entryOf([], { "X-Seaweedfs-Multipart-Part-Boundaries": "" });
  expect(s3PartOf(entry, 1)).toEqual({ range: { start: 0, end: 30 }, count: undefined });
  expect(() => s3PartOf(entry, 2)).toThrow(expect.objectContaining({ kind: "unsatisfiable" }));
});
