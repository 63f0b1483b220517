/**
 * Starts a bare workerd with one Worker on a port of its choice: no wrangler, no proxy in front, nothing but the
 * compatibility date and the flag the project promises to run with.
 *
 * Also a program: `node bench/workerd.ts <module.js> '<vars as JSON>'` starts one, prints its address, and ends on Ctrl-C.
 */
import type { ChildProcess } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { start } from "./harness/processes.ts";
import { scratchFolder } from "./harness/scratch.ts";

const compatibilityDate = "2026-10-23";
const compatibilityFlags = ["enable_request_signal"];

export interface Workerd {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly port: number;
  /** What the Worker wrote to the console since the last call; the newest 4 MiB. */
  takeLog(): string;
}

/** The workerd that npm installed: the one of wrangler and the tests. */
export function workerdBinary(): string {
  const require = createRequire(import.meta.url);
  const entry: unknown = require("workerd");
  if (typeof entry === "object" && entry !== null && "default" in entry)
    return String(entry.default);
  throw new Error("Could not find the workerd binary: run npm ci");
}

/**
 * Starts workerd with one ES module.
 *
 * @param vars Each becomes a JSON binding
 * @param args Further arguments of `workerd serve`
 * @throws Error when workerd ends or does not listen within 15 s
 */
export async function startWorkerd(
  modulePath: string,
  vars: Readonly<Record<string, unknown>>,
  args: readonly string[] = [],
): Promise<Workerd> {
  const folder = scratchFolder("workerd");
  const config = join(folder, "config.capnp");
  // Cap'n Proto's embed takes no absolute path.
  copyFileSync(resolve(modulePath), join(folder, "worker.js"));
  writeFileSync(config, formatConfig(vars));
  const child = start(workerdBinary(), ["serve", "--control-fd=3", ...args, config], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (data: Buffer) => {
      log = (log + data.toString()).slice(-4 * 1024 * 1024);
    });
  const port = await listeningPort(child, () => log);
  return {
    process: child,
    pid: child.pid ?? 0,
    port,
    takeLog() {
      const text = log;
      log = "";
      return text;
    },
  };
}

/** workerd writes a line of JSON to the control descriptor when its socket listens. */
function listeningPort(child: ChildProcess, log: () => string): Promise<number> {
  return new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error(`workerd does not listen: ${log()}`)), 15_000);
    let text = "";
    const control = child.stdio[3] as Readable | null | undefined;
    control?.on("data", (data: Buffer) => {
      text += data.toString();
      const port = /"event":"listen","socket":"http","port":(\d+)/.exec(text)?.[1];
      if (port === undefined) return;
      clearTimeout(late);
      done(Number(port));
    });
    child.once("exit", () => {
      clearTimeout(late);
      fail(new Error(`workerd ended: ${log()}`));
    });
  });
}

/** Text as Cap'n Proto writes it: its escapes are those of JSON for what can stand here. */
const quote = (text: string) => JSON.stringify(text);

function formatConfig(vars: Readonly<Record<string, unknown>>): string {
  const bindings = Object.entries(vars).map(
    ([name, value]) => `(name = ${quote(name)}, json = ${quote(JSON.stringify(value))})`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = ${quote(compatibilityDate)},
  compatibilityFlags = [${compatibilityFlags.map(quote).join(", ")}],
  bindings = [${bindings.join(", ")}],
);
`;
}

if (import.meta.main) {
  const [module = "", vars = "{}"] = process.argv.slice(2);
  const { port } = await startWorkerd(module, JSON.parse(vars) as Record<string, unknown>);
  console.log(`http://127.0.0.1:${port}`);
}
