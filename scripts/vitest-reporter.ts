/**
 * A vitest reporter that writes what the closing lines need to the file named in `VITEST_COUNTS`: passed and failed
 * tests, with unhandled errors and files that did not load counted as failures, and a line for each failure. vitest
 * itself prints "7 passed" beside an unhandled rejection.
 */
import { writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

export default class Counts implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    let passed = 0;
    let skipped = 0;
    const failures = unhandled.map((error) => failure("unhandled", [error]));
    for (const module of modules) {
      const file = module.relativeModuleId;
      if (module.errors().length > 0) failures.push(failure(file, module.errors()));
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (state === "passed") passed += 1;
        else if (state === "skipped") skipped += 1;
        // failed, or pending: a run that was cut short
        else failures.push(failure(`${file} > ${test.fullName}`, errors ?? [{ message: state }]));
      }
      for (const suite of module.children.allSuites())
        if (suite.errors().length > 0)
          failures.push(failure(`${file} > ${suite.fullName}`, suite.errors()));
    }
    const file = process.env["VITEST_COUNTS"];
    const counts = { passed, failed: failures.length, skipped, failures };
    if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
  }
}

/** One line: where, and the first line of the first error. */
function failure(where: string, errors: readonly Pick<SerializedError, "message">[]): string {
  const [message = ""] = (errors[0]?.message ?? "").split("\n");
  return `${where}: ${message.slice(0, 200)}`;
}
