/**
 * Gives credit to rate-limited responses every 4 ms: at 10 MB/s that is 40 KB, small enough to look steady to a part
 * of 1 MiB. The interval runs only while something is paced.
 */

/** Whatever takes credit: `elapsedMs` since the last tick, `sharers` paced responses in all. */
export interface Paced {
  tick(elapsedMs: number, sharers: number): void;
}

const tickMs = 4;
const members = new Set<Paced>();
let timer: NodeJS.Timeout | undefined;
let lastTick = 0;

/** Ticks `member` until {@link unpace}. */
export function pace(member: Paced): void {
  members.add(member);
  if (timer !== undefined) return;
  lastTick = performance.now();
  timer = setInterval(tick, tickMs);
}

export function unpace(member: Paced): void {
  members.delete(member);
  if (members.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

function tick(): void {
  const now = performance.now();
  const elapsedMs = now - lastTick;
  lastTick = now;
  // A member that leaves or comes meanwhile is skipped or met: a Set allows both.
  for (const member of members) member.tick(elapsedMs, members.size);
}
