/**
 * Addresses that were refused, reset or silent lately, known to the whole isolate. A master goes on naming a hung
 * server for over a minute (measured: 76 s), so the memory must be ours.
 */
const AVOID_MS = 90_000;
/** More addresses than any cluster one isolate talks to; the oldest entries go first. */
const MAX_SUSPECTS = 1024;

const until = new Map<string, number>();

/** Remembers that `replica` failed as an address; it is asked last for 90 s. */
export function suspect(replica: string): void {
  until.delete(replica);
  until.set(replica, performance.now() + AVOID_MS);
  if (until.size > MAX_SUSPECTS) {
    until.delete(until.keys().next().value ?? "");
  }
}

/** An answer clears the name. */
export function absolve(replica: string): void {
  until.delete(replica);
}

/** True while the replica should be asked last. */
export function isSuspect(replica: string): boolean {
  if ((until.get(replica) ?? 0) > performance.now()) return true;
  until.delete(replica);
  return false;
}
