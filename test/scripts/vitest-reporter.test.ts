import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");

vi.setConfig({ testTimeout: 30_000 });

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-readahead-counts-"));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs one test file on its own and returns what was counted. */
async function counted(source: string): Promise<unknown> {
  await writeFile(join(folder, "a.test.ts"), `import { expect, it } from "vitest";\n${source}`);
  await writeFile(join(folder, "vitest.config.ts"), "export default {};");
  const file = join(folder, "counts.json");
  const reporter = `--reporter=${join(root, "scripts/vitest-reporter.ts")}`;
  await run(join(root, "node_modules/.bin/vitest"), ["run", "--root", folder, reporter], {
    env: { ...process.env, VITEST_COUNTS: file },
  }).catch(() => {});
  return JSON.parse(await readFile(file, "utf8"));
}

it("counts tests", async () => {
  const source = 'it("a", () => {}); it("b", () => expect(1).toBe(2)); it.skip("c", () => {});';
  expect(await counted(source)).toEqual({
    passed: 1,
    failed: 1,
    skipped: 1,
    failures: ["a.test.ts > b: expected 1 to be 2 // Object.is equality"],
  });
});

it("counts an unhandled rejection beside a test that passed as a failure", async () => {
  const source = 'it("a", () => { void Promise.reject(new Error("nobody listens")); });';
  expect(await counted(source)).toEqual({
    passed: 1,
    failed: 1,
    skipped: 0,
    failures: ["unhandled: nobody listens"],
  });
});

it("counts a file that does not load as a failure", async () => {
  expect(await counted('throw new Error("not this one");')).toEqual({
    passed: 0,
    failed: 1,
    skipped: 0,
    failures: ["a.test.ts: not this one"],
  });
});
