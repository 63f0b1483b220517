/**
 * The kinds of value that settings have, each with the remedy in its message. Strings that may be addresses or
 * secrets never appear in a message.
 */
import * as v from "valibot";
import { nearest } from "./wording.ts";

/** Text that is not empty. */
export const text = v.pipe(v.string("must be text"), v.nonEmpty("must not be empty"));

export const flag = v.boolean("must be true or false");

/** One of a closed list; the message names them all and the nearest to what was written. */
export function choice<const Choices extends readonly [string, ...string[]]>(choices: Choices) {
  return v.picklist(choices, (issue) => choiceMessage(choices, issue.input));
}

/** "must be one of ..., did you mean ...?" */
export function choiceMessage(choices: readonly string[], input: unknown): string {
  const near = typeof input === "string" ? nearest(input, choices) : undefined;
  const list = choices.map((name) => `"${name}"`).join(", ");
  return `must be one of ${list}${near === undefined ? "" : `; did you mean "${near}"?`}`;
}

/** A list; where a list of one would do, the element alone. */
export function listOf<Item extends v.GenericSchema<unknown, string>>(item: Item) {
  return v.pipe(
    v.unknown(),
    v.transform((input): unknown => (Array.isArray(input) ? input : [input])),
    v.array(item),
    v.nonEmpty("must name at least one"),
  );
}

/** A URL of an upstream, kept as text. */
export const upstreamUrl = v.pipe(
  v.string("must be an absolute http or https URL"),
  v.check((value) => {
    const url = URL.parse(value);
    return url !== null && (url.protocol === "http:" || url.protocol === "https:");
  }, "must be an absolute http or https URL"),
  v.check((value) => {
    const url = URL.parse(value);
    return url === null || (url.username === "" && url.password === "");
  }, "must not carry a user name or password; put them into a secret and name its binding"),
  v.check(
    (value) => !/[?#]/.test(value),
    "must end with its path; take the query and the fragment out",
  ),
);

const bindingPattern = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** Name of an R2 or Fetcher binding. */
export const bindingName = v.pipe(
  v.string("must be the name of a binding, as text"),
  v.regex(bindingPattern, "must be the name of a binding: letters, digits and underscores"),
);

/** Name of a secret binding; never the secret. */
export const secretName = v.pipe(
  v.string("must be the name of a secret binding, as text"),
  v.regex(
    bindingPattern,
    "must be the name of a secret binding (letters, digits and underscores), never the secret itself",
  ),
);

/** A mount's prefix: as the path of a URL stands, beginning and ending with a slash. */
export const prefixText = v.pipe(
  v.string('must be text, as in prefix = "/files/"'),
  v.check(
    (value) => value.startsWith("/") && value.endsWith("/"),
    'must begin and end with a slash, as in prefix = "/files/"',
  ),
  v.check(
    (value) =>
      !value.includes("//") && URL.parse(value, "http://worker.invalid")?.pathname === value,
    "must stand as in a URL: no double slash, no dot segments, no query, other characters percent-encoded",
  ),
);

/** Whole milliseconds. */
export function milliseconds(least: number, most: number) {
  const message = `must be a whole number of milliseconds from ${least} to ${most}`;
  return v.pipe(
    v.number(message),
    v.check((value) => Number.isInteger(value) && value >= least && value <= most, message),
  );
}
