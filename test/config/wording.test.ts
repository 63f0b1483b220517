import * as v from "valibot";
import { expect, it } from "vitest";
import { limitEntries } from "../../src/config/limits.ts";
import { nearest } from "../../src/config/wording.ts";
import { limitBounds } from "../../src/readahead/limits.ts";

it.each([
  ["prefixx", "prefix"],
  ["window-parts", "window_parts"],
  ["windowparts", "window_parts"],
  ["Prefix", "prefix"],
  // A letter more, one less and one other are as far: the first that is known is told.
  ["ur", "url"],
  ["vix", "via"],
  ["wholly_other", undefined],
])("%s is a slip of %s", (name, expected) => {
  expect(nearest(name, ["prefix", "window_parts", "url", "via", "vis"])).toBe(expected);
});

it.each(Object.entries(limitBounds))(
  "%s may be its least and its most, and no more",
  (name, bounds) => {
    const setting = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const schema = Object.entries(limitEntries).find(([known]) => known === setting)?.[1];
    if (schema === undefined) throw new Error(`${setting} is no setting`);
    const [least, most] = bounds;
    for (const value of [least, most]) expect(v.is(schema, value), String(value)).toBe(true);
    for (const value of [least - 1, most + 1, least + 0.5])
      expect(v.is(schema, value), String(value)).toBe(false);
  },
);
