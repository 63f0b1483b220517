/**
 * nginx with its slice module and no cache, as its manual sets it up: one upstream request in flight for each client,
 * connections to the origin kept alive. A process of our own on its own port and prefix; the system's service is left alone.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../harness/port.ts";
import { start, untilListening } from "../harness/processes.ts";
import { scratchFolder } from "../harness/scratch.ts";
import type { Peer } from "./peer.ts";

const binary = "/usr/sbin/nginx";

/** Version and whether the slice module is in; `undefined` when nginx is not installed. */
export function nginxVersion(): string | undefined {
  const result = spawnSync(binary, ["-V"], { encoding: "utf8" });
  if (result.error !== undefined) return undefined;
  if (!result.stderr.includes("http_slice_module")) return undefined;
  return /nginx version: (\S+)/.exec(result.stderr)?.[1];
}

/** @param slice nginx size, "64k" or "1m" */
export async function startNginx(slice: string, originPort: number): Promise<Peer> {
  const folder = scratchFolder("nginx");
  mkdirSync(join(folder, "temp"));
  const port = await freePort();
  const config = join(folder, "nginx.conf");
  writeFileSync(config, formatConfig(folder, port, originPort, slice));
  const child = start(binary, ["-p", folder, "-c", config, "-e", "stderr"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  child.stderr?.resume();
  await untilListening(port, child);
  return { process: child, pid: child.pid ?? 0, port };
}

function formatConfig(folder: string, port: number, originPort: number, slice: string): string {
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${join(folder, "temp", name)};`)
    .join("\n  ");
  return `daemon off;
worker_processes 1;
user root;
pid ${join(folder, "nginx.pid")};
events { worker_connections 4096; }
http {
  access_log off;
  ${temp}
  upstream origin { server 127.0.0.1:${originPort}; keepalive 32; }
  server {
    listen 127.0.0.1:${port};
    location / {
      slice ${slice};
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Range $slice_range;
      proxy_cache off;
    }
  }
}
`;
}
