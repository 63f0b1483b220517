/**
 * The stretch of an S3 part by its number. Pure.
 *
 * Deviation: SeaweedFS counts the chunks of an object uploaded in one piece as parts; here such an object has one part,
 * as with every other S3.
 */
import { ReadaheadError } from "../../errors.ts";
import type { ByteRange } from "../../readahead/byte-range.ts";
import { type Entry, extendedText } from "./entry.ts";
import { asFields, countField } from "./field.ts";

const boundariesName = "X-Seaweedfs-Multipart-Part-Boundaries";
const countName = "X-Seaweedfs-Multipart-Parts-Count";

export interface S3Part {
  readonly range: ByteRange;
  /** Parts of the upload; absent for an object that was not uploaded in parts. */
  readonly count: number | undefined;
}

/** @throws ReadaheadError `unsatisfiable` for a part that is not there */
export function s3PartOf(entry: Entry, number: number): S3Part {
  const boundaries = readBoundaries(entry);
  if (boundaries.length === 0) {
    if (number === 1) return { range: { start: 0, end: entry.size }, count: undefined };
    throw noPart(entry, number);
  }
  const count = Number(extendedText(entry, countName) ?? boundaries.length);
  const range = boundaries.find((part) => part.number === number)?.range;
  if (range === undefined || range.end > entry.size || range.start > range.end)
    throw noPart(entry, number);
  return { range, count: Number.isSafeInteger(count) ? count : boundaries.length };
}

interface Boundary {
  readonly number: number;
  /** `undefined` where the record names chunks that the object does not have. */
  readonly range: ByteRange | undefined;
}

function readBoundaries(entry: Entry): Boundary[] {
  const text = extendedText(entry, boundariesName);
  if (text === undefined || text === "") return [];
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw new ReadaheadError("protocol", "The object's part list cannot be read", { cause: error });
  }
  if (!Array.isArray(list)) throw new ReadaheadError("protocol", "The object's parts are no list");
  return list.map((item) => {
    const fields = asFields(item, "part");
    const start = countField(fields, "startOffset");
    const end = countField(fields, "endOffset");
    const range = end > start ? { start, end } : byChunks(entry, fields);
    return { number: countField(fields, "part"), range };
  });
}

/** Older records name the part's chunks by their places in the list. */
function byChunks(entry: Entry, fields: Readonly<Record<string, unknown>>): ByteRange | undefined {
  const first = entry.chunks[countField(fields, "start")];
  const last = entry.chunks[countField(fields, "end") - 1];
  if (first === undefined || last === undefined)
    return entry.size === 0 ? { start: 0, end: 0 } : undefined;
  return { start: first.offset, end: last.offset + last.size };
}

function noPart(entry: Entry, number: number): ReadaheadError {
  return new ReadaheadError("unsatisfiable", `The object has no part ${number}`, {
    size: entry.size,
  });
}
