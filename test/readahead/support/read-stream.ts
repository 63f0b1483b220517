/** Reads the engine's stream in tests. */
import { expect } from "vitest";
import { contentBytes, firstDifference, ramp } from "../../support/object-bytes.ts";
import { isRamp } from "./ramp.ts";

/** Reads to the end and checks every byte against the ramp from `start`; returns how many there were. */
export async function readRamp(stream: ReadableStream<Uint8Array>, start = 0): Promise<number> {
  let position = start;
  const reader = stream.getReader();
  for (let block = await reader.read(); !block.done; block = await reader.read()) {
    expectRamp(block.value, position);
    position += block.value.byteLength;
  }
  return position - start;
}

/** Checks one block. */
export function expectRamp(bytes: Uint8Array, position: number): void {
  // Comparing is fast; the position is looked for only when there is something to find.
  if (isRamp(bytes, position)) return;
  const expected = contentBytes(ramp, position, position + bytes.byteLength);
  expect(position + firstDifference(bytes, expected), "first wrong byte").toBe(-1);
}

/** Lets everything happen that needs no timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
