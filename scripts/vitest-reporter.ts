/**
 * A vitest reporter that writes what the closing line needs to the file named in `VITEST_COUNTS`: passed and failed
 * tests, with unhandled errors and files that did not load counted as failures. vitest itself prints "7 passed" beside
 * an unhandled rejection.
 */
import { writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

export default class Counts implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    let passed = 0;
    let failed = unhandled.length;
    let skipped = 0;
    for (const module of modules) {
      if (module.errors().length > 0) failed += 1;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed += 1;
        else if (state === "skipped") skipped += 1;
        else failed += 1; // failed, or pending: a run that was cut short
      }
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) failed += 1;
    }
    const file = process.env["VITEST_COUNTS"];
    if (file !== undefined) writeFileSync(file, JSON.stringify({ passed, failed, skipped }));
  }
}
