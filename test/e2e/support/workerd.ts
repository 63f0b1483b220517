/**
 * Runs one Worker under bare workerd, without wrangler or miniflare: a generated capnp file, a free port, one process.
 *
 * Used by the end-to-end tests and by the benchmark. It does not build the Worker, and knows nothing of what the Worker
 * does. R2 bindings do not exist here (their local simulator is miniflare's): use `wrangler dev` for those.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

/** What a name in `env` is: JSON, text, another HTTP server behind a Fetcher, or a service of `extraServices`. */
export type Binding =
  | { readonly json: unknown }
  | { readonly text: string }
  | { readonly external: string }
  | { readonly service: string };

export interface WorkerdOptions {
  /** The ES module to run. Default: `dist/worker.js`. */
  readonly script?: string;
  /** The `MOUNTS` variable, as an object (JSON text is passed with `bindings`). */
  readonly mounts?: unknown;
  readonly limits?: unknown;
  /** Secrets, as text bindings. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly bindings?: Readonly<Record<string, Binding>>;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  readonly compatibilityDate?: string;
  readonly compatibilityFlags?: readonly string[];
  /** Adds a Tail Worker that writes what was logged as JSON, for `records()`. Default false: it costs CPU. */
  readonly keepRecords?: boolean;
  /** Further lines of the capnp `services` list, e.g. a tail consumer; their modules are given in `extraModules`. */
  readonly extraServices?: string;
  /** Further fields of the main worker, e.g. `tails = ["collector"]`. */
  readonly extraFields?: string;
  /** File name in the configuration's folder -> source text, for `embed`. */
  readonly extraModules?: Readonly<Record<string, string>>;
}

export interface Workerd {
  /** `http://127.0.0.1:PORT`, without a trailing slash. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Everything the process has written so far, one element a line. */
  readonly lines: readonly string[];
  /** The `console.log` objects with the marker of the summary record, in order. Needs `keepRecords`. */
  records(): Record<string, unknown>[];
  /** Resolves with the first line, past or to come, that `matches`. Rejects after `timeoutMs` (default 10 s). */
  line(matches: (line: string) => boolean, timeoutMs?: number): Promise<string>;
  /** Ends the process and removes its files; idempotent. */
  close(): Promise<void>;
}

const root = resolve(import.meta.dirname, "../../..");

/** Starts workerd and resolves once its socket listens. @throws Error with what the process wrote, when it ends first */
export async function startWorkerd(options: WorkerdOptions = {}): Promise<Workerd> {
  const folder = await mkdtemp(join(tmpdir(), "edge-readahead-workerd-"));
  try {
    await copyFile(options.script ?? join(root, "dist/worker.js"), join(folder, "worker.js"));
    if (options.keepRecords === true) await writeFile(join(folder, "collector.js"), collector);
    for (const [name, text] of Object.entries(options.extraModules ?? {}))
      await writeFile(join(folder, name), text);
    await writeFile(join(folder, "config.capnp"), capnp(options));
    return await listen(folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function listen(folder: string): Promise<Workerd> {
  const binary = join(root, "node_modules/.bin/workerd");
  const child = spawn(binary, ["serve", "--control-fd=3", "config.capnp"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const waiting = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) throw new Error("workerd was started without pipes");
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      for (const tell of waiting) tell(line);
    });
  }
  const port = await listeningPort(child, lines);
  const pid = child.pid;
  if (pid === undefined) throw new Error("workerd has no process id");
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= end(child).then(() => rm(folder, { recursive: true, force: true }));
    return closing;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid,
    lines,
    records: () => lines.flatMap(parseRecord),
    line: (matches, timeoutMs = 10_000) =>
      new Promise((done, fail) => {
        const seen = lines.find(matches);
        if (seen !== undefined) return done(seen);
        const tell = (line: string) => {
          if (!matches(line)) return;
          clearTimeout(timer);
          waiting.delete(tell);
          done(line);
        };
        const timer = setTimeout(() => {
          waiting.delete(tell);
          fail(new Error(`No such line within ${timeoutMs} ms:\n${lines.join("\n")}`));
        }, timeoutMs);
        waiting.add(tell);
      }),
    close,
  };
}

