/**
 * Timers finer than Node's, for the latencies of the origin.
 *
 * `setTimeout` counts whole milliseconds of a clock that is read once a turn: with several requests under way 5 ms become 5 to
 * 6, and answers due at different moments leave together, which is not what distance does. Here a second thread
 * (clock-thread.ts) sleeps to a tenth of a millisecond and wakes this one by a message.
 */
import { Worker } from "node:worker_threads";
import { type ClockState, monotonicMs } from "./clock-thread.ts";

interface Alarm {
  readonly dueMs: number;
  readonly act: () => void;
}

/** Earliest first. */
const alarms: Alarm[] = [];
let clock: { readonly changes: Int32Array; readonly due: Float64Array } | undefined;

/** Calls `act` once after `delayMs`, a fraction of a millisecond late at most while the machine has time. Returns how to call it off. */
export function after(delayMs: number, act: () => void): () => void {
  const alarm = { dueMs: monotonicMs() + delayMs, act };
  const before = alarms.findIndex(({ dueMs }) => dueMs > alarm.dueMs);
  alarms.splice(before < 0 ? alarms.length : before, 0, alarm);
  if (alarms[0] === alarm) wind();
  return () => {
    const index = alarms.indexOf(alarm);
    if (index >= 0) alarms.splice(index, 1);
  };
}

/** Tells the thread when to ring next. */
function wind(): void {
  clock ??= startClock();
  clock.due[0] = alarms[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  Atomics.add(clock.changes, 0, 1);
  Atomics.notify(clock.changes, 0);
}

function ring(): void {
  const now = monotonicMs();
  for (let next = alarms[0]; next !== undefined && next.dueMs <= now; next = alarms[0]) {
    alarms.shift();
    next.act();
  }
  wind();
}

function startClock() {
  const state: ClockState = {
    changes: new SharedArrayBuffer(4),
    due: new SharedArrayBuffer(8),
  };
  const thread = new Worker(new URL("./clock-thread.ts", import.meta.url), { workerData: state });
  thread.on("message", ring);
  // Sockets keep the origin alive; a clock alone does not.
  thread.unref();
  return { changes: new Int32Array(state.changes), due: new Float64Array(state.due) };
}
