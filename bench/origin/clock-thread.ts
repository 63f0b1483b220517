/** The thread of clock.ts: sleeps until the time it was told, sends a message, and sleeps until it is told another one. */
import { isMainThread, parentPort, workerData } from "node:worker_threads";

/** What both threads share. `changes` counts how often `due` (monotonic ms) was written; the thread sleeps on it. */
export interface ClockState {
  readonly changes: SharedArrayBuffer;
  readonly due: SharedArrayBuffer;
}

/** One clock for all threads: `performance.now()` starts anew in each. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function keepTime(state: ClockState): never {
  const changes = new Int32Array(state.changes);
  const due = new Float64Array(state.due);
  for (;;) {
    const seen = Atomics.load(changes, 0);
    const leftMs = (due[0] ?? 0) - monotonicMs();
    if (leftMs > 0 && Atomics.wait(changes, 0, seen, leftMs) !== "timed-out") continue;
    if (Atomics.load(changes, 0) !== seen) continue;
    parentPort?.postMessage(undefined);
    Atomics.wait(changes, 0, seen);
  }
}

if (!isMainThread) keepTime(workerData as ClockState);
