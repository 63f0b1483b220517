/** The README as data: its fenced blocks, its links, its headings. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./start.ts";

export interface Block {
  readonly language: string;
  readonly text: string;
  /** Line of the fence, for messages. */
  readonly line: number;
}

export const readme = readFileSync(join(root, "README.md"), "utf8");

/** Fenced blocks, of one language if named. */
export function blocksOf(language?: string): Block[] {
  return [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .map((match) => ({
      language: match[1] ?? "",
      text: match[2] ?? "",
      line: readme.slice(0, match.index).split("\n").length,
    }))
    .filter((block) => language === undefined || block.language === language);
}

/** Targets of links and pictures that are no web addresses. */
export function localLinks(): string[] {
  const outside = readme.replace(/^```.*?^```$/gms, "");
  return [...outside.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^https?:/.test(target));
}

/** Anchors of the headings, as GitHub makes them. */
export function anchors(): Set<string> {
  const outside = readme.replace(/^```.*?^```$/gms, "");
  return new Set(
    [...outside.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** Single commands of the shell blocks: comments dropped, continued lines joined, `&&` cut. */
export function commands(): string[] {
  return blocksOf("sh").flatMap(({ text }) =>
    text
      .replaceAll(/\\\n\s*/g, " ")
      .split(/\n|&&|\|/)
      .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
      .filter((line) => line !== ""),
  );
}
