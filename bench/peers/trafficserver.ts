/**
 * Apache Traffic Server with its slice and cache_range_requests plugins, in a run root of its own.
 *
 * Its prefetch warms the cache behind the block that the client reads, so the cache must be on; it is cold because every
 * run asks for a name that was never asked for before. The cache lies in the temporary folder and is as large as it
 * needs to be for one run (it wraps around).
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../harness/port.ts";
import { start, untilListening } from "../harness/processes.ts";
import { scratchFolder } from "../harness/scratch.ts";
import type { Peer } from "./peer.ts";

const binary = "/usr/bin/traffic_server";
const plugins = "/usr/lib/trafficserver/modules";

/** `undefined` when Traffic Server or its slice plugin is not installed. */
export function trafficServerVersion(): string | undefined {
  if (!existsSync(join(plugins, "slice.so"))) return undefined;
  const result = spawnSync(binary, ["--version"], { encoding: "utf8" });
  if (result.error !== undefined) return undefined;
  return /traffic_server - (\S+)/.exec(result.stdout + result.stderr)?.[1];
}

/**
 * @param slice Block size as the plugin writes it: "64k", "1m"
 * @param prefetch Blocks fetched into the cache ahead of the client; 0 turns it off
 */
export async function startTrafficServer(
  slice: string,
  prefetch: number,
  originPort: number,
): Promise<Peer> {
  const folder = scratchFolder("ats");
  const place = (name: string) => join(folder, name);
  for (const name of ["etc", "run", "log", "cache"]) mkdirSync(place(name));
  cpSync("/etc/trafficserver", place("etc"), { recursive: true, dereference: true });
  const port = await freePort();
  writeFileSync(place("etc/records.config"), formatRecords(port));
  writeFileSync(place("etc/remap.config"), formatRemap(port, originPort, slice, prefetch));
  writeFileSync(place("etc/storage.config"), `${place("cache")} 1G\n`);
  writeFileSync(place("etc/plugin.config"), "");
  writeFileSync(place("runroot.yaml"), formatRunRoot(folder));
  const child = start(binary, [`--run-root=${place("runroot.yaml")}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  child.stderr?.resume();
  await untilListening(port, child);
  return { process: child, pid: child.pid ?? 0, port };
}

function formatRunRoot(folder: string): string {
  const at = (name: string) => join(folder, name);
  return `prefix: ${folder}
exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: ${at("etc")}
datadir: ${at("cache")}
includedir: /usr/include
libdir: /usr/lib
libexecdir: ${plugins}
localstatedir: ${at("run")}
runtimedir: ${at("run")}
logdir: ${at("log")}
cachedir: ${at("cache")}
`;
}

function formatRemap(port: number, originPort: number, slice: string, prefetch: number): string {
  const ahead = prefetch === 0 ? "" : ` @pparam=--prefetch-count=${prefetch}`;
  return `map / http://127.0.0.1:${originPort}/ @plugin=slice.so @pparam=--blockbytes-test=${slice}${ahead} @plugin=cache_range_requests.so\n`;
}

function formatRecords(port: number): string {
  return `CONFIG proxy.config.http.server_ports STRING ${port}:ip-in=127.0.0.1
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 2
CONFIG proxy.config.accept_threads INT 0
CONFIG proxy.config.http.cache.http INT 1
CONFIG proxy.config.http.cache.required_headers INT 0
CONFIG proxy.config.cache.ram_cache.size INT 512M
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.reverse_proxy.enabled INT 1
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.diags.debug.enabled INT 0
CONFIG proxy.config.http.wait_for_cache INT 2
CONFIG proxy.config.crash_log_helper STRING NULL
`;
}
