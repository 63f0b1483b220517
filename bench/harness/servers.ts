/** Turns a {@link ServerSpec} into a running process that answers for the origin's objects. */
import { kekHex } from "../origin/seaweedfs-keys.ts";
import { startNginx } from "../peers/nginx.ts";
import { startTrafficServer } from "../peers/trafficserver.ts";
import { startWorkerd } from "../workerd.ts";
import { builtWorker, bundleWorker } from "./bundle.ts";
import { end } from "./processes.ts";
import type { ServerSpec } from "./suite.ts";

/** What the isolate's budget holds, as the counted entry of our Worker tells it. Bytes. */
export interface Held {
  readonly held: number;
  readonly peak: number;
  readonly limit: number;
  readonly leases: number;
  readonly open: number;
}

export interface RunningServer {
  readonly port: number;
  /** What comes before the origin's path. */
  readonly prefix: string;
  /** Process whose CPU and memory count; `undefined` for the origin itself. */
  readonly pid: number | undefined;
  takeLog(): string;
  held(): Promise<Held | undefined>;
  stop(): Promise<void>;
}

export async function startServer(spec: ServerSpec, originPort: number): Promise<RunningServer> {
  const origin = `http://127.0.0.1:${originPort}`;
  switch (spec.kind) {
    case "origin":
      return {
        port: originPort,
        prefix: "",
        pid: undefined,
        takeLog: () => "",
        held: async () => undefined,
        stop: async () => {},
      };
    case "baseline": {
      const pipe = "partBytes" in spec ? { PART_BYTES: spec.partBytes, WINDOW: spec.window } : {};
      const vars = { ORIGIN: origin, ...pipe };
      return running(await startWorkerd(await bundleWorker(spec.worker), vars), "");
    }
    case "ours": {
      const module = spec.counted === true ? await bundleWorker("ours") : await builtWorker();
      const http = { prefix: "/o/", source: "http", url: `${origin}/` };
      const weed = { ...weedMount(origin), ...spec.seaweedfs };
      const mounts = { origin: http, ...(spec.seaweedfs === undefined ? {} : { weed }) };
      const vars = { MOUNTS: mounts, LIMITS: spec.limits ?? {}, KEK: kekHex };
      const server = running(await startWorkerd(module, vars), "/o");
      if (spec.counted !== true) return server;
      const held = async () => {
        const response = await fetch(`http://127.0.0.1:${server.port}/__held`);
        return (await response.json()) as Held;
      };
      return { ...server, held };
    }
    case "nginx":
      return running({ ...(await startNginx(spec.slice, originPort)), takeLog: () => "" }, "");
    case "trafficserver": {
      const peer = await startTrafficServer(spec.slice, spec.prefetch, originPort);
      return running({ ...peer, takeLog: () => "" }, "");
    }
  }
}

function running(
  server: Pick<RunningServer, "port" | "takeLog"> & {
    readonly pid: number;
    readonly process: Parameters<typeof end>[0];
  },
  prefix: string,
): RunningServer {
  return {
    port: server.port,
    pid: server.pid,
    prefix,
    takeLog: server.takeLog,
    held: async () => undefined,
    stop: () => end(server.process),
  };
}

/** A SeaweedFS mount over the origin's face of a cluster. */
function weedMount(origin: string): Readonly<Record<string, string>> {
  return {
    prefix: "/o/weed/",
    source: "seaweedfs",
    filer: `${origin}/`,
    master: `${origin}/`,
    root: "/weed",
    sse_kek_secret: "KEK",
  };
}
