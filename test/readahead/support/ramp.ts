/** The ramp of test/support/object-bytes.ts, from a table: tests here compare hundreds of megabytes of it. */
import { contentBytes, ramp } from "../../support/object-bytes.ts";

const PERIOD = 251;
const LARGEST = 4 * 1024 * 1024;
const table = contentBytes(ramp, 0, LARGEST + PERIOD);

/** The bytes `[start, end)` of an object whose content is the ramp: a copy of their own. At most 4 MiB. */
export function rampBytes(start: number, end: number): Uint8Array<ArrayBuffer> {
  if (end - start > LARGEST) throw new RangeError(`At most ${LARGEST} bytes, got ${end - start}`);
  const from = start % PERIOD;
  return table.slice(from, from + end - start) as Uint8Array<ArrayBuffer>;
}

/** True when these are the bytes of the ramp at the position. */
export function isRamp(bytes: Uint8Array, position: number): boolean {
  const from = position % PERIOD;
  return Buffer.compare(bytes, table.subarray(from, from + bytes.byteLength)) === 0;
}
