/** The fault-script property must be able to fail: three engines broken on purpose, each of which it must catch. */
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  checkRecovery,
  type EngineUnderTest,
  type FaultClass,
  recoveryCases,
} from "./recovery-case.ts";

interface Mutant {
  readonly what: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** The class of faults under which it shows. */
  readonly faultClass: FaultClass;
}

const mutants: readonly Mutant[] = [
  {
    what: "resumes one byte late",
    file: "readahead/part.ts",
    from: "{ start: this.#position, end: this.#attemptEnd() }",
    to: "{ start: this.#position === this.range.start ? this.#position : this.#position + 1, end: this.#attemptEnd() }",
    faultClass: "reset-mid-body",
  },
  {
    what: "does not check the version of an answer",
    file: "readahead/verify.ts",
    from: "if (tagsDiffer || datesDiffer)",
    to: "if (tagsDiffer && !tagsDiffer)",
    faultClass: "changed",
  },
  {
    what: "does not free the place of an answered request",
    file: "readahead/allowance.ts",
    from: "    } finally {\n      if (this.#claims.delete(claim)) this.#serveNext();\n    }",
    to: "    } finally {\n    }",
    faultClass: "reset-mid-body",
  },
];

const source = join(import.meta.dirname, "../../src");
const output = join(import.meta.dirname, "../output/mutants");

async function breakEngine(mutant: Mutant, index: number): Promise<EngineUnderTest> {
  const root = join(output, `${process.pid}-${index}`);
  await rm(root, { recursive: true, force: true });
  await mkdir(root, { recursive: true });
  await cp(source, root, { recursive: true });
  const file = join(root, mutant.file);
  const text = await readFile(file, "utf8");
  expect(text.split(mutant.from).length, `${mutant.file} has the line to break once`).toBe(2);
  await writeFile(file, text.replace(mutant.from, mutant.to));
  const load = async (path: string): Promise<object> => import(/* @vite-ignore */ join(root, path));
  const modules = await Promise.all([
    load("readahead/budget.ts"),
    load("readahead/download.ts"),
    load("readahead/open.ts"),
    load("sources/http.ts"),
  ]);
  return Object.assign({}, ...modules) as EngineUnderTest;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});

afterEach(() => {
  vi.useRealTimers();
});

afterAll(async () => {
  await rm(output, { recursive: true, force: true });
});

describe("the fault-script property", () => {
  it.each(mutants.map((mutant, index) => ({ ...mutant, index })))(
    "catches an engine that $what",
    async ({ index, ...mutant }) => {
      const engine = await breakEngine(mutant, index);
      const run = fc.check(
        fc.asyncProperty(recoveryCases(mutant.faultClass), async (one) => {
          await checkRecovery(one, engine);
        }),
        { numRuns: 300, seed: 1, endOnFailure: true },
      );
      expect((await run).failed).toBe(true);
    },
    60_000,
  );
});
