/** The packed tarball in a scratch project: imported in Node, bundled into a Worker, type-checked in two worlds, weighed. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Origin, startOrigin } from "../../scripts/origin.ts";
import { rampSample } from "../../scripts/samples.ts";
import { workerBundle } from "../../scripts/worker-bundle.ts";
import { ask } from "../e2e/support/http.ts";
import { startWorkerd } from "../e2e/support/workerd.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");
const bin = join(root, "node_modules/.bin");
const ramp = rampSample("ramp.bin", 3_000_000);

let scratch: string;
let installed: string;
let origin: Origin;

beforeAll(async () => {
  await run("node", ["scripts/build.ts"], { cwd: root });
  scratch = await mkdtemp(join(tmpdir(), "edge-readahead-package-"));
  installed = join(scratch, "node_modules/edge-readahead");
  await mkdir(installed, { recursive: true });
  const options = ["--ignore-scripts", "--json", "--pack-destination", scratch];
  await run("npm", ["pack", ...options], { cwd: root });
  const tarball = (await readdir(scratch)).find((name) => name.endsWith(".tgz")) ?? "";
  await run("tar", ["-xzf", join(scratch, tarball), "--strip-components=1", "-C", installed]);
  const manifest: { dependencies: Record<string, string> } = JSON.parse(
    await readFile(join(installed, "package.json"), "utf8"),
  );
  for (const name of [...Object.keys(manifest.dependencies), "@cloudflare/workers-types"]) {
    const link = join(scratch, "node_modules", name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(root, "node_modules", name), link);
  }
  await writeFile(join(scratch, "package.json"), '{ "type": "module" }');
  origin = await startOrigin({ samples: [ramp] });
}, 120_000);

afterAll(async () => {
  await origin?.close();
  await rm(scratch, { recursive: true, force: true });
});

/** A program that uses the library and one source. */
const program = `
import { createHandler, readahead, ReadaheadError } from "edge-readahead";
import { createHttpSource } from "edge-readahead/http";
import { createExplain, createObserver } from "edge-readahead/observe";

export async function download(url: string): Promise<number> {
  const source = createHttpSource({ url });
  let sum = 0;
  const stream: ReadableStream<Uint8Array> = readahead({ source, key: "ramp.bin" }, { start: 1 });
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return sum;
    sum += value.byteLength;
  }
}

export function handlerOf(url: string): (request: Request) => Promise<Response> {
  const source = createHttpSource({ url });
  return createHandler({
    mounts: [{ name: "files", prefix: "/files/", source, explain: true }],
    observer: createObserver(),
    explain: createExplain(),
  });
}

export function isGone(error: unknown): boolean {
  return error instanceof ReadaheadError && error.kind === "not-found";
}
`;

