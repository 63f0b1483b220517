/** What the figures were measured on and with, in words that name no host. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { cpus, release, totalmem } from "node:os";
import { GiB } from "../../test/support/units.ts";
import { nginxVersion } from "../peers/nginx.ts";
import { trafficServerVersion } from "../peers/trafficserver.ts";
import { workerdBinary } from "../workerd.ts";

export interface Setting {
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
}

export function describeSetting(): Setting {
  const processors = cpus();
  const kernel = release().split(".").slice(0, 2).join(".");
  const memory = Math.round(totalmem() / GiB);
  return {
    machine: `${processors.length} cores (${processors[0]?.model.trim() ?? "unknown"}), ${memory} GiB, Linux ${kernel}, loopback`,
    versions: {
      workerd: workerdVersion(),
      node: process.versions.node,
      curl: /curl (\S+)/.exec(run("curl", "--version"))?.[1] ?? "not installed",
      nginx: nginxVersion() ?? "not installed",
      trafficserver: trafficServerVersion() ?? "not installed",
    },
  };
}

function workerdVersion(): string {
  const require = createRequire(import.meta.url);
  const manifest = require("workerd/package.json") as { readonly version: string };
  return `${manifest.version} (${run(workerdBinary(), "--version").trim()})`;
}

function run(command: string, ...args: readonly string[]): string {
  return spawnSync(command, args, { encoding: "utf8", timeout: 10_000 }).stdout ?? "";
}
