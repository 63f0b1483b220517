import { describe, expect, it } from "vitest";
import {
  type ConditionalVerdict,
  conditionsOf,
  contradicts,
  evaluateConditions,
  hasConditions,
  isDoubtful,
  type Validators,
} from "../../src/http/conditional.ts";

const modified = Date.UTC(2026, 0, 15, 12, 0, 0);
const same = "Thu, 15 Jan 2026 12:00:00 GMT";
const before = "Thu, 15 Jan 2026 11:59:59 GMT";
const after = "Thu, 15 Jan 2026 12:00:01 GMT";
const now = modified + 3_600_000;
const strong: Validators = { etag: '"v1"', lastModified: modified };
const weak: Validators = { etag: 'W/"v1"', lastModified: modified };
const bare: Validators = {};

type Fields = Readonly<Record<string, string>>;
function judge(fields: Fields, facts: Validators = strong, ranged = false, at = now) {
  return evaluateConditions(new Headers(fields), facts, ranged, at);
}

describe("evaluateConditions", () => {
  it.each<[string, Fields, Validators, ConditionalVerdict]>([
    ["nothing", {}, strong, "proceed"],
    // If-Match: strong comparison (13.1.1)
    ["If-Match, same tag", { "if-match": '"v1"' }, strong, "proceed"],
    ["If-Match, other tag", { "if-match": '"v2"' }, strong, "precondition-failed"],
    ["If-Match, in a list", { "if-match": '"v0", "v1"' }, strong, "proceed"],
    ["If-Match, a comma inside a tag", { "if-match": '"v1,v2"' }, strong, "precondition-failed"],
    ["If-Match, empty list elements", { "if-match": ', ,"v1",' }, strong, "proceed"],
    ["If-Match *", { "if-match": "*" }, strong, "proceed"],
    ["If-Match *, no tag", { "if-match": "*" }, bare, "proceed"],
    ["If-Match, weak of the client", { "if-match": 'W/"v1"' }, strong, "precondition-failed"],
    ["If-Match, weak of the object", { "if-match": '"v1"' }, weak, "precondition-failed"],
    ["If-Match, both weak", { "if-match": 'W/"v1"' }, weak, "precondition-failed"],
    ["If-Match, no tag", { "if-match": '"v1"' }, bare, "precondition-failed"],
    ["If-Match, unquoted", { "if-match": "v1" }, strong, "precondition-failed"],
    ["If-Match, half malformed", { "if-match": '"v1", v2' }, strong, "precondition-failed"],
    // If-Unmodified-Since (13.1.4)
    ["If-Unmodified-Since, same", { "if-unmodified-since": same }, strong, "proceed"],
    ["If-Unmodified-Since, after", { "if-unmodified-since": after }, strong, "proceed"],
    [
      "If-Unmodified-Since, before",
      { "if-unmodified-since": before },
      strong,
      "precondition-failed",
    ],
    ["If-Unmodified-Since, no date", { "if-unmodified-since": before }, bare, "proceed"],
    ["If-Unmodified-Since, no HTTP-date", { "if-unmodified-since": "2020" }, strong, "proceed"],
    [
      "If-Match wins over If-Unmodified-Since",
      { "if-match": '"v1"', "if-unmodified-since": before },
      strong,
      "proceed",
    ],
    // If-None-Match: weak comparison (13.1.2)
    ["If-None-Match, same tag", { "if-none-match": '"v1"' }, strong, "not-modified"],
    ["If-None-Match, other tag", { "if-none-match": '"v2"' }, strong, "proceed"],
    ["If-None-Match, in a list", { "if-none-match": 'W/"v0" , W/"v1"' }, strong, "not-modified"],
    ["If-None-Match *", { "if-none-match": "*" }, bare, "not-modified"],
    ["If-None-Match, weak of the client", { "if-none-match": 'W/"v1"' }, strong, "not-modified"],
    ["If-None-Match, weak of the object", { "if-none-match": '"v1"' }, weak, "not-modified"],
    ["If-None-Match, no tag", { "if-none-match": '"v1"' }, bare, "proceed"],
    ["If-None-Match, unquoted", { "if-none-match": "v1" }, strong, "proceed"],
    // If-Modified-Since (13.1.3)
    ["If-Modified-Since, same", { "if-modified-since": same }, strong, "not-modified"],
    ["If-Modified-Since, after", { "if-modified-since": after }, strong, "not-modified"],
    ["If-Modified-Since, before", { "if-modified-since": before }, strong, "proceed"],
    ["If-Modified-Since, no date", { "if-modified-since": same }, bare, "proceed"],
    ["If-Modified-Since, no HTTP-date", { "if-modified-since": "1" }, strong, "proceed"],
    [
      "If-Modified-Since, RFC 850",
      { "if-modified-since": "Thursday, 15-Jan-26 12:00:00 GMT" },
      strong,
      "not-modified",
    ],
    [
      "If-Modified-Since, asctime",
      { "if-modified-since": "Thu Jan 15 12:00:00 2026" },
      strong,
      "not-modified",
    ],
    [
      "If-None-Match wins over If-Modified-Since",
      { "if-none-match": '"v2"', "if-modified-since": same },
      strong,
      "proceed",
    ],
    // The order of 13.2.2
    [
      "412 before 304 by tags",
      { "if-match": '"v2"', "if-none-match": '"v1"' },
      strong,
      "precondition-failed",
    ],
    [
      "412 before 304 by dates",
      { "if-unmodified-since": before, "if-modified-since": same },
      strong,
      "precondition-failed",
    ],
    ["304 after a match", { "if-match": '"v1"', "if-none-match": '"v1"' }, strong, "not-modified"],
  ])("%s", (_name, fields, facts, verdict) => {
    expect(judge(fields, facts)).toBe(verdict);
    // With a range the same, If-Range being absent.
    expect(judge(fields, facts, true)).toBe(verdict);
  });

  it.each<[string, string, Validators, ConditionalVerdict]>([
    ["same tag", '"v1"', strong, "proceed"],
    ["other tag", '"v2"', strong, "whole"],
    ["weak of the client", 'W/"v1"', strong, "whole"],
    ["weak of the object", '"v1"', weak, "whole"],
    ["both weak", 'W/"v1"', weak, "whole"],
    ["a list is no tag", '"v1", "v1"', strong, "whole"],
    ["a star is no tag", "*", strong, "whole"],
    ["unquoted", "v1", strong, "whole"],
    ["no tag", '"v1"', bare, "whole"],
    ["same date", same, strong, "proceed"],
    ["later date", after, strong, "whole"],
    ["earlier date", before, strong, "whole"],
    ["date, none known", same, bare, "whole"],
  ])("If-Range, %s", (_name, value, facts, verdict) => {
    expect(judge({ "if-range": value }, facts, true)).toBe(verdict);
    expect(judge({ "if-range": value }, facts, false)).toBe("proceed");
  });

  it("takes a Last-Modified of this very second for weak in If-Range", () => {
    expect(judge({ "if-range": same }, strong, true, modified + 999)).toBe("whole");
    expect(judge({ "if-range": same }, strong, true, modified + 1_000)).toBe("proceed");
  });

  it("judges If-Range last", () => {
    const fields = { "if-range": '"v2"', "if-none-match": '"v1"' };
    expect(judge(fields, strong, true)).toBe("not-modified");
    expect(judge({ "if-range": '"v2"', "if-match": '"v2"' }, strong, true)).toBe(
      "precondition-failed",
    );
  });
});

