/**
 * `npm start`: the Worker in `wrangler dev`, offline, with samples in a local R2 bucket and an HTTP origin whose delay
 * can be set, so that read-ahead and cancellation can be felt. Prints what to try; Ctrl-C ends everything.
 *
 * Mounts of wrangler.toml stay as they are; the samples' mounts are added. Data lie under
 * `.wrangler/state` and are written once. Flags: `start-flags.ts`, or `npm start -- --help`.
 */
import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MiB } from "../test/support/units.ts";
import { type Origin, startOrigin } from "./origin.ts";
import { createSamples } from "./samples.ts";
import { seed } from "./seed.ts";
import { startExtras } from "./start-extras.ts";
import { readFlags } from "./start-flags.ts";
import { readWranglerConfig } from "./wrangler-config.ts";

const root = resolve(import.meta.dirname, "..");
const { port, originPort, delayMs, rampMib, persistTo, empty, quiet } = readFlags();
const base = `http://127.0.0.1:${port}`;

let origin: Origin | undefined;
let release: (() => void) | undefined;
let stopping: Promise<void> | undefined;
const closers: (() => Promise<void>)[] = [];

await requireFree(port, "--port", "PORT");
await requireFree(originPort, "--origin-port", "ORIGIN_PORT");
const samples = createSamples(rampMib * MiB);
origin = await startOrigin({ port: originPort, delayMs, samples });
const extras = await startExtras({ base, delayMs });
closers.push(() => extras.close());

const config = await readWranglerConfig(join(root, "wrangler.toml"));
const wrangler = startWrangler(mergeMounts({ ...sampleMounts(), ...extras.mounts }, config.vars));
const works = await ready();
if (!empty) await seed({ base, bucket: bucketName(), samples, log: console.log });
if (works && !quiet) printWelcome();

// npm may be killed without a word to us.
const runner = npmProcess();
setInterval(() => {
  if (runner !== undefined && !isAlive(runner)) void stop(0);
}, 500).unref();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => void stop(0));

function startWrangler(mounts: Record<string, unknown>): Promise<number> {
  const args = ["dev", "--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"];
  args.push("--show-interactive-dev-session=false", "--persist-to", persistTo);
  args.push("--var", `MOUNTS:${JSON.stringify(mounts)}`);
  for (const [name, secret] of Object.entries(extras.secrets)) args.push(`${name}:${secret}`);
  if (quiet) args.push("--log-level", "error");
  const child = spawn(
    process.execPath,
    [join(root, "scripts/leash.ts"), join(root, "node_modules/.bin/wrangler"), ...args],
    { cwd: root, detached: true, stdio: ["pipe", "inherit", "inherit"], env: quietly(process.env) },
  );
  const ended = new Promise<number>((done) => {
    child.once("exit", (code) => done(code ?? 0));
    child.once("error", () => done(127));
  });
  release = () => {
    child.stdin?.end();
  };
  void ended.then((code) => {
    if (stopping === undefined) {
      console.error("wrangler dev has ended by itself.");
      return stop(code === 0 ? 1 : code);
    }
    return undefined;
  });
  return ended;
}

/** No telemetry, no banner, no look-up of `cf` over the network. Names read from wrangler 4.155's source. */
function quietly(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...env,
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
    DO_NOT_TRACK: "1",
  };
}

function sampleMounts(): Record<string, object> {
  return {
    files: {
      prefix: "/files/",
      source: "r2",
      bucket: "OBJECTS",
      explain: true,
      explain_empty: true,
    },
    origin: { prefix: "/origin/", source: "http", url: `${origin?.url}/`, explain: true },
    "origin-sequential": {
      prefix: "/origin-sequential/",
      source: "http",
      url: `${origin?.url}/`,
      window_parts: 1,
      hedge: false,
    },
  };
}

/** The mounts of wrangler.toml win, setting by setting; the samples' mounts stand beside and below them. */
function mergeMounts(
  ours: Readonly<Record<string, object>>,
  vars: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const own = vars["MOUNTS"];
  if (typeof own !== "object" || own === null) return { ...ours };
  const merged: Record<string, unknown> = { ...ours };
  for (const [name, table] of Object.entries(own)) merged[name] = { ...ours[name], ...table };
  return merged;
}

function bucketName(): string {
  const bucket = config.r2_buckets.find(({ binding }) => binding === "OBJECTS");
  return bucket?.bucket_name ?? "edge-readahead";
}

/** Waits until the Worker answers; says what, where that is a refusal. */
async function ready(): Promise<boolean> {
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline) {
    if (stopping !== undefined) break;
    try {
      const response = await fetch(`${base}/healthz`);
      const text = await response.text();
      if (!response.ok) console.error(`The Worker answers ${response.status}: ${text}`);
      return response.ok;
    } catch {
      await sleep(100);
    }
  }
  if (stopping === undefined) console.error("wrangler dev did not answer within a minute.");
  await stop(1);
  return false;
}

function printWelcome(): void {
  if (stopping !== undefined) return;
  const control = `${origin?.url}/-/`;
  console.log(`
edge-readahead runs at ${base}/   (Ctrl-C ends everything)
MOUNTS of wrangler.toml were read now: start again after a change of them, whatever wrangler says of reloading.

From the local R2 bucket:
  curl -o ramp.bin ${base}/files/ramp.bin
  curl -r 1000000-1000009 ${base}/files/ramp.bin | od -An -tu1
  curl ${base}/files/hello.txt
  a player that seeks: ${base}/files/tone.wav

From an origin that takes ${delayMs} ms to answer: first in sequence, then ahead:
  curl -o /dev/null ${base}/origin-sequential/ramp.bin
  curl -o /dev/null ${base}/origin/ramp.bin
Kill one of them, and see every request at the origin end ("open": 0):
  curl ${control}
Make the origin slower:
  curl -X POST '${control}?delay_ms=100'

What a download will do: ${base}/origin/ramp.bin?explain
Its parts as a staircase: ${base}/cdn-cgi/local/explorer
${extras.welcome}`);
}

function stop(code: number): Promise<void> {
  stopping ??= (async () => {
    process.exitCode = code;
    release?.();
    await Promise.all([origin?.close(), ...closers.map((close) => close())]);
    await wrangler;
    process.exit(code);
  })();
  return stopping;
}

async function requireFree(wanted: number, flag: string, variable: string): Promise<void> {
  const free = await new Promise<boolean>((done) => {
    const probe = createServer();
    probe.once("error", () => done(false));
    probe.listen(wanted, "127.0.0.1", () => probe.close(() => done(true)));
  });
  if (free) return;
  console.error(
    `Port ${wanted} is taken. Free it, or choose another: npm start -- ${flag} ${wanted + 10}   (or ${variable}=${wanted + 10} npm start)`,
  );
  process.exit(1);
}

/** npm runs scripts in a shell: its process is our parent's parent. */
function npmProcess(): number | undefined {
  if (process.env["npm_lifecycle_event"] === undefined) return undefined;
  const { stdout } = spawnSync("ps", ["-o", "ppid=", "-p", String(process.ppid)]);
  const pid = Number(stdout?.toString());
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
