/**
 * Builds what is shipped: `dist/worker.js` (the Worker, one ES module that imports nothing but `cloudflare:*`),
 * `dist/lib` (the library with declarations, a file for a file, so that an R2 user never ships the S3 signer) and
 * `dist/cli.js`. With names as arguments (`worker`, `lib`, `cli`) it builds only those.
 *
 * Every file is written beside its place and renamed into it: who reads `dist` meanwhile sees the old file or the new.
 */
import { spawn } from "node:child_process";
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { bundledPackages, formatNotices } from "./third-party.ts";
import { workerBundle } from "./worker-bundle.ts";

const root = resolve(import.meta.dirname, "..");

const targets = { worker: buildWorker, lib: buildLibrary, cli: buildCli };

/** Builds `dist/worker.js`, and `dist/THIRD-PARTY.txt` with the licences of what is in it. @throws Error when the bundle would import anything but `cloudflare:*` */
export async function buildWorker(): Promise<void> {
  const { imports, packages } = await bundle(join(root, "dist/worker.js"), {
    ...workerBundle,
    entryPoints: [join(root, "src/worker.ts")],
  });
  const foreign = imports.filter((name) => !name.startsWith("cloudflare:"));
  if (foreign.length > 0)
    throw new Error(`The Worker must be one module, but imports ${foreign.join(", ")}`);
  await writeFile(join(root, "dist/worker.d.ts"), workerTypes);
  await writeFile(join(root, "dist/THIRD-PARTY.txt"), await formatNotices(root, packages));
}

/** For who re-exports the finished Worker: nothing of it needs the Workers' own types. */
const workerTypes = `declare const worker: {
  fetch(
    request: Request,
    env: object,
    context: { waitUntil(promise: Promise<unknown>): void },
  ): Promise<Response>;
};
export default worker;
`;

async function buildCli(): Promise<void> {
  const out = join(root, "dist/cli.js");
  await bundle(out, {
    entryPoints: [join(root, "cli/main.ts")],
    platform: "node",
    banner: { js: "#!/usr/bin/env node" },
    packages: "external",
  });
  await chmod(out, 0o755);
}

async function buildLibrary(): Promise<void> {
  await mkdir(join(root, "dist"), { recursive: true });
  const fresh = await mkdtemp(join(root, "dist/.lib-"));
  try {
    await run("tsc", ["-p", "tsconfig.build.json", "--outDir", fresh]);
    await rewriteDeclarations(fresh);
    const place = join(root, "dist/lib");
    await rm(place, { recursive: true, force: true });
    await cp(fresh, place, { recursive: true });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** tsc rewrites the extension of relative imports in code, not in declarations (TypeScript 7.0). */
async function rewriteDeclarations(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith(".d.ts")) continue;
    const file = join(folder, name);
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace(/(from |import\()"(\.[^"]*)\.ts"/g, '$1"$2.js"'));
  }
}

interface Bundled {
  /** What it still imports. */
  readonly imports: readonly string[];
  /** Whose code is in it. */
  readonly packages: readonly string[];
}

/** Bundles into one file. */
async function bundle(out: string, options: BuildOptions): Promise<Bundled> {
  const result = await build({
    bundle: true,
    format: "esm",
    target: "es2022",
    legalComments: "eof",
    outfile: out,
    logLevel: "warning",
    ...options,
    write: false,
    metafile: true,
  });
  await mkdir(dirname(out), { recursive: true });
  for (const file of result.outputFiles) {
    const beside = `${file.path}.${process.pid}`;
    await writeFile(beside, file.contents);
    await rename(beside, file.path);
  }
  const imports = Object.values(result.metafile.outputs)
    .flatMap((output) => output.imports)
    .filter((entry) => entry.external)
    .map((entry) => entry.path);
  return { imports, packages: bundledPackages(result.metafile) };
}

function run(command: string, args: readonly string[]): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(join(root, "node_modules/.bin", command), args, {
      cwd: root,
      stdio: "inherit",
    });
    child.once("error", fail);
    child.once("exit", (code) =>
      code === 0 ? done() : fail(new Error(`${command} ended with ${code}`)),
    );
  });
}

if (process.argv[1] === import.meta.filename) {
  const asked = process.argv.slice(2);
  const unknown = asked.filter((name) => !Object.hasOwn(targets, name));
  if (unknown.length > 0) {
    console.error(`No target ${unknown.join(", ")}; there are ${Object.keys(targets).join(", ")}`);
    process.exit(2);
  }
  for (const [name, make] of Object.entries(targets)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    const start = performance.now();
    await make();
    console.log(`built ${name} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
}
