/**
 * Where our Worker's CPU goes: `node bench/profile.ts [--bytes N] [--latency MS] [--limits JSON] [--clients N] [--out FILE]`
 *
 * Downloads from the origin through our Worker with V8's profiler on (workerd's inspector), then prints the functions
 * by self time, and the share of the process's CPU that JavaScript is. `(program)` is native code: kj, the kernel, the
 * copying of bytes. The source is bundled with names kept. `--out` writes a `.cpuprofile` for a browser's developer tools.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { GiB } from "../test/support/units.ts";
import { bundleWorker } from "./harness/bundle.ts";
import { startClients } from "./harness/clients.ts";
import { startOrigin } from "./harness/origin.ts";
import { freePort } from "./harness/port.ts";
import { cpuSeconds, endAll } from "./harness/processes.ts";
import { startWorkerd } from "./workerd.ts";

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
}

/** `Profiler.stop` of the Chrome DevTools Protocol, as far as it is used. Times in microseconds. */
interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const { values: options } = parseArgs({
  options: {
    bytes: { type: "string", default: String(GiB) },
    latency: { type: "string", default: "0" },
    limits: { type: "string", default: "{}" },
    clients: { type: "string", default: "1" },
    out: { type: "string" },
  },
});

async function main(): Promise<void> {
  const origin = await startOrigin();
  const clients = startClients();
  await origin.setProfile("profiled", { latencyMs: Number(options.latency) });
  const inspectorPort = await freePort();
  const mount = { prefix: "/o/", source: "http", url: `http://127.0.0.1:${origin.port}/` };
  const limits: unknown = JSON.parse(options.limits);
  const bundle = await bundleWorker("ours");
  const server = await startWorkerd(bundle, { MOUNTS: { origin: mount }, LIMITS: limits }, [
    `--inspector-addr=127.0.0.1:${inspectorPort}`,
  ]);
  const get = (name: string) => {
    const path = `/o${origin.path("profiled", Number(options.bytes), name)}`;
    return { target: { port: server.port, path }, reading: { limitMs: 120_000 } };
  };
  await clients.run([get("warm-up")]);
  const inspector = await connectInspector(inspectorPort);
  await inspector.call("Profiler.enable");
  await inspector.call("Profiler.setSamplingInterval", { interval: 200 });
  await inspector.call("Profiler.start");
  const cpuBefore = cpuSeconds(server.pid);
  const count = Number(options.clients);
  const results = await clients.run(Array.from({ length: count }, (_, i) => get(`profiled-${i}`)));
  const cpu = cpuSeconds(server.pid) - cpuBefore;
  const { profile } = (await inspector.call("Profiler.stop")) as { profile: CpuProfile };
  inspector.close();
  const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
  const seconds = Math.max(...results.map((result) => result.totalMs)) / 1000;
  const problem = results.find((result) => !result.complete)?.problem;
  console.log(
    `${(bytes / 1e6 / seconds).toFixed(0)} MB/s, process CPU ${((cpu / bytes) * GiB).toFixed(2)} s/GiB${problem === undefined ? "" : `, failed: ${problem}`}\n`,
  );
  printSelfTimes(profile, bytes / GiB, sourceFiles(bundle));
  if (options.out !== undefined) writeFileSync(options.out, JSON.stringify(profile));
}

/** The source file of every line of the bundle: esbuild writes its name above each. */
function sourceFiles(bundle: string): readonly string[] {
  let file = "";
  return readFileSync(bundle, "utf8")
    .split("\n")
    .map((line) => {
      file = /^\/\/ ((?:src|node_modules|bench)\/\S+)$/.exec(line)?.[1] ?? file;
      return file;
    });
}

function printSelfTimes(profile: CpuProfile, gib: number, files: readonly string[]): void {
  const names = new Map<number, string>();
  for (const { id, callFrame } of profile.nodes) {
    const { functionName, lineNumber, url } = callFrame;
    const file = url === "" ? "native" : (files[lineNumber] ?? "");
    names.set(id, `${functionName || "(anonymous)"}  ${file}`);
  }
  const times = new Map<string, number>();
  for (const [i, sample] of profile.samples.entries()) {
    const name = names.get(sample) ?? "?";
    times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas[i] ?? 0));
  }
  const rows = [...times]
    .filter(([name]) => !name.startsWith("(idle)"))
    .toSorted((a, b) => b[1] - a[1]);
  console.log("ms/GiB  function  file");
  for (const [name, micros] of rows.slice(0, 40))
    console.log(`${(micros / 1000 / gib).toFixed(1).padStart(6)}  ${name}`);
}

interface Inspector {
  call(method: string, params?: object): Promise<unknown>;
  close(): void;
}

async function connectInspector(port: number): Promise<Inspector> {
  const response = await fetch(`http://127.0.0.1:${port}/json`);
  const targets = (await response.json()) as { readonly webSocketDebuggerUrl: string }[];
  const target = targets.find(({ webSocketDebuggerUrl }) => webSocketDebuggerUrl.endsWith("main"));
  const url = (target ?? targets[0])?.webSocketDebuggerUrl;
  if (url === undefined) throw new Error("workerd's inspector shows no Worker");
  const socket = new WebSocket(url);
  const waiting = new Map<number, (value: unknown) => void>();
  let nextId = 1;
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(String(event.data)) as { id?: number; result?: unknown };
    if (message.id !== undefined) waiting.get(message.id)?.(message.result);
  });
  await new Promise((done, fail) => {
    socket.addEventListener("open", done);
    socket.addEventListener("error", () => fail(new Error("workerd's inspector refused")));
  });
  return {
    call(method, params = {}) {
      return new Promise((done) => {
        const id = nextId++;
        waiting.set(id, done);
        socket.send(JSON.stringify({ id, method, params }));
      });
    },
    close: () => socket.close(),
  };
}

let code = 0;
try {
  await main();
} catch (error) {
  console.error(error);
  code = 1;
}
await endAll();
process.exit(code);
