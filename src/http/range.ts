/**
 * The Range request field (RFC 9110 14.1, 14.2): text -> what was asked for -> half-open ranges of the object. Pure.
 *
 * Works in two steps, because the first upstream request is sent before the size is known: `parseRange` reads the
 * text, `wantOf` says what to open with, and `resolveRanges` gives the ranges once the size is there. HTTP's inclusive
 * form ends here; `readahead/content-range.ts` has that of answers, `sources/request-headers.ts` what we ask for.
 *
 * What it deliberately does not do: If-Range (`conditional.ts`), multipart framing (`multipart.ts`).
 */
import type { ByteRange } from "../readahead/byte-range.ts";
import type { Want } from "../sources/source.ts";

/** One range-spec as asked. `end` is exclusive; absent: to the end of the object. A suffix of 0 is never satisfiable. */
export type RangeSpec =
  | { readonly start: number; readonly end?: number }
  | { readonly suffix: number };

/** The ranges to send, in the order they were asked for. `whole`: answer 200 as if there were no Range. */
export type ResolvedRanges =
  | { readonly kind: "whole" }
  | { readonly kind: "unsatisfiable" }
  | { readonly kind: "ranges"; readonly ranges: readonly ByteRange[] };

/** More specs than this in one field are taken for abuse (RFC 9110 17.15) and the field is ignored. */
export const maxRangeSpecs = 1_000;
/** Most ranges of one answer, counted after coalescing; more are answered with the whole object (RFC 9110 14.2). */
export const maxRanges = 16;
/** A gap smaller than the framing of a part (about 130 bytes) is cheaper to send than to leave out (RFC 9110 15.3.7.2). */
const smallGapBytes = 128;
/** RFC 9110 14.2 names "more than two overlapping ranges" as a sign of a broken or hostile client. */
const maxOverlaps = 2;

const intRange = /^(\d+)-(\d*)$/;
const suffixRange = /^-(\d+)$/;

/**
 * Reads a Range field value.
 *
 * @returns `undefined` when the field must be ignored: absent, another unit, malformed anywhere, inverted, or more than
 * {@link maxRangeSpecs} specs. Numbers beyond 2^53 - 1 are clamped to it.
 */
export function parseRange(text: string | null): readonly RangeSpec[] | undefined {
  if (text === null) return undefined;
  const equals = text.indexOf("=");
  // Unit names are case-insensitive (RFC 9110 14.1).
  if (equals < 0 || text.slice(0, equals).trimStart().toLowerCase() !== "bytes") return undefined;
  const specs: RangeSpec[] = [];
  for (const element of text.slice(equals + 1).split(",")) {
    const spec = trimOptionalWhitespace(element);
    // Empty list elements are to be skipped (RFC 9110 5.6.1.2).
    if (spec === "") continue;
    const parsed = parseSpec(spec);
    if (parsed === undefined || specs.length === maxRangeSpecs) return undefined;
    specs.push(parsed);
  }
  return specs.length === 0 ? undefined : specs;
}

/**
 * What to ask `open` for before the size is known: the first part of the first range.
 *
 * @param specs `undefined` for the whole object
 * @param firstPartBytes Length of the first part, bytes
 * @returns `facts` where only the size tells which bytes the first part has
 */
export function wantOf(specs: readonly RangeSpec[] | undefined, firstPartBytes: number): Want {
  const first = specs?.[0];
  if (first === undefined) return { start: 0, end: firstPartBytes };
  if ("suffix" in first) {
    return first.suffix > 0 && first.suffix <= firstPartBytes ? { suffix: first.suffix } : "facts";
  }
  const end = Math.min(first.end ?? Infinity, first.start + firstPartBytes);
  // Past 2^53 nothing can be asked for exactly, and no object is that large.
  return Number.isSafeInteger(end) && first.start < end ? { start: first.start, end } : "facts";
}

/**
 * The ranges of an object of `size` bytes that answer the specs.
 *
 * Ranges that overlap, touch, or leave a gap smaller than a part's framing become one, which stands where its first
 * member stood. More than two overlaps, or more than {@link maxRanges} left: `whole`. On an empty object an int-range
 * is unsatisfiable, while a suffix is satisfiable and inexpressible (RFC 9110 14.1.2): `whole`.
 */
export function resolveRanges(specs: readonly RangeSpec[], size: number): ResolvedRanges {
  const satisfiable: ByteRange[] = [];
  for (const spec of specs) {
    if ("suffix" in spec) {
      if (spec.suffix === 0) continue;
      if (size === 0) return { kind: "whole" };
      satisfiable.push({ start: Math.max(0, size - spec.suffix), end: size });
    } else if (spec.start < size) {
      satisfiable.push({ start: spec.start, end: Math.min(size, spec.end ?? size) });
    }
  }
  if (satisfiable.length === 0) return { kind: "unsatisfiable" };
  const ranges = coalesce(satisfiable);
  if (ranges === undefined || ranges.length > maxRanges) return { kind: "whole" };
  return { kind: "ranges", ranges };
}

/** Joins near ranges, keeping the order asked for; `undefined` when too many of them overlap. */
function coalesce(ranges: readonly ByteRange[]): readonly ByteRange[] | undefined {
  interface Run {
    start: number;
    end: number;
    order: number;
  }
  const sorted = ranges
    .map((range, order): Run => ({ start: range.start, end: range.end, order }))
    .toSorted((a, b) => a.start - b.start || a.end - b.end);
  const runs: Run[] = [];
  let overlaps = 0;
  for (const range of sorted) {
    const last = runs.at(-1);
    if (last === undefined || range.start - last.end >= smallGapBytes) {
      runs.push(range);
      continue;
    }
    if (range.start < last.end) overlaps++;
    last.end = Math.max(last.end, range.end);
    last.order = Math.min(last.order, range.order);
  }
  if (overlaps > maxOverlaps) return undefined;
  return runs.toSorted((a, b) => a.order - b.order).map(({ start, end }) => ({ start, end }));
}

function parseSpec(text: string): RangeSpec | undefined {
  const suffix = suffixRange.exec(text)?.[1];
  if (suffix !== undefined) return { suffix: clamp(suffix) };
  const match = intRange.exec(text);
  const first = match?.[1];
  if (first === undefined) return undefined;
  const last = match?.[2] ?? "";
  if (last === "") return { start: clamp(first) };
  // Compared as text: clamped numbers could hide an inversion.
  if (compareDigits(first, last) > 0) return undefined;
  const start = clamp(first);
  return { start, end: clamp(last, 1) };
}

/** The number, plus `add`, at most 2^53 - 1. */
function clamp(digits: string, add = 0): number {
  return Math.min(Number(digits) + add, Number.MAX_SAFE_INTEGER);
}

function compareDigits(a: string, b: string): number {
  const left = a.replace(/^0+(?=\d)/, "");
  const right = b.replace(/^0+(?=\d)/, "");
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** OWS is space and tab only (RFC 9110 5.6.3); `trim` would also take no-break spaces and the like. */
function trimOptionalWhitespace(text: string): string {
  // Not by /[ \t]+$/: that starts anew at every blank, which for 120 KB of them takes seconds.
  let end = text.length;
  while (text[end - 1] === " " || text[end - 1] === "\t") end -= 1;
  return text.slice(0, end).replace(/^[ \t]+/, "");
}
