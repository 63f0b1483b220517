/** Ramp bytes: byte `i` of every object is `i % 251`, so a slice displaced by whole parts still shows (251 is prime). */

export const rampPeriod = 251;

/** Bytes handed to one write: large enough to cost little, small enough to count a cut response finely. */
export const blockBytes = 256 * 1024;

const ramp = Buffer.alloc(blockBytes + rampPeriod);
for (let i = 0; i < ramp.length; i++) ramp[i] = i % rampPeriod;

/** `length` bytes (at most {@link blockBytes}) of the ramp from `offset`: a view of one shared buffer, nothing is copied. */
export function rampBlock(offset: number, length: number): Buffer {
  const phase = offset % rampPeriod;
  return ramp.subarray(phase, phase + length);
}
