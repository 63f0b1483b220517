/** Temporary folders of one run, all under one, which goes when the process does. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let root: string | undefined;
let count = 0;

/** A new empty folder. */
export function scratchFolder(name: string): string {
  root ??= makeRoot();
  count += 1;
  const folder = join(root, `${name}-${count}`);
  mkdirSync(folder);
  return folder;
}

function makeRoot(): string {
  const folder = mkdtempSync(join(tmpdir(), "edge-readahead-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}
