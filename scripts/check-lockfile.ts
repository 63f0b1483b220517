/**
 * Checks that `package-lock.json` installs everywhere: every optional dependency of every package has its entry (else
 * `npm ci` refuses the file on the platforms that lack it), there is one workerd, and no entry names a registry host.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as v from "valibot";

const entrySchema = v.object({
  version: v.optional(v.string()),
  resolved: v.optional(v.string()),
  optionalDependencies: v.optional(v.record(v.string(), v.string()), {}),
});
const lockSchema = v.object({ packages: v.record(v.string(), entrySchema) });

type Packages = v.InferOutput<typeof lockSchema>["packages"];

/** The faults of a lock file's text, as sentences; empty when there are none. */
export function lockfileFaults(text: string): string[] {
  const { packages } = v.parse(lockSchema, JSON.parse(text));
  const faults: string[] = [];
  for (const [path, entry] of Object.entries(packages)) {
    for (const name of Object.keys(entry.optionalDependencies))
      if (!isLocked(packages, path, name))
        faults.push(
          `${path || "the project"} has the optional dependency ${name}, which has no lock entry`,
        );
    if (entry.resolved !== undefined && URL.canParse(entry.resolved))
      faults.push(`${path} is tied to one registry (${new URL(entry.resolved).host})`);
  }
  const workerds = Object.entries(packages).filter(([path]) =>
    path.endsWith("node_modules/workerd"),
  );
  if (workerds.length !== 1)
    faults.push(
      `There must be one workerd, not ${workerds.length}: ${workerds.map(([path, { version }]) => `${path} ${version}`).join(", ")}`,
    );
  return faults;
}

/** Node's way up the folders: the package's own node_modules first. */
function isLocked(packages: Packages, from: string, name: string): boolean {
  for (let path = from; ; ) {
    if (packages[`${path === "" ? "" : `${path}/`}node_modules/${name}`] !== undefined) return true;
    if (path === "") return false;
    const parent = path.lastIndexOf("node_modules/");
    path = path.slice(0, Math.max(0, parent - 1));
  }
}

if (process.argv[1] === import.meta.filename) {
  const file = join(resolve(import.meta.dirname, ".."), "package-lock.json");
  const faults = lockfileFaults(readFileSync(file, "utf8"));
  for (const fault of faults) console.error(fault);
  console.log(faults.length === 0 ? "The lock file is whole" : `${faults.length} faults`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
