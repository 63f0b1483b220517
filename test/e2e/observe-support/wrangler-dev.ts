/**
 * Runs Workers under `wrangler dev`, offline, from configurations written for the run into a folder of its own. Ends
 * wrangler with everything it started.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "../support/start.ts";

const root = resolve(import.meta.dirname, "../../..");

export interface WranglerDev {
  readonly url: string;
  /** Leader of the process group that wrangler and its workerd are in. */
  readonly pid: number;
  /** Everything that was printed, one element a line. */
  readonly lines: readonly string[];
  /** Resolves with the first line, past or to come, that `matches`. */
  line(matches: (line: string) => boolean, timeoutMs?: number): Promise<string>;
  close(): Promise<void>;
}

/**
 * @param files File name -> text; those that end in `.toml` are given to wrangler, in order
 */
export async function startWranglerDev(
  files: Readonly<Record<string, string>>,
): Promise<WranglerDev> {
  const folder = await mkdtemp(join(tmpdir(), "edge-readahead-wrangler-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const port = await freePort();
  const configs = Object.keys(files).filter((name) => name.endsWith(".toml"));
  const child = spawn(
    process.execPath,
    [
      join(root, "node_modules/.bin/wrangler"),
      "dev",
      ...configs.flatMap((name) => ["-c", name]),
      "--ip=127.0.0.1",
      `--port=${port}`,
      "--inspector-port=0",
      "--show-interactive-dev-session=false",
    ],
    {
      cwd: folder,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
        WRANGLER_SEND_METRICS: "false",
        NO_COLOR: "1",
      },
    },
  );
  const lines: string[] = [];
  const watchers = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      for (const watch of watchers) watch(line);
    });
  const line = (matches: (line: string) => boolean, timeoutMs = 20_000): Promise<string> =>
    new Promise((done, fail) => {
      const seen = lines.find(matches);
      if (seen !== undefined) return done(seen);
      const timer = setTimeout(() => {
        watchers.delete(watch);
        fail(new Error(`No such line within ${timeoutMs} ms:\n${lines.join("\n")}`));
      }, timeoutMs);
      function watch(text: string): void {
        if (!matches(text)) return;
        clearTimeout(timer);
        watchers.delete(watch);
        done(text);
      }
      watchers.add(watch);
    });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= end(child).then(() => rm(folder, { recursive: true, force: true }));
    return closing;
  };
  try {
    await line((text) => text.includes("Ready on"), 60_000);
  } catch (error) {
    await close();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}`, pid: child.pid ?? 0, lines, line, close };
}

/** The process group: wrangler leaves its workerd behind when only it is told. */
function end(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    const { pid } = child;
    if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return done();
    const hard = setTimeout(() => process.kill(-pid, "SIGKILL"), 5000);
    child.once("exit", () => {
      clearTimeout(hard);
      done();
    });
    process.kill(-pid, "SIGTERM");
  });
}
