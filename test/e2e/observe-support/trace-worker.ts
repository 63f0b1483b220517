/** A Tail Worker that writes every trace item it receives as one line, and what reads those lines again. */
import { parseTold } from "../../../cli/trace-items.ts";
import type { SummaryRecord } from "../../../src/observe/record.ts";

const MARK = "TRACE-ITEM ";

/** Source of the Tail Worker, an ES module. */
export const traceWorker = `export default {
  fetch: () => new Response("tail"),
  tail(items) {
    for (const item of items) console.log(${JSON.stringify(MARK)} + JSON.stringify(item));
  },
};`;

/** For `startWorkerd`: the Tail Worker beside the main Worker. */
export const traceOptions = {
  extraModules: { "tail.js": traceWorker },
  extraServices:
    '(name = "tail", worker = (modules = [(name = "tail.js", esModule = embed "tail.js")], compatibilityDate = "2026-10-23"))',
  extraFields: 'tails = ["tail"],',
};

/** One trace item, with the records found in it. */
export interface TracedItem {
  readonly item: { readonly outcome: string };
  readonly records: readonly SummaryRecord[];
}

/** Items among the lines that a workerd with `structuredLogging`, or a `wrangler dev`, has written. */
export function tracedItems(lines: readonly string[]): TracedItem[] {
  return lines.flatMap((line) => {
    const text = line.startsWith("{") ? messageOf(line) : line;
    const at = text.indexOf(MARK);
    if (at < 0) return [];
    const item = JSON.parse(text.slice(at + MARK.length)) as TracedItem["item"];
    const records = parseTold(item).flatMap((told) =>
      told.kind === "download" ? [told.record] : [],
    );
    return [{ item, records }];
  });
}

function messageOf(line: string): string {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === "object" && entry !== null && "message" in entry
      ? String(entry.message)
      : "";
  } catch {
    return "";
  }
}
