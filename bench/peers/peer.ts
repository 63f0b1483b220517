/** A peer that runs as a process of its own. */
import { type ChildProcess, spawnSync } from "node:child_process";

export interface Peer {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

/** Debian packages that bring the peers. */
const peerPackages = ["nginx-light", "trafficserver", "trafficserver-experimental-plugins"];

/**
 * Installs the peers with apt-get, which must be allowed (root) and reach a mirror. The packages' own services are
 * told not to start: RUNLEVEL=1 makes invoke-rc.d leave them down.
 *
 * @throws Error with the last lines of apt-get
 */
export function installPeers(): void {
  const env = { ...process.env, RUNLEVEL: "1", DEBIAN_FRONTEND: "noninteractive" };
  const run = (...args: readonly string[]) =>
    spawnSync("apt-get", args, { env, encoding: "utf8", timeout: 300_000 });
  run("update", "-qq");
  const result = run("install", "-y", "-qq", "--no-install-recommends", ...peerPackages);
  if (result.status === 0) return;
  const words = (result.error?.message ?? result.stderr).trim().split("\n").slice(-3).join("\n");
  throw new Error(
    `Could not install the peers (${peerPackages.join(", ")}).\nInstall them, or leave their cases out with --no-peers.\n${words}`,
  );
}
