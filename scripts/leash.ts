/**
 * Runs a command for as long as its own stdin is open, then ends the command and everything the command started.
 *
 * `npm start` holds the other end of that pipe, so the pipe closes however `npm start` ends, even by SIGKILL. Wants to be
 * the leader of a process group (spawned with `detached`): the group is what it ends.
 */
import { spawn } from "node:child_process";

const graceMs = 3000;
const [command = "", ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });

let ending = false;
function endAll(): void {
  if (ending) return;
  ending = true;
  // The group includes this process: it stays to send the second, harder signal.
  process.on("SIGTERM", () => {});
  process.kill(-process.pid, "SIGTERM");
  setTimeout(() => process.kill(-process.pid, "SIGKILL"), graceMs);
  child.once("exit", () => setTimeout(() => process.kill(-process.pid, "SIGKILL"), 200));
}

child.once("error", (error) => {
  console.error(error.message);
  process.exit(127);
});
child.once("exit", (code) => {
  if (!ending) process.exit(code ?? 1);
});
process.stdin.on("end", endAll).on("error", endAll).resume();
process.on("SIGINT", endAll);
process.on("SIGTERM", endAll);
