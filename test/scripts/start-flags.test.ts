import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const script = join(resolve(import.meta.dirname, "../.."), "scripts/start.ts");

function start(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

describe("npm start", () => {
  it("says how it is used when it is asked to", () => {
    const { status, stdout } = start("--help");
    expect(status).toBe(0);
    for (const flag of ["port", "origin-port", "delay", "ramp-mib", "persist-to", "empty", "quiet"])
      expect(stdout).toContain(`  --${flag} `);
  });

  it.each([
    [["--dely", "5"], /^Unknown option '--dely'/],
    [["--port", "many"], /^--port must be a number, not "many"/],
  ])("%j is told in a line, and how it is used", (args, told) => {
    const { status, stdout, stderr } = start(...args);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(told);
    expect(stderr).toContain("Usage: npm start -- [options]");
    expect(stderr).not.toMatch(/^ {4}at /m);
  });
});
