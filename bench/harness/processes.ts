/**
 * Child processes of a run, and what Linux tells about them: CPU time, resident memory, descendants.
 *
 * Everything started here is ended by {@link endAll}, which also runs when the bench itself is interrupted: nothing is
 * left running. Linux only: the figures come from /proc.
 */
import { type ChildProcess, fork, type SpawnOptions, spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";

const children = new Set<ChildProcess>();

/** Kernel clock ticks a second; 100 on every Linux that Node supports (`getconf CLK_TCK`). */
const ticksPerSecond = 100;

/** Starts a program whose output is collected, and remembers it for {@link endAll}. */
export function start(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  return remember(spawn(command, args, options));
}

/** Starts one of our own TypeScript files with an IPC channel. */
export function startFork(path: string): ChildProcess {
  return remember(fork(path, [], { stdio: ["ignore", "ignore", "inherit", "ipc"] }));
}

function remember(child: ChildProcess): ChildProcess {
  children.add(child);
  child.once("exit", () => children.delete(child));
  child.on("error", () => children.delete(child));
  return child;
}

/**
 * Ends one child: asks, and after five seconds insists, which leaves nginx's worker behind. Resolves when it is gone.
 */
export function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve();
  return new Promise((resolve) => {
    const insist = setTimeout(() => child.kill("SIGKILL"), 5_000);
    child.once("exit", () => {
      clearTimeout(insist);
      resolve();
    });
    child.kill("SIGTERM");
  });
}

export async function endAll(): Promise<void> {
  await Promise.all([...children].map(end));
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    const exit = () => process.exit(130);
    endAll().then(exit, exit);
  });
}
process.once("exit", () => {
  for (const child of children) child.kill("SIGTERM");
});

function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The name in parentheses may contain spaces: fields are counted after its last parenthesis.
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** The process and everything below it. */
function family(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      parents.set(Number(name), Number(statFields(Number(name))[1]));
    } catch {
      // Gone between the listing and the reading.
    }
  }
  const found = [root];
  for (let i = 0; i < found.length; i++)
    for (const [pid, parent] of parents) if (parent === found[i]) found.push(pid);
  return found;
}

/**
 * CPU seconds, user and system, that the process and its living descendants have used: in nanoseconds from each
 * thread's schedstat where the kernel keeps it, else in hundredths from stat.
 */
export function cpuSeconds(pid: number): number {
  let seconds = 0;
  for (const member of family(pid)) {
    try {
      seconds += threadSeconds(member) ?? tickSeconds(member);
    } catch {
      // Ended meanwhile.
    }
  }
  return seconds;
}

function threadSeconds(pid: number): number | undefined {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1");
      nanoseconds += Number(text.split(" ")[0]);
    } catch {
      return undefined;
    }
  }
  return nanoseconds / 1e9;
}

function tickSeconds(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident bytes now and at most since {@link resetPeak}, of the process and its living descendants. */
export function residentBytes(pid: number): { readonly now: number; readonly peak: number } {
  let now = 0;
  let peak = 0;
  for (const member of family(pid)) {
    try {
      const status = readFileSync(`/proc/${member}/status`, "latin1");
      now += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024;
      peak += Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024;
    } catch {
      // Ended meanwhile.
    }
  }
  return { now, peak };
}

/** Starts the peak of resident memory again from now (proc(5): 5 written to clear_refs). */
export function resetPeak(pid: number): void {
  for (const member of family(pid)) writeFileSync(`/proc/${member}/clear_refs`, "5");
}

/** Resolves when something listens on the port. */
export async function untilListening(
  port: number,
  child: ChildProcess,
  limitMs = 15_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`The server ended with code ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error(`Nothing listens on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