describe("conditionsOf", () => {
  const first = "Mon, 02 Nov 2026 10:00:00 GMT";
  const second = "Tue, 03 Nov 2026 10:00:00 GMT";
  const dates = { "if-modified-since": first, "if-unmodified-since": second };

  it("hands on tags alone, since dates beside them must be ignored", () => {
    const headers = new Headers({
      "if-match": '"a"',
      "if-none-match": 'W/"b", "c"',
      ...dates,
      "if-range": "e",
      range: "bytes=0-",
      cookie: "secret",
    });
    expect([...(conditionsOf(headers) ?? [])]).toEqual([
      ["if-match", '"a"'],
      ["if-none-match", 'W/"b", "c"'],
    ]);
  });

  it("hands on a date where there are no tags of its kind", () => {
    expect(Object.fromEntries(conditionsOf(new Headers(dates)) ?? [])).toEqual(dates);
    const match = { "if-match": "*", "if-modified-since": first };
    expect(Object.fromEntries(conditionsOf(new Headers(match)) ?? [])).toEqual(match);
  });

  it("hands on no date that is none: an origin may take it for one that does not hold", () => {
    const garbage = { "if-modified-since": "garbage", "if-unmodified-since": "" };
    expect(conditionsOf(new Headers(garbage))).toBeUndefined();
  });

  it.each([
    "Mon, 2 Nov 2026 10:00:00 GMT",
    "Monday, 02-Nov-26 10:00:00 GMT",
    "Mon Nov  2 10:00:00 2026",
  ])("hands on every form of a date as the one that all stores know: %s", (form) => {
    const headers = new Headers({ "if-modified-since": form, "if-unmodified-since": form });
    const sent = { "if-modified-since": first, "if-unmodified-since": first };
    expect(Object.fromEntries(conditionsOf(headers) ?? [])).toEqual(sent);
  });

  it.each(["abc", '"a", b', ",", ""])(
    "hands on no tags that cannot be read, nor a date beside them: %j",
    (tags) => {
      const headers = new Headers({ "if-match": tags, "if-none-match": tags, ...dates });
      expect(conditionsOf(headers)).toBeUndefined();
      expect(hasConditions(headers)).toBe(true);
    },
  );

  it("is absent without conditions, though If-Range counts as one for what must not be answered blindly", () => {
    expect(conditionsOf(new Headers({ "if-range": "e" }))).toBeUndefined();
    expect(hasConditions(new Headers({ "if-range": "e" }))).toBe(true);
    expect(hasConditions(new Headers({ "if-match": "e" }))).toBe(true);
    expect(hasConditions(new Headers({ range: "bytes=0-" }))).toBe(false);
  });
});