/** workerd prints an object as `util.inspect` does; only a Tail Worker sees it as it is. */
const collector = `export default {
  tail(items) {
    for (const item of items)
      for (const log of item.logs)
        for (const value of [log.message].flat())
          if (value?.record === "edge-readahead") console.log("RECORD " + JSON.stringify(value));
  },
};`;

function parseRecord(line: string): Record<string, unknown>[] {
  if (!line.includes("RECORD ")) return [];
  const entry: unknown = JSON.parse(line);
  if (typeof entry !== "object" || entry === null || !("message" in entry)) return [];
  const record: unknown = JSON.parse(String(entry.message).slice("RECORD ".length));
  return typeof record === "object" && record !== null ? [{ ...record }] : [];
}

/** The control channel tells the port that the kernel chose. */
function listeningPort(child: ChildProcess, lines: readonly string[]): Promise<number> {
  return new Promise((done, fail) => {
    const control = child.stdio[3];
    if (control === null || control === undefined || !("read" in control))
      return fail(new Error("workerd was started without its control channel"));
    createInterface({ input: control }).on("line", (line) => {
      const event: unknown = JSON.parse(line);
      if (typeof event === "object" && event !== null && "port" in event) done(Number(event.port));
    });
    child.once("error", fail);
    child.once("exit", (code, signal) =>
      fail(new Error(`workerd ended (${code ?? signal}) before it listened:\n${lines.join("\n")}`)),
    );
  });
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) return done();
    const hard = setTimeout(() => child.kill("SIGKILL"), 2000);
    child.once("exit", () => {
      clearTimeout(hard);
      done();
    });
    child.kill("SIGTERM");
  });
}

function capnp(options: WorkerdOptions): string {
  const bindings: [string, Binding][] = Object.entries(options.bindings ?? {});
  if (options.mounts !== undefined) bindings.push(["MOUNTS", { json: options.mounts }]);
  if (options.limits !== undefined) bindings.push(["LIMITS", { json: options.limits }]);
  for (const [name, text] of Object.entries(options.secrets ?? {})) bindings.push([name, { text }]);
  const external = bindings.flatMap(([name, binding]) =>
    "external" in binding
      ? [
          `(name = ${quote(`to-${name}`)}, external = (address = ${quote(binding.external)}, http = ()))`,
        ]
      : [],
  );
  const services = [
    '(name = "main", worker = .main)',
    '(name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true)))',
    ...external,
    ...(options.keepRecords === true ? ['(name = "collector", worker = .collector)'] : []),
    ...(options.extraServices === undefined ? [] : [options.extraServices]),
  ];
  const flags = options.compatibilityFlags ?? ["enable_request_signal"];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${services.join(",\n    ")}],
  sockets = [(name = "http", address = "127.0.0.1:${options.port ?? 0}", http = (), service = "main")],
  structuredLogging = true,
);
const main :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = ${quote(options.compatibilityDate ?? "2026-10-23")},
  compatibilityFlags = [${flags.map(quote).join(", ")}],
  bindings = [${bindings.map(([name, binding]) => `(name = ${quote(name)}, ${bindingField(name, binding)})`).join(",\n    ")}],
  ${options.keepRecords === true ? 'tails = ["collector"],' : ""}
  ${options.extraFields ?? ""}
);
${options.keepRecords === true ? `const collector :Workerd.Worker = (modules = [(name = "c", esModule = embed "collector.js")], compatibilityDate = "2026-10-23");` : ""}
`;
}

function bindingField(name: string, binding: Binding): string {
  if ("json" in binding) return `json = ${quote(JSON.stringify(binding.json))}`;
  if ("text" in binding) return `text = ${quote(binding.text)}`;
  if ("service" in binding) return `service = ${quote(binding.service)}`;
  return `service = ${quote(`to-${name}`)}`;
}

/** A capnp text literal: JSON's escapes but for \\u, which the schema language lacks; UTF-8 passes as it is. */
function quote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
