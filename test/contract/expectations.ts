/** What the contract suite expects of promises and stores. */
import { expect } from "vitest";
import type { ErrorKind } from "../../src/errors.ts";
import { ReadaheadError } from "../../src/errors.ts";
import type { ByteRange } from "../../src/readahead/byte-range.ts";
import { contentBytes, firstDifference, ramp } from "../support/object-bytes.ts";
import { until } from "../support/until.ts";
import type { ContractFixture } from "./fixture.ts";

/** Put with objects where a store's tests do not say otherwise. */
export const defaultHeaders = {
  "content-type": "application/x-ramp",
  "cache-control": "max-age=60",
  "content-disposition": 'attachment; filename="ramp.bin"',
};

/** What the promise rejects with; fails the test when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("Expected a rejection");
}

/** The error of ours it rejects with; fails the test for another kind. */
export async function failure(promise: Promise<unknown>, kind: ErrorKind): Promise<ReadaheadError> {
  const error = await rejection(promise);
  if (!(error instanceof ReadaheadError)) throw error;
  expect(error.kind).toBe(kind);
  return error;
}

/** Reads until the body fails; an end is a failure of the test. */
export async function readToEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<never> {
  for (;;) {
    const { done } = await reader.read();
    if (done) throw new Error("The body ended");
  }
}

/** Resolves once the store sees every body read or cancelled. */
export async function nothingOpen(fixture: ContractFixture): Promise<void> {
  if (fixture.openBodies === undefined) return;
  await until(
    "every upstream body is read or cancelled",
    async () => (await fixture.openBodies?.()) === 0,
  );
}

/** These bytes are those of the ramp at `range`. */
export function expectRamp(bytes: Uint8Array, range: ByteRange): void {
  expect(firstDifference(bytes, contentBytes(ramp, range.start, range.end))).toBe(-1);
}
