/**
 * The page that a browser gets for `?explain`: no script, no other file, everything from the request or the store escaped.
 * Pure.
 */

import { escapeHtml } from "../http/front-page.ts";
import type { Explanation } from "./explain.ts";
import type { ExplainedPart } from "./explained-plan.ts";

/** Strips of the map at most; beyond, neighbours share one. A screen has about a thousand columns. */
const STRIPS = 240;

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem; overflow-wrap: anywhere }
h2 { font-size: 1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .15rem 1.5rem .15rem 0; vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 500; opacity: .75 }
.map { display: flex; height: 2.5rem; margin: .5rem 0; border: 1px solid }
.map i { flex: 1 1 0; min-width: 0; background: #2b6cb0; border-right: 1px solid Canvas }
.map i.n { background: #5a9bd4 }
.map i.z { background: #8886 }
.map i.l { background: #d69e2e }
.r td { text-align: right }
`;

/** @returns a complete HTML document */
export function formatExplainPage(explanation: Explanation): string {
  const { mount, key, object, answer, plan, cost, limits } = explanation;
  const title = `${mount.name}/${key}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plan of ${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Plan of ${escapeHtml(title)}</h1>
<p>What a GET of this URL would do. The object was not read.</p>
<h2>Object</h2>
${rows([
  [
    "Mount",
    `${mount.name}, ${mount.prefix}${mount.source === null ? "" : `, source ${mount.source}`}`,
  ],
  ["Size", bytes(object.size)],
  ["ETag", object.etag],
  ["Last modified", object.lastModified],
  ["Version", object.versionId],
  ["Pinned by", object.pinnedBy ?? `nothing: ${object.unversioned ?? "unknown"}`],
  ...Object.entries(object.headers),
])}
<h2>Answer</h2>
${rows([
  ["Status", `${answer.status} (${answer.kind})`],
  ["Ranges", answer.ranges.map(([start, end]) => `[${start}, ${end ?? "..."})`).join(" ")],
  ["Bytes", bytes(answer.bytes)],
])}
<h2>Parts</h2>
<p>${escapeHtml(summary(explanation))}</p>
${map(plan.list)}
${parts(plan.list)}
${plan.parts > plan.list.length ? `<p>${plan.list.length} of ${plan.estimated ? "about " : ""}${plan.parts} are listed.</p>` : ""}
<h2>Cost</h2>
${rows([
  [
    "Upstream requests",
    `${plan.estimated ? "about " : ""}${cost.subrequests} of ${cost.subrequestsAllowed} allowed`,
  ],
  ["R2 class B operations", cost.r2ClassB],
  ["Held in memory, at most", bytes(cost.heldBytes)],
  ["Held by all downloads, at most", bytes(cost.budgetBytes)],
])}
<h2>Limits</h2>
${rows(Object.entries(limits).map(([name, value]) => [name, String(value)]))}
</body>
</html>
`;
}

function summary({ plan }: Explanation): string {
  if (plan.sequential !== undefined) return `One stream without resume: ${plan.sequential}.`;
  if (plan.parts === 0) return "Nothing is read.";
  const sizes =
    plan.smallestPartBytes === plan.largestPartBytes
      ? bytes(plan.largestPartBytes)
      : `${bytes(plan.smallestPartBytes)} to ${bytes(plan.largestPartBytes)}`;
  const count = plan.estimated ? `About ${plan.parts}` : plan.parts;
  return `${count} parts of ${sizes ?? "unknown size"}, ${plan.windowParts} in flight at a time.`;
}

/** Widths in proportion to bytes. */
function map(list: readonly ExplainedPart[]): string {
  if (list.length === 0) return "";
  const each = Math.ceil(list.length / STRIPS);
  const strips: string[] = [];
  for (let i = 0; i < list.length; i += each) {
    const group = list.slice(i, i + each);
    const [first] = group;
    if (first === undefined) continue;
    const size = group.reduce((sum, part) => sum + sizeOf(part), 0);
    const shade =
      first.kind === "zeros"
        ? "z"
        : first.kind === "literal"
          ? "l"
          : i % (2 * each) === 0
            ? ""
            : "n";
    const grow = Number.isFinite(size) ? size : 1;
    strips.push(
      `<i class="${shade}" style="flex-grow:${grow}" title="${escapeHtml(label(first, group.length))}"></i>`,
    );
  }
  return `<div class="map">${strips.join("")}</div>`;
}

function parts(list: readonly ExplainedPart[]): string {
  if (list.length === 0) return "";
  const located = list.some((part) => part.kind === "read" && part.replicas !== undefined);
  const lines = list.map((part) => {
    if (part.kind !== "read")
      return `<tr><td></td><td colspan="2">${part.kind === "zeros" ? "a hole, sent as zeros" : "sent from memory"}</td><td>${escapeHtml(bytes(part.bytes) ?? "")}</td></tr>`;
    const end = Number.isFinite(part.range.end) ? part.range.end : "...";
    const cells = [part.part, part.range.start, end, bytes(sizeOf(part)) ?? ""];
    if (located) cells.push(part.replicas?.join(", ") ?? "");
    return `<tr>${cells.map((cell) => `<td>${escapeHtml(String(cell))}</td>`).join("")}</tr>`;
  });
  return `<details${list.length <= 20 ? " open" : ""}><summary>List</summary><table class="r"><tr><th>part</th><th>from</th><th>to</th><th>size</th>${located ? "<th>replicas</th>" : ""}</tr>
${lines.join("\n")}
</table></details>`;
}

function label(part: ExplainedPart, group: number): string {
  if (part.kind !== "read") return `${part.kind}, ${bytes(part.bytes)}`;
  const more = group > 1 ? ` and ${group - 1} more` : "";
  const from = part.replicas === undefined ? "" : `, ${part.replicas.join(" or ")}`;
  return `part ${part.part}${more}, ${bytes(sizeOf(part)) ?? "unknown size"}${from}`;
}

function sizeOf(part: ExplainedPart): number {
  return part.kind === "read" ? part.range.end - part.range.start : part.bytes;
}

function rows(entries: readonly (readonly [string, string | number | null])[]): string {
  const lines = entries
    .filter(([, value]) => value !== null && value !== "")
    .map(
      ([name, value]) =>
        `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(String(value))}</td></tr>`,
    );
  return `<table>\n${lines.join("\n")}\n</table>`;
}

/** Exact, and in MiB where that is easier: part sizes are binary. */
function bytes(count: number | null): string | null {
  if (count === null || !Number.isFinite(count)) return null;
  if (count < 1024) return `${count} bytes`;
  const [unit, size] = count < 1024 * 1024 ? ["KiB", 1024] : ["MiB", 1024 * 1024];
  return `${Math.round((count / size) * 100) / 100} ${unit} (${count} bytes)`;
}
