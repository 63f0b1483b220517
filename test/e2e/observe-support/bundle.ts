/** Bundles a Worker of the tests into one ES module, as the build does with the shipped one. */
import { join } from "node:path";
import { build } from "esbuild";
import { workerBundle } from "../../../scripts/worker-bundle.ts";

/** @param name File in this folder */
export async function bundleWorker(name: string): Promise<string> {
  const result = await build({
    ...workerBundle,
    entryPoints: [join(import.meta.dirname, name)],
    write: false,
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error(`Nothing came of ${name}`);
  return file.text;
}
