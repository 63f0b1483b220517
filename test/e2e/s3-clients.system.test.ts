/**
 * S3 clients, as people have them, against `npm start`: default settings, checksum modes included. Every case compares
 * bytes. `test/e2e/s3/setup.sh <folder>` installs the clients; S3_CLIENTS names that folder (default `.s3-clients`).
 *
 * The recipes of `test/e2e/s3/recipes` are those of the README, and run as they stand but for the endpoint's address.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blocks, rampSample, type Sample, samples } from "../../scripts/samples.ts";
import { seed } from "../../scripts/seed.ts";
import { root, type Started, startLocal } from "./support/start.ts";

const cases = join(import.meta.dirname, "s3");
const clients = resolve(root, process.env["S3_CLIENTS"] ?? ".s3-clients");
const run = promisify(execFile);
const key = "ramp.bin";

let base: string;
let folder: string;
let local: Started;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-readahead-s3-"));
  local = await startLocal();
  ({ base } = local);
  env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local-secret-of-npm-start",
    AWS_REGION: "auto",
    AWS_DEFAULT_REGION: "auto",
    AWS_EC2_METADATA_DISABLED: "true",
    // rclone refuses one; there is no TLS here.
    AWS_CA_BUNDLE: undefined,
    AWS_CONFIG_FILE: join(folder, "none"),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, "none"),
    RCLONE_CONFIG: join(folder, "rclone.conf"),
    PATH: [join(clients, "boto3/bin"), process.env["PATH"]].join(delimiter),
  };
  await run(join(clients, "s3fs/bin/python"), [join(cases, "s3fs_cases.py"), "make", base], {
    cwd: folder,
  });
  const table = await readFile(join(folder, "table.parquet"));
  const many = Array.from({ length: 25 }, (_, i) =>
    rampSample(`many/${String(i).padStart(2, "0")} +%é&<>.bin`, i),
  );
  const tableSample: Sample = {
    key: "table.parquet",
    size: table.byteLength,
    contentType: "application/vnd.apache.parquet",
    bytes: (start, end) => table.subarray(start, end),
  };
  await seed({ base, bucket: "edge-readahead", samples: [tableSample, ...many], log: () => {} });
}, 180_000);

afterAll(async () => {
  await local?.close();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

function sampleOf(name: string): Sample {
  const sample = samples.find((one) => one.key === name);
  if (sample === undefined) throw new Error(`npm start has no sample ${name}`);
  return sample;
}

function sha256Of(name: string): string {
  const hash = createHash("sha256");
  for (const block of blocks(sampleOf(name))) hash.update(block);
  return hash.digest("hex");
}

const rampSha256 = sha256Of(key);

async function fileSha256(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}

/** A fresh folder for one case, below the test's own. */
function scratch(): Promise<string> {
  return mkdtemp(join(folder, "case-"));
}

/** What the process says on both outputs; rejects with it when the process fails. */
async function execute(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { stdout, stderr } = await run(command, [...args], { cwd, env, maxBuffer: 1 << 24 });
  return stdout + stderr;
}

/** The recipe with our address in it, written where it can run. */
async function recipe(name: string, cwd: string): Promise<string> {
  const text = await readFile(join(cases, "recipes", name), "utf8");
  expect(text).toContain("https://edge.example");
  expect(await readFile(join(root, "README.md"), "utf8")).toContain(text);
  expect(text.split("\n").filter((line) => line !== "").length).toBeLessThanOrEqual(5);
  // Not under the name itself: Python would import "boto3.py" as boto3.
  const path = join(cwd, `recipe-${name}`);
  await writeFile(path, text.replaceAll("https://edge.example", base));
  return path;
}

const rampArgs = () => [base, key, String(sampleOf(key).size), rampSha256];

describe("boto3", () => {
  it.each([
    "get_object",
    "download_file",
    "head_object",
    "paginator",
    "odd_keys",
    "presigned_url",
    "presigned_by_version_2",
    "ranged_body",
    "buckets",
    "errors",
  ])("%s", async (name) => {
    const python = join(clients, "boto3/bin/python");
    await execute(python, [join(cases, "boto3_cases.py"), name, ...rampArgs()], await scratch());
  });

  it("downloads by the README's recipe", async () => {
    const cwd = await scratch();
    await execute(join(clients, "boto3/bin/python"), [await recipe("boto3.py", cwd)], cwd);
    expect(await fileSha256(join(cwd, key))).toBe(rampSha256);
  });
});