describe("the packed package", () => {
  it("brings what its exports name, and no tests or sources", async () => {
    const manifest: { exports: Record<string, string | Record<string, string>>; bin: object } =
      JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
    const files = await readdir(installed, { recursive: true });
    const named = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === "string" ? [entry] : Object.values(entry),
    );
    for (const path of [...named, ...Object.values(manifest.bin)])
      expect(files).toContain(String(path).replace(/^\.\//, ""));
    expect(files).toEqual(expect.arrayContaining(["README.md", "LICENSE", "CHANGELOG.md"]));
    expect(files.filter((name) => /^(src|test|bench|scripts)\b|\.test\./.test(name))).toEqual([]);
  });

  it("brings the licence of every package that is bundled into the Worker", async () => {
    const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(
      await readFile(join(installed, "package.json"), "utf8"),
    );
    const notices = await readFile(join(installed, "dist/THIRD-PARTY.txt"), "utf8");
    // strnum comes with fast-xml-parser.
    for (const name of [...Object.keys(dependencies), "strnum"])
      expect(notices).toMatch(new RegExp(`^${name} \\d\\S* \\((MIT|BSD-3-Clause)\\)$`, "m"));
    expect(notices.match(/MIT License|Permission is hereby granted/g)?.length).toBeGreaterThan(5);
    expect(notices).toContain("Redistribution and use in source and binary forms");
  });

  it("runs in Node", async () => {
    await writeFile(
      join(scratch, "main.mjs"),
      `import { readahead } from "edge-readahead";
       import { createHttpSource } from "edge-readahead/http";
       import "edge-readahead/r2"; import "edge-readahead/s3"; import "edge-readahead/seaweedfs";
       const source = createHttpSource({ url: ${JSON.stringify(`${origin.url}/`)} });
       let at = 0;
       for await (const block of readahead({ source, key: "ramp.bin" }))
         for (const byte of block) if (byte !== at++ % 251) throw new Error("wrong byte at " + at);
       console.log(at);`,
    );
    const { stdout } = await run("node", ["main.mjs"], { cwd: scratch });
    expect(stdout.trim()).toBe(String(ramp.size));
  });

  it("lets a process end that reads a stream no further", async () => {
    await writeFile(
      join(scratch, "magic.mjs"),
      `import { createHandler, readahead } from "edge-readahead";
       import { createHttpSource } from "edge-readahead/http";
       const source = createHttpSource({ url: ${JSON.stringify(`${origin.url}/`)} });
       const some = readahead({ source, key: "ramp.bin" }).getReader();
       const few = readahead({ source, key: "ramp.bin" }, { end: 11 }).getReader();
       const handle = createHandler({ mounts: [{ name: "m", prefix: "/m/", source }] });
       const response = await handle(new Request("https://edge.example/m/ramp.bin"));
       console.log((await some.read()).value[7], (await few.read()).value[7], response.status);`,
    );
    const { stdout } = await run("node", ["magic.mjs"], { cwd: scratch, timeout: 60_000 });
    expect(stdout.trim()).toBe("7 7 200");
  }, 90_000);

  it("runs as a Worker of one's own", async () => {
    await writeFile(
      join(scratch, "worker.js"),
      `import { createHandler } from "edge-readahead";
       import { createHttpSource } from "edge-readahead/http";
       import { createExplain, createObserver } from "edge-readahead/observe";
       const source = createHttpSource({ url: ${JSON.stringify(`${origin.url}/`)} });
       const handle = createHandler({
         mounts: [{ name: "files", prefix: "/files/", source, explain: true }],
         observer: createObserver(),
         explain: createExplain(),
       });
       export default { fetch: (request, env, context) => handle(request, context) };`,
    );
    const script = join(scratch, "bundle.js");
    await bundle(join(scratch, "worker.js"), script, false);
    const worker = await startWorkerd({ script });
    try {
      const { status, headers, body } = await ask(`${worker.url}/files/ramp.bin`);
      expect([status, headers["content-length"]]).toEqual([200, String(ramp.size)]);
      expect(body.equals(Buffer.from(ramp.bytes(0, ramp.size)))).toBe(true);
      expect(headers["server-timing"]).toMatch(/open;dur=/);
      const explained = await ask(`${worker.url}/files/ramp.bin?explain`);
      expect(JSON.parse(explained.body.toString())).toMatchObject({ answer: { status: 200 } });
    } finally {
      await worker.close();
    }
  });

  it("runs as the Worker that it ships", async () => {
    const script = join(installed, "dist/worker.js");
    expect(await readFile(script, "utf8")).not.toMatch(/^import .*from "(?!cloudflare:)/m);
    const mounts = { origin: { prefix: "/o/", source: "http", url: `${origin.url}/` } };
    const worker = await startWorkerd({ script, mounts });
    try {
      expect((await ask(`${worker.url}/o/ramp.bin`)).body.byteLength).toBe(ramp.size);
    } finally {
      await worker.close();
    }
  });

  for (const [world, options] of [
    ["a browser's types", { lib: ["es2024", "dom", "dom.iterable"], types: [] }],
    ["the Workers' types", { lib: ["es2024"], types: ["@cloudflare/workers-types"] }],
  ] as const) {
    it(`has declarations that hold under ${world}`, async () => {
      const folder = join(scratch, `types-${options.types.length}`);
      await mkdir(folder);
      await writeFile(join(folder, "program.ts"), program);
      const sources = ["http", "r2", "s3", "seaweedfs", "observe", "worker"];
      const imports = sources.map(
        (name, index) =>
          `import * as s${index} from "edge-readahead/${name}"; export { s${index} };`,
      );
      await writeFile(join(folder, "sources.ts"), imports.join("\n"));
      const compilerOptions = {
        ...options,
        target: "es2022",
        module: "nodenext",
        moduleResolution: "nodenext",
        strict: true,
        noEmit: true,
        skipLibCheck: false,
      };
      await writeFile(
        join(folder, "tsconfig.json"),
        JSON.stringify({ compilerOptions, include: ["*.ts"] }),
      );
      const checked = await run(join(bin, "tsc"), ["-p", folder], { cwd: folder }).catch(
        (error: { stdout?: string }) => error,
      );
      expect(checked.stdout ?? "").toBe("");
    });
  }

  for (const source of ["http", "r2"]) {
    it(`weighs at most 16 KB with the source "${source}", minified and gzipped`, async () => {
      const entry = join(scratch, `size-${source}.js`);
      await writeFile(
        entry,
        `export { readahead } from "edge-readahead"; export * from "edge-readahead/${source}";`,
      );
      const out = join(scratch, `size-${source}.min.js`);
      await bundle(entry, out, true);
      const bytes = gzipSync(await readFile(out), { level: 9 }).byteLength;
      console.log(`readahead + ${source}: ${bytes} bytes gzipped`);
      expect(bytes).toBeLessThanOrEqual(16_000);
    });
  }

  it("has a command line that says how it is used", async () => {
    const { stdout } = await run("node", [join(installed, "dist/cli.js"), "--help"]);
    expect(stdout).toMatch(/edge-readahead/);
  });
});

function bundle(entry: string, outfile: string, minify: boolean) {
  return build({
    ...workerBundle,
    entryPoints: [entry],
    outfile,
    minify,
    logLevel: "error",
  });
}
