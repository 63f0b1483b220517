/** Bundles a Worker of ours into one module for bare workerd, as the shipped one is. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { workerBundle } from "../../scripts/worker-bundle.ts";
import { scratchFolder } from "./scratch.ts";

const root = resolve(import.meta.dirname, "../..");
const bundles = new Map<string, Promise<string>>();

/** Bundles `bench/workers/<name>.ts` once a run, and returns the module's path. */
export function bundleWorker(name: string): Promise<string> {
  return bundleEntry(join(root, "bench/workers", `${name}.ts`), name);
}

/**
 * The Worker as it ships. `npm run bench` builds it first; where there is no `dist/worker.js`, the source is bundled
 * here, and where `BENCH_WORKER` names a module, that one is measured: two versions can be compared.
 */
export function builtWorker(): Promise<string> {
  const chosen = process.env["BENCH_WORKER"];
  if (chosen !== undefined) return Promise.resolve(resolve(chosen));
  const shipped = join(root, "dist/worker.js");
  if (existsSync(shipped)) return Promise.resolve(shipped);
  return bundleEntry(join(root, "src/worker.ts"), "worker");
}

function bundleEntry(entry: string, name: string): Promise<string> {
  const known = bundles.get(name);
  if (known !== undefined) return known;
  const outfile = join(scratchFolder("bundle"), `${name}.js`);
  const bundle = build({
    ...workerBundle,
    entryPoints: [entry],
    outfile,
    logLevel: "silent",
  }).then(() => outfile);
  bundle.catch(() => {});
  bundles.set(name, bundle);
  return bundle;
}
