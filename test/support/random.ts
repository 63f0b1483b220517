/** Random numbers that a seed gives again: what chance a test or the benchmark's origin has comes from here. */

/** Numbers in [0, 1). */
export type Random = () => number;

/**
 * mulberry32 (public domain): small, and good enough to spread faults and mutations.
 *
 * @param seed Its lower 32 bits count. The same seed gives the same numbers in the same order
 */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
