/** What is done to a real cluster: its shell's commands, and signals for volume servers of this machine. */
import { execFile } from "node:child_process";
import { master, setting } from "./live.ts";

export const hasShell = setting("WEED") !== "" && master !== "";

/** Process ids of volume servers, by `host:port`. */
export const volumePids: ReadonlyMap<string, number> = new Map(
  setting("VOLUME_PIDS")
    .split(",")
    .filter((text) => text !== "")
    .map((text) => {
      const [server = "", pid = ""] = text.split("=");
      return [server, Number(pid)];
    }),
);

/** Runs commands in `weed shell` under its lock. @returns what it printed */
export function shell(...commands: readonly string[]): Promise<string> {
  const args = ["-logtostderr", "shell", `-master=${new URL(master).host}`];
  return new Promise((resolve, reject) => {
    const child = execFile(setting("WEED"), args, { timeout: 60_000 }, (error, out, log) => {
      if (error === null) resolve(out + log);
      else reject(error);
    });
    child.stdin?.end(`${["lock", ...commands, "unlock", "exit"].join("\n")}\n`);
  });
}

/** Starts a killed volume server again, as SEAWEEDFS_VOLUME_START does it. */
export function startAgain(server: string): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile("sh", ["-c", `${setting("VOLUME_START")} "$0"`, server], (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
