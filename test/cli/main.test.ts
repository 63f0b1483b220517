/** The command line as a process: arguments, pipes, exit codes. `npx` is a stand-in on the path. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { tail } from "../../cli/tail.ts";
import { syntheticRecord, tailItem } from "./support/tail-items.ts";

const main = resolve(import.meta.dirname, "../../cli/main.ts");
const item = JSON.stringify(tailItem([[syntheticRecord({ parts: 3 })]]), undefined, 2);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-readahead-cli-"));
  await writeFile(join(folder, "item.json"), item);
  await writeFile(
    join(folder, "npx"),
    `#!/bin/sh\necho "$@" > "${folder}/arguments"\necho "Connected to my-worker"\ncat "${folder}/item.json"\nexit \${NPX_EXIT:-0}\n`,
  );
  await chmod(join(folder, "npx"), 0o755);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** @param output A file to write to instead of a pipe */
async function run(
  args: readonly string[],
  input = "",
  env: Record<string, string> = {},
  output?: string,
) {
  const to = output === undefined ? "" : ` > "${output}"`;
  const child = spawn("sh", ["-c", `exec "$0" "$@"${to}`, process.execPath, main, ...args], {
    env: { ...process.env, PATH: `${folder}${delimiter}${process.env["PATH"] ?? ""}`, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (piece) => {
    out += String(piece);
  });
  child.stderr.on("data", (piece) => {
    err += String(piece);
  });
  child.stdin.end(input);
  const code = await new Promise((done) => child.once("close", done));
  return { code, out, err };
}

describe("edge-readahead", () => {
  it("reads a tail from a pipe", async () => {
    const { code, out, err } = await run(["tail", "--all"], item);
    expect(code).toBe(0);
    expect(out).toContain("files/film.mp4");
    expect(out).toContain("part  from");
    expect(err).toBe("1 download\n");
  });

  it("runs wrangler tail itself where a Worker is named, and hands its options on", async () => {
    const { code, out, err } = await run(["tail", "my-worker", "--", "--search", "edge-readahead"]);
    expect(code).toBe(0);
    expect((await readFile(join(folder, "arguments"), "utf8")).trim()).toBe(
      "wrangler tail --format json my-worker --search edge-readahead",
    );
    expect(out).toContain("files/film.mp4");
    expect(err).toBe("1 download, 1 line skipped\n");
  });

  it("runs wrangler tail itself where its input is a terminal", async () => {
    vi.stubEnv("PATH", `${folder}${delimiter}${process.env["PATH"] ?? ""}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    let out = "";
    const write = (text: string) => {
      out += text;
    };
    const input = Object.assign(Readable.from([]), { isTTY: true });
    const code = await tail([], { input, out: write, err: () => {}, env: {} });
    expect(code).toBe(0);
    expect((await readFile(join(folder, "arguments"), "utf8")).trim()).toBe(
      "wrangler tail --format json",
    );
    expect(out).toContain("files/film.mp4");
  });

  it("ends as wrangler tail ends", async () => {
    expect((await run(["tail", "my-worker"], "", { NPX_EXIT: "3" })).code).toBe(3);
  });

  it("ends quietly when its output is closed", async () => {
    const child = spawn("sh", ["-c", `"${process.execPath}" "${main}" tail --all | head -c 1`], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    let err = "";
    child.stderr.on("data", (piece) => {
      err += String(piece);
    });
    child.stdin.on("error", () => {});
    child.stdin.end(`${item}\n`.repeat(500));
    await new Promise((done) => child.once("close", done));
    expect(err).not.toContain("EPIPE");
  });

  it.runIf(existsSync("/dev/full")).each([
    ["sign", "https://edge.example/files/a"],
    ["tail", "--all"],
  ])("says why it could not write, when it cannot: %s", async (...args) => {
    const env = { EDGE_READAHEAD_LINK_SECRET: "0123456789abcdef0123456789abcdef" };
    const { code, out, err } = await run(args, item, env, "/dev/full");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^Could not write: ENOSPC/m);
  });

  it("ends the wrangler that it runs when its output is closed", async () => {
    const pid = join(folder, "pid");
    const waiting = await mkdtemp(join(tmpdir(), "edge-readahead-cli-"));
    await writeFile(
      join(waiting, "npx"),
      `#!/bin/sh\necho $$ > "${pid}"\nwhile cat "${folder}/item.json"; do sleep 0.1; done\n`,
    );
    await chmod(join(waiting, "npx"), 0o755);
    const command = `"${process.execPath}" "${main}" tail my-worker --all | head -c 1`;
    const path = `${waiting}${delimiter}${process.env["PATH"] ?? ""}`;
    const child = spawn("sh", ["-c", command], {
      env: { ...process.env, PATH: path },
      stdio: "ignore",
    });
    await new Promise((done) => child.once("close", done));
    const wrangler = Number(await readFile(pid, "utf8"));
    await vi.waitFor(() => expect(() => process.kill(wrangler, 0)).toThrow(/ESRCH/), 10_000);
    await rm(waiting, { recursive: true });
  });

  it("says which version it is", async () => {
    const { version } = JSON.parse(
      await readFile(resolve(import.meta.dirname, "../../package.json"), "utf8"),
    );
    for (const option of ["--version", "-v"])
      expect(await run([option])).toMatchObject({ code: 0, out: `${version}\n` });
  });

  it("says what there is", async () => {
    expect((await run(["--help"])).out).toContain("tail");
    const wrong = await run(["frobnicate"]);
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain('There is no command "frobnicate"');
    expect((await run([])).code).toBe(2);
  });
});
