/** The README and wrangler.toml say what is true: snippets run, settings are known, links lead somewhere. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Origin, startOrigin } from "../../scripts/origin.ts";
import { rampSample } from "../../scripts/samples.ts";
import { readWranglerConfig } from "../../scripts/wrangler-config.ts";
import { type Config, readConfig } from "../../src/config/config.ts";
import { createFakeBucket } from "../support/fake-bucket.ts";
import { anchors, blocksOf, commands, localLinks, readme } from "./support/readme.ts";
import { root } from "./support/start.ts";

const run = promisify(execFile);
const ramp = rampSample("ramp.bin", 3_000_000);

let folder: string;
let origin: Origin;

beforeAll(async () => {
  await run("node", ["scripts/build.ts", "lib"], { cwd: root });
  folder = await mkdtemp(join(tmpdir(), "edge-readahead-readme-"));
  await mkdir(join(folder, "node_modules"));
  for (const name of await readdir(join(root, "node_modules")))
    await symlink(join(root, "node_modules", name), join(folder, "node_modules", name));
  await symlink(root, join(folder, "node_modules/edge-readahead"));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  origin = await startOrigin({ samples: [ramp] });
}, 60_000);

afterAll(async () => {
  await origin?.close();
  await rm(folder, { recursive: true, force: true });
});

describe("the README's links", () => {
  for (const target of new Set(localLinks()))
    it(`leads somewhere: ${target}`, () => {
      const [path = "", anchor] = target.split("#");
      if (path === "") expect(anchors()).toContain(anchor);
      else expect(existsSync(join(root, path))).toBe(true);
    });
});

describe("the README's programs", () => {
  /** What a snippet takes for granted. */
  const given = `
    const env = { OBJECTS: { get() {}, head() {} } };
    const [accessKeyId, secretAccessKey] = ["AKIDEXAMPLE", "secret"];
    const [url, secret] = ["https://edge.example/files/a", "s".repeat(32)];
  `;

  for (const { text, line } of blocksOf("ts"))
    it(`run as they stand: line ${line}`, async () => {
      const name = `snippet-${line}.ts`;
      const own = text.replaceAll("https://origin.example/data/", `${origin.url}/`);
      // The one that is a Worker has an env of its own.
      await writeFile(join(folder, name), own.includes("export default") ? own : given + own);
      await run("node", ["--no-warnings", name], { cwd: folder });
    });

  it("reads ahead in Node", async () => {
    const bytes = await readFile(join(folder, "ramp.part"));
    expect(bytes.equals(Buffer.from(ramp.bytes(1_000_000, ramp.size)))).toBe(true);
  });

  it("serves a bucket in a Worker of one's own", async () => {
    const worker = blocksOf("ts").find(({ text }) => text.includes("export default"));
    const module: { default: { fetch(...args: unknown[]): Promise<Response> } } = await import(
      join(folder, `snippet-${worker?.line}.ts`)
    );
    const bucket = createFakeBucket("production");
    const answer = await module.default.fetch(
      new Request("https://edge.example/files/missing.bin"),
      { OBJECTS: bucket },
      { waitUntil: () => {} },
    );
    expect(answer.status).toBe(404);
  });
});

describe("the README's commands", () => {
  const scripts: Record<string, string> = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  ).scripts;

  for (const command of new Set(commands()))
    it(`exists: ${command}`, () => {
      const words = command.replace(/^(\w+=\S+ )+/, "").split(" ");
      const [program, verb, name] = words.filter((word) => word !== "-s");
      if (program === "npm" && verb === "run") expect(scripts).toHaveProperty(name ?? "");
      else if (program === "npm") expect(["ci", "start", "test"]).toContain(verb);
      else if (program === "npx") expect(verb).toBe("wrangler");
      // curl: start.test.ts runs them. The S3 clients: recipes, below.
      else expect(["curl", "od", "aws", "rclone", "export", "wrangler"]).toContain(program);
    });

  it("holds the S3 recipes as the tests run them", async () => {
    const recipes = join(root, "test/e2e/s3/recipes");
    for (const name of await readdir(recipes)) {
      const lines = (await readFile(join(recipes, name), "utf8")).trim();
      expect(readme, name).toContain(lines.replace(/^#!.*\n/, ""));
    }
  });
});

describe("settings", () => {
  it("of the README are known, block by block", async () => {
    for (const { text, line } of blocksOf("toml")) {
      // Some blocks continue a mount of the chapter.
      const whole = text.startsWith("[")
        ? text
        : `[vars.MOUNTS.weed]\nprefix = "/weed/"\nsource = "seaweedfs"\nfiler = "http://filer.example/"\nmaster = "http://m.example/"\n${text}`;
      const config = await readToml(`block-${line}.toml`, `name = "readme"\n${whole}`);
      expect(config.handler.mounts.length + (config.handler.fronts?.length ?? 0)).toBeGreaterThan(
        0,
      );
    }
  });

  it("of wrangler.toml are known, also those that are commented out", async () => {
    const text = readFileSync(join(root, "wrangler.toml"), "utf8");
    const opened = text.replaceAll(/^# (\[vars\.MOUNTS\S*\]|[a-z_]+ = )/gm, "$1");
    expect(opened.match(/^\[vars\.MOUNTS\.\w+\]/gm)?.length).toBeGreaterThanOrEqual(5);
    const config = await readToml("opened.toml", opened);
    expect(config.handler.mounts.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["files", "origin", "archive", "weed"]),
    );
  });

  it("of wrangler.toml pass wrangler's own check", async () => {
    const { stdout } = await run("npx", ["wrangler", "deploy", "--dry-run"], {
      cwd: root,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
    });
    expect(stdout).toContain("--dry-run: exiting now");
  });
});

/** Reads a wrangler.toml as the Worker would see it, with every binding and secret that it names. */
async function readToml(name: string, text: string): Promise<Config> {
  const file = join(folder, name);
  await writeFile(file, text);
  const { vars } = await readWranglerConfig(file);
  const secret = "AKIDEXAMPLE:secret-of-thirty-two-characters";
  const env: Record<string, unknown> = {
    ...vars,
    OBJECTS: createFakeBucket("production"),
    PRIVATE_NET: { fetch: () => Promise.reject(new Error("Nothing is fetched here")) },
    KEK: "0".repeat(64),
    SSE_KEK: "0".repeat(64),
  };
  for (const [, word = ""] of text.matchAll(/"([A-Z][A-Z0-9_]+)"/g)) env[word] ??= secret;
  return readConfig(env);
}
