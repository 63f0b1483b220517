/** Runs `npm start` as a person does, on free ports and with data of its own, in a process group that a test can end. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export interface Started {
  readonly base: string;
  readonly originUrl: string;
  readonly port: number;
  readonly originPort: number;
  /** The process of npm, leader of its group. */
  readonly npm: ChildProcess;
  /** All it has printed. */
  printed(): string;
  /** What Ctrl-C in a terminal does: SIGINT to the whole group. Resolves when npm is gone. */
  interrupt(): Promise<void>;
  /** Ends it if it still runs, and removes its data. */
  close(): Promise<void>;
}

export const root = resolve(import.meta.dirname, "../../..");

/** @param flags Passed on after `--`, beside ports and the data folder */
export async function startLocal(flags: readonly string[] = []): Promise<Started> {
  const state = await mkdtemp(join(tmpdir(), "edge-readahead-start-"));
  const [port, originPort] = [await freePort(), await freePort()];
  const places = [
    "--port",
    String(port),
    "--origin-port",
    String(originPort),
    "--persist-to",
    state,
  ];
  const npm = spawn("npm", ["start", "--", ...places, ...flags], {
    cwd: root,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  const ended = new Promise<void>((done) => npm.once("exit", () => done()));
  await new Promise<void>((done, fail) => {
    for (const stream of [npm.stdout, npm.stderr])
      stream.on("data", (text: Buffer) => {
        printed += text.toString();
        if (printed.includes("edge-readahead runs at") && printed.includes("Ctrl-C")) done();
      });
    npm.once("exit", (code) => fail(new Error(`npm start ended with ${code}:\n${printed}`)));
  });
  const signalGroup = (signal: NodeJS.Signals) => {
    if (npm.pid === undefined || npm.exitCode !== null || npm.signalCode !== null) return;
    process.kill(-npm.pid, signal);
  };
  return {
    base: `http://127.0.0.1:${port}`,
    originUrl: `http://127.0.0.1:${originPort}`,
    port,
    originPort,
    npm,
    printed: () => printed,
    interrupt: () => {
      signalGroup("SIGINT");
      return ended;
    },
    close: async () => {
      signalGroup("SIGTERM");
      await ended;
      await rm(state, { recursive: true, force: true });
    },
  };
}

const given = new Set<number>();

/**
 * A port that nobody listens on, at least at this moment; no port is given twice. Below those that the kernel gives away (Linux: 32768 and up):
 * no server that asks for any port, as those of the fake cluster do, is given it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (given.has(port)) continue;
    given.add(port);
    if (!(await isTaken(port))) return port;
  }
}

/** Whether somebody listens on the port. */
export function isTaken(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", () => done(true));
    probe.listen(port, "127.0.0.1", () => probe.close(() => done(false)));
  });
}
