import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { lockfileFaults } from "../../scripts/check-lockfile.ts";

const file = join(resolve(import.meta.dirname, "../.."), "package-lock.json");

describe("lockfileFaults", () => {
  it("finds nothing wrong with the project's own lock file", () => {
    expect(lockfileFaults(readFileSync(file, "utf8"))).toEqual([]);
  });

  it("names an optional dependency without an entry", () => {
    const lock = {
      packages: {
        "node_modules/workerd": { optionalDependencies: { "@cloudflare/workerd-windows-64": "1" } },
      },
    };
    expect(lockfileFaults(JSON.stringify(lock))).toEqual([
      "node_modules/workerd has the optional dependency @cloudflare/workerd-windows-64, which has no lock entry",
    ]);
  });

  it("finds a dependency's entry in its own folder and in those above it", () => {
    const lock = {
      packages: {
        "node_modules/a": { optionalDependencies: { b: "1", c: "1" } },
        "node_modules/a/node_modules/b": { version: "1" },
        "node_modules/c": { version: "1" },
        "node_modules/workerd": { version: "1" },
      },
    };
    expect(lockfileFaults(JSON.stringify(lock))).toEqual([]);
  });

  it("wants one workerd and no private registry", () => {
    const lock = {
      packages: {
        "node_modules/workerd": { version: "1" },
        "node_modules/a/node_modules/workerd": {
          version: "2",
          resolved: "https://mirror.test/w.tgz",
        },
      },
    };
    expect(lockfileFaults(JSON.stringify(lock))).toHaveLength(2);
  });
});
