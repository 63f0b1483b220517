/**
 * The kinds of value that settings have, each with the remedy in its message. Strings that may be addresses or
 * secrets never appear in a message.
 */
import * as v from "valibot";
import { createPassHeaders } from "../sources/pass-headers.ts";
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

/** A list; where a list of one would do, the element alone, which a message then names without a number. */
export function listOf<Item extends v.GenericSchema<unknown, string>>(item: Item) {
  const several = v.pipe(v.array(item), v.nonEmpty("must name at least one"));
  const one = v.pipe(
    item,
    v.transform((value) => [value]),
  );
  return v.lazy((input) => (Array.isArray(input) ? several : one));
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

/** The value of a response header. */
export const headerValue = v.pipe(
  text,
  v.regex(/^[ -~]+$/, "must be the value of a header: one line of printable ASCII"),
);

/** Name of a header. */
export const headerName = v.pipe(
  text,
  v.regex(/^[\w!#$%&'*+\-.^`|~]+$/, "must be the name of a header, without its colon"),
);

/** Name of a store's header that may reach clients. */
export const passedHeader = v.pipe(
  text,
  v.check((name) => {
    try {
      createPassHeaders([name]);
      return true;
    } catch {
      return false;
    }
  }, "must be the name of a header, or its beginning and a star; those of cookies, of the connection and of the body's framing are never passed on"),
);

/** An origin that may read, or all of them. */
export const corsOrigin = v.pipe(
  text,
  v.check(
    (origin) => origin === "*" || origin === "null" || URL.parse(origin)?.origin === origin,
    'must be an origin as browsers send it, without path or final slash, as in "https://app.example", or "*"',
  ),
);

/** What is appended to the key of a folder, which is "" or ends with a slash. */
export const indexName = v.pipe(
  text,
  v.check(
    (name) => !name.startsWith("/"),
    'must not begin with a slash, as in index = "index.html"',
  ),
);

/** Name of a host that requests name. */
export const hostName = v.pipe(
  text,
  v.regex(
    /^[\w-]+(\.[\w-]+)*$/,
    'must be the name of a host alone, as in "media.example.com": no scheme, port, path or star',
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
  v.check(
    (value) => !/%.?[a-f]/.test(value),
    "must have its percent-encoding in capital letters, as URLs do: /%C3%A9/",
  ),
);

/**
 * A whole number within bounds that are both allowed; the message says what was written instead.
 *
 * @param unit What is counted, in the plural
 */
export function count(unit: string, [least, most]: readonly [number, number]) {
  const message = (issue: v.BaseIssue<unknown>): string =>
    `must be a whole number of ${unit} from ${least} to ${most}${received(issue.input)}`;
  return v.pipe(
    v.number(message),
    v.check((value) => Number.isInteger(value) && value >= least && value <= most, message),
  );
}

function received(input: unknown): string {
  if (typeof input === "number") return `, not ${input}`;
  return typeof input === "string" && /^\d+$/.test(input)
    ? "; take the quotes away"
    : `, not ${typeof input}`;
}
