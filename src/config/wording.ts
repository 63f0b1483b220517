/**
 * How a fault in the configuration is told: the variable, what is wrong, the remedy. Values are shown only where they
 * can be no secret and no address (numbers, names from closed lists): the text goes into a public problem document.
 */
import * as v from "valibot";

/** The message for a table: unknown keys with the nearest known one, missing keys with their remedy. */
export function tableMessage(
  known: readonly string[],
  remedies: Readonly<Record<string, string>>,
): (issue: v.StrictObjectIssue) => string {
  return (issue) => {
    const last: unknown = issue.path?.at(-1)?.key;
    const key = typeof last === "string" ? last : "";
    if (issue.expected === "never") {
      const near = nearest(key, known);
      return near === undefined
        ? `is not a known setting; take it out, or use one of ${known.join(", ")}`
        : `is not a known setting; did you mean ${near}?`;
    }
    if (issue.received === "undefined") return `is missing; ${remedies[key] ?? "write it"}`;
    return "must be a table of settings";
  };
}

/** One sentence for one fault: `MOUNTS.files.prefix must begin and end with a slash, as in "/files/"`. */
export function describeIssue(variable: string, issue: v.BaseIssue<unknown>): string {
  const name = [variable, ...(issue.path ?? []).map((item) => String(item.key))].join(".");
  return `${name} ${issue.message}`;
}

/** The known name that differs least from `name`, if the difference looks like a slip. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = name.toLowerCase().replaceAll("-", "_");
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const candidate of known) {
    const distance =
      plain.replaceAll("_", "") === candidate.replaceAll("_", "")
        ? 0
        : editDistance(plain, candidate);
    if (best === undefined || distance < best.distance) best = { name: candidate, distance };
  }
  return best !== undefined && best.distance <= Math.max(1, Math.floor(plain.length / 3))
    ? best.name
    : undefined;
}

/** Levenshtein's, over two rows. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    above = current;
  }
  return above[b.length] ?? 0;
}
