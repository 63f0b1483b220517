/**
 * Conditional requests (RFC 9110 13): If-* headers + facts -> what to do. Pure.
 *
 * The order is that of 13.2.2: If-Match, else If-Unmodified-Since; then If-None-Match, else If-Modified-Since; then
 * If-Range. A field that cannot be read fails closed where it guards (If-Match: 412, If-Range: whole object) and is
 * ignored where it only saves bytes (If-None-Match, dates).
 */
import { parseHttpDate } from "../readahead/http-date.ts";
import { opaque } from "../readahead/verify.ts";

/** What the conditions say. `whole`: If-Range failed, so answer as if there were no Range. */
export type ConditionalVerdict = "proceed" | "not-modified" | "precondition-failed" | "whole";

/** What a representation is compared by. */
export interface Validators {
  /** Entity tag as on the wire, `W/` kept. */
  readonly etag?: string | undefined;
  /** Milliseconds since the epoch, whole seconds. */
  readonly lastModified?: number | undefined;
}

/**
 * Judges a GET or HEAD.
 *
 * @param ranged Whether a readable Range field came along: only then does If-Range count (13.1.5), and only for GET
 * @param now Milliseconds since the epoch: a Last-Modified of this very second is no strong validator (8.8.2.2)
 */
export function evaluateConditions(
  headers: Headers,
  facts: Validators,
  ranged: boolean,
  now: number,
): ConditionalVerdict {
  const ifMatch = headers.get("if-match");
  if (ifMatch !== null) {
    if (!listed(ifMatch, facts.etag, strongMatch)) return "precondition-failed";
  } else {
    const since = parseHttpDate(headers.get("if-unmodified-since"));
    if (since !== undefined && facts.lastModified !== undefined && facts.lastModified > since) {
      return "precondition-failed";
    }
  }
  const ifNoneMatch = headers.get("if-none-match");
  if (ifNoneMatch !== null) {
    if (listed(ifNoneMatch, facts.etag, weakMatch)) return "not-modified";
  } else {
    const since = parseHttpDate(headers.get("if-modified-since"));
    if (since !== undefined && facts.lastModified !== undefined && facts.lastModified <= since) {
      return "not-modified";
    }
  }
  const ifRange = headers.get("if-range");
  if (ranged && ifRange !== null && !rangeApplies(ifRange, facts, now)) return "whole";
  return "proceed";
}

/**
 * Whether a store's verdict cannot be: nobody asked for it, or it goes against the validator that came with it (the store
 * judged by other rules than those of RFC 9110: the date where a tag counts, say). Without that validator it stands.
 */
export function contradicts(
  verdict: "not-modified" | "precondition-failed",
  headers: Headers,
  facts: Validators,
): boolean {
  const [tags, date] = conditionPairs[verdict];
  if (!headers.has(tags) && !headers.has(date)) return true;
  return (
    comparedBy(verdict, headers, facts) !== undefined &&
    evaluateConditions(headers, facts, false, 0) === "proceed"
  );
}

/** The validator of the object that a store's verdict is about; `undefined` where it does not show it. */
export function comparedBy(
  verdict: "not-modified" | "precondition-failed",
  headers: Headers,
  facts: Validators,
): string | number | undefined {
  return headers.has(conditionPairs[verdict][0]) ? facts.etag : facts.lastModified;
}

/**
 * Whether a store's 412 may be wrong without showing it. Stores of S3's kind compare a list, or a star, as one tag, or a
 * date with the fraction of a second that Last-Modified leaves out, and name no validator (versitygw, moto, R2's S3).
 */
export function isDoubtful(
  verdict: "not-modified" | "precondition-failed",
  headers: Headers,
  facts: Validators,
): boolean {
  if (verdict === "not-modified" || comparedBy(verdict, headers, facts) !== undefined) return false;
  const list = headers.get("if-match");
  return list === null || parseTags(list)?.length !== 1;
}

/** Whether the request carries a condition on which a store, or facts seen earlier, must not answer blindly. */
export function hasConditions(headers: Headers): boolean {
  const tagged = ["if-match", "if-none-match", "if-range"].some((name) => headers.has(name));
  return tagged || conditionsOf(headers) !== undefined;
}

/**
 * The conditions that travel to the source: not If-Range, which chooses bytes and is judged here, and no date beside the
 * tags it must be ignored for (13.1.3, 13.1.4): many an origin looks at the date all the same, or at nothing else. What
 * cannot be read is judged here alone, as by {@link evaluateConditions}: stores answer it with 400, 412 or 500.
 */
export function conditionsOf(headers: Headers): Headers | undefined {
  const conditions = new Headers();
  for (const [tags, date] of Object.values(conditionPairs)) {
    const list = headers.get(tags);
    if (list === null) {
      const since = parseHttpDate(headers.get(date));
      // All forms are read, one is sent (5.6.7): a store may know no other.
      if (since !== undefined) conditions.set(date, new Date(since).toUTCString());
    } else if (namesTags(list)) conditions.set(tags, list);
  }
  return [...conditions.keys()].length > 0 ? conditions : undefined;
}

function namesTags(list: string): boolean {
  return list.trim() === "*" || (parseTags(list) ?? []).length > 0;
}

/** The verdict that a failed condition brings -> the field with tags, and the one with a date that counts without it. */
const conditionPairs = {
  "precondition-failed": ["if-match", "if-unmodified-since"],
  "not-modified": ["if-none-match", "if-modified-since"],
} as const;

/** If-Range holds on a strong match of the tag, or on exactly the date, when that date is strong (13.1.5). */
function rangeApplies(text: string, facts: Validators, now: number): boolean {
  const value = text.trim();
  if (value.startsWith('"') || value.startsWith("W/")) {
    return facts.etag !== undefined && strongMatch(value, facts.etag);
  }
  const date = parseHttpDate(value);
  return (
    date !== undefined &&
    facts.lastModified !== undefined &&
    date === facts.lastModified &&
    facts.lastModified + 1_000 <= now
  );
}

/** Whether `*` or a list of entity tags names the current tag. A star needs no tag: the object exists. */
function listed(
  text: string,
  etag: string | undefined,
  match: (a: string, b: string) => boolean,
): boolean {
  if (text.trim() === "*") return true;
  if (etag === undefined) return false;
  return (parseTags(text) ?? []).some((tag) => match(tag, etag));
}

// One entity-tag (RFC 9110 8.8.3) with what surrounds it in a list. Commas may stand inside the quotes.
const listElement = /[ \t]*(?:((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(?:,|$)/y;

/** The tags of a list, or `undefined` when any of it is malformed. */
function parseTags(text: string): readonly string[] | undefined {
  const tags: string[] = [];
  const element = new RegExp(listElement);
  while (element.lastIndex < text.length) {
    const match = element.exec(text);
    if (match === null) return undefined;
    if (match[1] !== undefined) tags.push(match[1]);
  }
  return tags;
}

/** Same octets, and neither weak (RFC 9110 8.8.3.2). */
function strongMatch(a: string, b: string): boolean {
  return a === b && !a.startsWith("W/");
}

function weakMatch(a: string, b: string): boolean {
  return opaque(a) === opaque(b);
}
