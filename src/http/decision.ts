/**
 * What the answer is, from what was asked and the object's facts. Pure; the steps of RFC 9110 13.2.2, then 14.2.
 *
 * Ranges are half-open; the whole object of unknown size ends at `Infinity`.
 */
import type { ByteRange } from "../readahead/byte-range.ts";
import type { Facts, OpenObject } from "../sources/source.ts";
import { comparedBy, evaluateConditions } from "./conditional.ts";
import { type RangeSpec, resolveRanges } from "./range.ts";

/** The answer, before any byte is read for it. */
export type Decision =
  | { readonly kind: "not-modified" }
  | { readonly kind: "precondition-failed" }
  | { readonly kind: "unsatisfiable"; readonly size: number }
  /** 200 with the object; `range` may be empty. */
  | { readonly kind: "whole"; readonly range: ByteRange }
  /** 206 with one range, not empty. */
  | { readonly kind: "single"; readonly range: ByteRange }
  /** 206 with multipart/byteranges; at least two ranges, none empty. */
  | { readonly kind: "several"; readonly ranges: readonly ByteRange[] };

/** What is looked at of a request. */
export interface Question {
  readonly headers: Headers;
  /** Readable Range of a GET; `undefined` where there is none, or it must be ignored. */
  readonly specs: readonly RangeSpec[] | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Decides on an opened object; the store's own verdict counts where ours finds nothing. */
export function decide(
  question: Question,
  object: Pick<OpenObject, "facts" | "rangeable" | "verdict" | "s3Part">,
): Decision {
  const { facts } = object;
  const { headers, specs, now } = question;
  // The store compared validators that it does not show: no tag with its 304, though the question was of one.
  const shown =
    headers.has("if-match") || object.verdict === "precondition-failed"
      ? comparedBy("precondition-failed", headers, facts)
      : (facts.etag ?? facts.lastModified);
  if (object.verdict !== undefined && shown === undefined) return { kind: object.verdict };
  const verdict = evaluateConditions(headers, facts, specs !== undefined, now);
  if (verdict === "not-modified" || verdict === "precondition-failed") return { kind: verdict };
  if (object.verdict !== undefined) return { kind: object.verdict };
  // S3: a part by its number is a range of the object.
  if (object.s3Part !== undefined && object.s3Part.start < object.s3Part.end) {
    return { kind: "single", range: object.s3Part };
  }
  const whole: Decision = {
    kind: "whole",
    range: { start: 0, end: facts.size ?? Infinity },
  };
  if (specs === undefined || verdict === "whole") return whole;
  // Without a size no Content-Range can be written for sure; an origin that ignores Range can only send it all (14.2).
  if (facts.size === undefined || object.rangeable === false) return whole;
  const resolved = resolveRanges(specs, facts.size);
  switch (resolved.kind) {
    case "whole":
      return whole;
    case "unsatisfiable":
      return { kind: "unsatisfiable", size: facts.size };
    case "ranges": {
      const [first, second] = resolved.ranges;
      if (first === undefined) return whole;
      if (second === undefined) return { kind: "single", range: first };
      // Content-Encoding would then describe the framing, which is not encoded: the whole object is always right.
      if (isEncoded(facts)) return whole;
      // Without a pin each range could be of another version; the whole object is one answer of the store.
      if (facts.unversioned !== undefined) return whole;
      return { kind: "several", ranges: resolved.ranges };
    }
    default:
      return resolved satisfies never;
  }
}

/** Ranges of the object that the decision sends, in order; empty for those that send none of it. */
export function rangesOf(decision: Decision): readonly ByteRange[] {
  switch (decision.kind) {
    case "whole":
    case "single":
      return [decision.range];
    case "several":
      return decision.ranges;
    case "not-modified":
    case "precondition-failed":
    case "unsatisfiable":
      return [];
    default:
      return decision satisfies never;
  }
}

function isEncoded(facts: Facts): boolean {
  const encoding = facts.headers["content-encoding"];
  return encoding !== undefined && encoding.toLowerCase() !== "identity";
}