describe("aws", () => {
  it("lists and copies by the README's recipe", async () => {
    const cwd = await scratch();
    const said = await execute("sh", ["-e", await recipe("aws-cli.sh", cwd)], cwd);
    expect(said).toMatch(new RegExp(`${sampleOf(key).size} ${key}`));
    expect(said).toContain("PRE many/");
    expect(await fileSha256(join(cwd, key))).toBe(rampSha256);
  });

  it("s3 sync brings a folder, odd names and empty files included", async () => {
    const cwd = await scratch();
    const sync = ["s3", "--endpoint-url", base, "sync", "s3://media/many", cwd];
    await execute("aws", sync, cwd);
    for (let i = 0; i < 25; i++) {
      const bytes = await readFile(join(cwd, `${String(i).padStart(2, "0")} +%é&<>.bin`));
      expect([...bytes]).toEqual(Array.from({ length: i }, (_, at) => at));
    }
    expect(await execute("aws", [...sync, "--dryrun"], cwd)).toBe("");
  });

  it("s3 presign makes a URL that curl can follow", async () => {
    const cwd = await scratch();
    const said = await execute(
      "aws",
      ["s3", "--endpoint-url", base, "presign", "s3://media/hello.txt", "--region", "auto"],
      cwd,
    );
    const response = await fetch(said.trim());
    expect(Buffer.from(await response.arrayBuffer()).length).toBe(sampleOf("hello.txt").size);
  });
});

/** A script in a folder from which Node finds the SDK. */
async function script(source: string): Promise<{ path: string; cwd: string }> {
  const cwd = await scratch();
  await symlink(join(clients, "aws-sdk/node_modules"), join(cwd, "node_modules"));
  if (source.includes("cases")) await cp(join(cases, source), join(cwd, source));
  const path = source.includes("cases") ? join(cwd, source) : await recipe(source, cwd);
  return { path, cwd };
}

describe("AWS SDK for JavaScript v3", () => {
  it.each(["getObject", "range", "checksums", "pages", "presigned", "errors"])(
    "%s",
    async (name) => {
      const { path, cwd } = await script("aws-sdk-cases.mjs");
      await execute(process.execPath, [path, name, ...rampArgs()], cwd);
    },
  );

  it("downloads by the README's recipe", async () => {
    const { path, cwd } = await script("aws-sdk.mjs");
    await execute(process.execPath, [path], cwd);
    expect(await fileSha256(join(cwd, key))).toBe(rampSha256);
  });
});

describe("rclone", () => {
  it("lists and copies by the README's recipe", async () => {
    const cwd = await scratch();
    const said = await execute("sh", ["-e", await recipe("rclone.sh", cwd)], cwd);
    expect(said).toContain(`${sampleOf(key).size} ${key}`);
    expect(await fileSha256(join(cwd, key))).toBe(rampSha256);
  });

  it("check --download finds every byte the same", async () => {
    const cwd = await scratch();
    await execute(
      "rclone",
      ["config", "create", "edge", "s3", "provider", "Other", "env_auth", "true", "endpoint", base],
      cwd,
    );
    await execute("rclone", ["copy", "edge:media", cwd, "--transfers", "4"], cwd);
    const said = await execute("rclone", ["check", "--download", "edge:media", cwd], cwd);
    expect(said).toContain("0 differences found");
    expect(await fileSha256(join(cwd, key))).toBe(rampSha256);
  });
});

describe("s3fs and pyarrow", () => {
  it.each(["s3fs_column", "arrow_column"])("%s of a Parquet file, by ranges", async (name) => {
    const python = join(clients, "s3fs/bin/python");
    await execute(python, [join(cases, "s3fs_cases.py"), name, base], await scratch());
  });

  it("reads a column by the README's recipe", async () => {
    const cwd = await scratch();
    const path = await recipe("s3fs.py", cwd);
    await writeFile(path, `${await readFile(path, "utf8")}print(column.num_rows)\n`);
    expect(await execute(join(clients, "s3fs/bin/python"), [path], cwd)).toContain("400000");
  });
});
