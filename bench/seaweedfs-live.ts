/**
 * Our Worker against a pass-through one in front of a real SeaweedFS: seconds, and what the cluster's own processes
 * spend. The addresses of a running cluster on this machine come from SEAWEEDFS_FILER and SEAWEEDFS_MASTER:
 *
 *     node bench/seaweedfs-live.ts [--rounds 5] [--bytes 1073741824]
 *         [--delays 0,20,50 --relay 127.0.0.1:8080=127.0.0.2:8080 --forward 127.0.0.1:18080=127.0.0.2:18080]
 *
 * It stores one object in 4 MiB chunks (removed at the end) and reads it through both Workers by turns, every second
 * round the other way round. The cluster is every process with `weed` as its program; its CPU is user and system time
 * of `/proc/<pid>/stat` over the run.
 *
 * Volume servers are "away" when all that reach them do so through a relay that holds the start of every answer back:
 * started with `-ip=127.0.0.1 -ip.bind=127.0.0.2` they advertise the relay's address, and filer and Worker wait alike.
 * The relay's CPU is no part of the cluster's, but it takes from the same cores.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { basename } from "node:path";
import { parseArgs, promisify } from "node:util";
import { builtWorker, bundleWorker } from "./harness/bundle.ts";
import { startWorkerd } from "./workerd.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    delays: { type: "string", default: "0" },
    bytes: { type: "string", default: String(2 ** 30) },
    relay: { type: "string", multiple: true, default: [] },
    forward: { type: "string", multiple: true, default: [] },
  },
});
const filer = new URL(process.env["SEAWEEDFS_FILER"] ?? "");
const master = new URL(process.env["SEAWEEDFS_MASTER"] ?? "");
const bytes = Number(options.bytes);
const path = `/edge-readahead-bench/${Date.now().toString(36)}.bin`;
/** USER_HZ of every Linux that Node runs on. */
const ticksPerSecond = 100;

interface Run {
  readonly seconds: number;
  readonly cpuPerGiB: number;
}

/** User and system time of all `weed` processes so far, seconds. */
function clusterCpu(): number {
  let ticks = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (basename(readlinkSync(`/proc/${pid}/exe`)) !== "weed") continue;
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // Ended while we looked, or another user's.
    }
  }
  return ticks / ticksPerSecond;
}

async function* rampBlocks(): AsyncGenerator<Uint8Array> {
  const block = Uint8Array.from({ length: 251 * 4096 }, (_, i) => i % 251);
  for (let at = 0; at < bytes; at += block.length) yield block.subarray(0, bytes - at);
}

/** One whole download by curl, a process of its own that discards what comes. */
async function download(url: string): Promise<Run> {
  const cpu = clusterCpu();
  const args = ["-s", "-o", "/dev/null", "-w", "%{http_code} %{size_download} %{time_total}", url];
  const { stdout } = await promisify(execFile)("curl", args);
  const [status, length, seconds] = stdout.split(" ").map(Number);
  if (status !== 200 || length !== bytes || seconds === undefined)
    throw new Error(`The answer was ${stdout}, not 200 and ${bytes} bytes`);
  return { seconds, cpuPerGiB: ((clusterCpu() - cpu) * 2 ** 30) / bytes };
}

/** Reads the object once and compares blocks' first bytes with the ramp. */
async function check(url: string): Promise<void> {
  const { body } = await fetch(url);
  let length = 0;
  for await (const block of body ?? []) {
    if (block[0] !== length % 251) throw new Error(`A wrong byte at ${length}`);
    length += block.byteLength;
  }
}

/** How long relays hold the start of an answer back, ms. */
let delayMs = 0;

/** @param pair Where to listen, and where to connect to: `host:port=host:port` */
function startRelay(pair: string, delays: boolean): Promise<void> {
  const [from, to] = pair.split("=").map((text) => URL.parse(`http://${text}`));
  if (!from || !to) throw new TypeError(`A relay is host:port=host:port, not ${pair}`);
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: to.hostname, port: Number(to.port), noDelay: true });
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
    let asked = false;
    client.on("data", (data: Buffer) => {
      asked = true;
      pass(data, client, upstream);
    });
    upstream.on("data", (data: Buffer) => {
      if (!delays || !asked || delayMs === 0) {
        pass(data, upstream, client);
        return;
      }
      asked = false;
      upstream.pause();
      setTimeout(() => {
        upstream.resume();
        pass(data, upstream, client);
      }, delayMs);
    });
  });
  return new Promise((resolve) => server.listen(Number(from.port), from.hostname, resolve));
}

function pass(data: Buffer, from: Socket, to: Socket): void {
  if (to.write(data)) return;
  from.pause();
  to.once("drain", () => from.resume());
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const show = (runs: readonly Run[], what: keyof Run) => {
  const values = runs.map((run) => run[what]);
  const spread = `${Math.min(...values).toFixed(2)}-${Math.max(...values).toFixed(2)}`;
  return `${median(values)?.toFixed(2)} (${spread})`;
};

for (const pair of options.relay) await startRelay(pair, true);
for (const pair of options.forward) await startRelay(pair, false);
const stored = await fetch(new URL(`${path}?maxMB=4`, filer), {
  method: "PUT",
  body: ReadableStream.from(rampBlocks()),
  duplex: "half",
});
if (!stored.ok) throw new Error(`The filer refused the object: ${stored.status}`);
const mount = { prefix: "/weed/", source: "seaweedfs", filer: filer.href, master: master.href };
const ours = await startWorkerd(await builtWorker(), {
  MOUNTS: { weed: { ...mount, allowed_hosts: "*" } },
});
const passThrough = await startWorkerd(await bundleWorker("pass-through"), {
  ORIGIN: filer.href.replace(/\/$/, ""),
});
const addresses = {
  ours: `http://127.0.0.1:${ours.port}/weed${path}`,
  "pass-through": `http://127.0.0.1:${passThrough.port}${path}`,
};
try {
  for (delayMs of options.delays.split(",").map(Number)) {
    const runs: Record<keyof typeof addresses, Run[]> = { ours: [], "pass-through": [] };
    for (let round = 0; round <= Number(options.rounds); round++) {
      const order = ["ours", "pass-through"] as const;
      for (const name of round % 2 === 0 ? order : order.toReversed()) {
        // The first round warms both Workers and the page cache.
        if (round === 0) await check(addresses[name]);
        else runs[name].push(await download(addresses[name]));
      }
    }
    for (const [name, list] of Object.entries(runs)) {
      const cpu = show(list, "cpuPerGiB");
      console.log(`${delayMs} ms, ${name}: ${show(list, "seconds")} s, cluster ${cpu} CPU s a GiB`);
    }
    const over = (what: keyof Run) => {
      const of = (list: readonly Run[]) => median(list.map((run) => run[what])) ?? 0;
      return (of(runs.ours) / of(runs["pass-through"])).toFixed(2);
    };
    console.log(
      `${delayMs} ms, ours over pass-through: time ${over("seconds")}, CPU ${over("cpuPerGiB")}`,
    );
  }
} finally {
  await fetch(new URL(path, filer), { method: "DELETE" });
}
process.exit(0);
