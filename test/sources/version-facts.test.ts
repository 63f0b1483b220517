import { expect, it } from "vitest";
import { versionFacts } from "../../src/sources/version-facts.ts";

const modified = "Thu, 01 Jan 2026 00:00:00 GMT";

it.each([
  ["Thu, 01 Jan 2026 00:00:59 GMT", undefined],
  ["Thu, 01 Jan 2026 00:01:00 GMT", { by: "last-modified", value: modified }],
])("a date is a version from a minute on, by the origin's clock: %s", (date, pin) => {
  const headers = new Headers({ "last-modified": modified, date });
  expect(versionFacts(headers, 1, "single-stream", 0).pin).toEqual(pin);
  const undated = new Headers({ "last-modified": modified });
  expect(versionFacts(undated, 1, "single-stream", Date.parse(date)).pin).toEqual(pin);
});

it("a date is no version without a size", () => {
  const headers = new Headers({ "last-modified": modified });
  expect(versionFacts(headers, undefined, "single-stream", Date.parse("2026-02-01"))).toEqual({
    lastModified: Date.parse(modified),
    unversioned: "no entity tag and no size",
  });
});

it.each(["", "0x8D193DF6FABC5262", '"a', 'w/"a"', '"\u00e4"', 'W/"\u00e4"'])(
  "%j is no entity tag",
  (etag) => {
    const headers = new Headers({ etag });
    expect(versionFacts(headers, 1, "single-stream", 0)).toEqual({
      unversioned: "no entity tag and no modification date",
    });
  },
);

it.each(['"a b"', '"a"b"', 'W/"a"'])("no If-Match is sent with %s", (etag) => {
  expect(versionFacts(new Headers({ etag }), 1, "single-stream", 0)).toEqual({
    etag,
    unversioned: "only a weak entity tag and no modification date",
  });
});