describe("contradicts", () => {
  it.each<[string, "not-modified" | "precondition-failed", Fields, Validators, boolean]>([
    ["304, the tag is another", "not-modified", { "if-none-match": '"v0"' }, strong, true],
    ["304, the tag is listed", "not-modified", { "if-none-match": 'W/"v1"' }, strong, false],
    ["304 without a tag", "not-modified", { "if-none-match": '"v0"' }, bare, false],
    ["304, changed since", "not-modified", { "if-modified-since": before }, strong, true],
    ["304, unchanged since", "not-modified", { "if-modified-since": same }, strong, false],
    ["304 without a date", "not-modified", { "if-modified-since": before }, bare, false],
    ["412, the tag is listed", "precondition-failed", { "if-match": '"v1"' }, strong, true],
    ["412, the tag is another", "precondition-failed", { "if-match": '"v0"' }, strong, false],
    ["412 without a tag", "precondition-failed", { "if-match": '"v1"' }, bare, false],
    ["412, unchanged since", "precondition-failed", { "if-unmodified-since": same }, strong, true],
  ])("%s", (_name, verdict, fields, facts, expected) => {
    expect(contradicts(verdict, new Headers(fields), facts)).toBe(expected);
  });
});

describe("isDoubtful", () => {
  it.each<[string, "not-modified" | "precondition-failed", Fields, Validators, boolean]>([
    ["412 of one tag", "precondition-failed", { "if-match": '"v0"' }, bare, false],
    ["412 of a list", "precondition-failed", { "if-match": '"v0", "v1"' }, bare, true],
    ["412 of a star", "precondition-failed", { "if-match": "*" }, bare, true],
    ["412 of a date", "precondition-failed", { "if-unmodified-since": same }, bare, true],
    ["412 that shows its tag", "precondition-failed", { "if-match": '"v0", "v2"' }, strong, false],
    ["304", "not-modified", { "if-none-match": '"v0", "v1"' }, bare, false],
  ])("%s", (_name, verdict, fields, facts, expected) => {
    expect(isDoubtful(verdict, new Headers(fields), facts)).toBe(expected);
  });
});
