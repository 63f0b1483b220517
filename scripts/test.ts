/**
 * `npm test`: formatting, lint, types, and every test that needs npm packages alone. Ends with `N passed, N failed`,
 * where a check counts as one and unhandled errors count as failures; the exit code agrees with that line. What failed is
 * named once more above it.
 *
 * With names of steps as arguments it runs only those (`npm test -- types node`). `system` runs by name alone: it needs
 * programs that `.ci/run` installs.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as v from "valibot";

/** What `scripts/vitest-reporter.ts` writes; `failures` has a line for each failure. */
const countsSchema = v.object({
  passed: v.number(),
  failed: v.number(),
  failures: v.array(v.string()),
});

type Counts = v.InferOutput<typeof countsSchema>;

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** Counts tests; absent: the command is one check. */
  readonly project?: string;
  readonly byNameOnly?: boolean;
}

const root = resolve(import.meta.dirname, "..");
const steps: readonly Step[] = [
  { name: "format", command: ["biome", "check", "--error-on-warnings"] },
  { name: "lint", command: ["oxlint", "--type-aware"] },
  { name: "types", command: ["tsc", "-p", "tsconfig.json"] },
  { name: "types-node", command: ["tsc", "-p", "tsconfig.node.json"] },
  { name: "lockfile", command: ["node", "scripts/check-lockfile.ts"] },
  { name: "node", command: ["vitest"], project: "node" },
  { name: "workers", command: ["vitest"], project: "workers" },
  { name: "e2e", command: ["vitest"], project: "e2e" },
  { name: "system", command: ["vitest"], project: "system", byNameOnly: true },
];

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(
    `No step ${unknown.join(", ")}; there are ${steps.map((step) => step.name).join(", ")}`,
  );
  process.exit(2);
}

const chosen = steps.filter((step) =>
  asked.length > 0 ? asked.includes(step.name) : step.byNameOnly !== true,
);
const scratch = mkdtempSync(join(tmpdir(), "edge-readahead-test-"));
let passed = 0;
let failed = 0;
const summary: string[] = [];
const failures: string[] = [];
for (const step of chosen) {
  console.log(`\n== ${step.name}`);
  const start = performance.now();
  const counts = await runStep(step);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  summary.push(
    `${step.name.padEnd(12)} ${seconds.padStart(6)} s  ${counts.passed} passed, ${counts.failed} failed`,
  );
  passed += counts.passed;
  failed += counts.failed;
  failures.push(...counts.failures.map((failure) => `failed: ${failure}`));
}
rmSync(scratch, { recursive: true, force: true });
console.log(`\n${[...failures, ...summary].join("\n")}\n\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function runStep(step: Step): Promise<Counts> {
  if (step.project === undefined) {
    const code = await run(step.command, {});
    return code === 0
      ? { passed: 1, failed: 0, failures: [] }
      : { passed: 0, failed: 1, failures: [step.name] };
  }
  const file = join(scratch, `${step.name}.json`);
  const reporters = ["--reporter=dot", "--reporter=./scripts/vitest-reporter.ts"];
  const code = await run([...step.command, "run", "--project", step.project, ...reporters], {
    VITEST_COUNTS: file,
  });
  const counts = readCounts(file, step.name);
  // A run that ended badly without a failed test (no files, a crash, an error while closing) is a failure all the same.
  return code !== 0 && counts.failed === 0
    ? { ...counts, failed: 1, failures: [`${step.name} ended with ${code}`] }
    : counts;
}

function readCounts(file: string, name: string): Counts {
  try {
    return v.parse(countsSchema, JSON.parse(readFileSync(file, "utf8")));
  } catch {
    // The reporter never got to write.
    return { passed: 0, failed: 1, failures: [`${name} ended without a count`] };
  }
}

function run(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [name = "", ...args] = command;
  return new Promise((done, fail) => {
    const child = spawn(join(root, "node_modules/.bin", name), args, {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, ...env },
    });
    child.once("error", fail);
    child.once("exit", (code) => done(code ?? 1));
  });
}
