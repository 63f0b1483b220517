/** Bodies cut out of longer ones, when they are given up: the longer one is cancelled, and no memory is kept. */
import { describe, expect, it } from "vitest";
import { provenBody } from "../../../src/sources/seaweedfs/proven-body.ts";
import { sliceBody } from "../../../src/sources/seaweedfs/slice-body.ts";
import { createTestDownload } from "../../support/permits.ts";

const reason = new Error("Given up");

/** A body that brings so many bytes, then nothing, and what it was cancelled with. */
function stalled(bytes: number) {
  const cancelled: unknown[] = [];
  const body = new ReadableStream({
    type: "bytes",
    start: (controller) => controller.enqueue(new Uint8Array(bytes)),
    cancel: (why) => {
      cancelled.push(why);
    },
  });
  return { body, cancelled };
}

/** Bytes 100 to 300 of the body. */
function cutOf(body: ReadableStream<Uint8Array>, how: "slice" | "proven", budgetBytes?: number) {
  const { permits } = createTestDownload({ budgetBytes });
  const skipped: number[] = [];
  const options = {
    skip: 100,
    length: 200,
    permits,
    onSkipped: (bytes: number) => void skipped.push(bytes),
  };
  const proofs = { onWhole() {}, onUnproven() {} };
  const cut =
    how === "slice" ? sliceBody(body, options) : provenBody(body, { ...options, ...proofs });
  return { cut, permits, skipped };
}

describe.each([
  ["a slice", "slice", undefined],
  ["a slice without memory", "slice", 0],
  ["a proven stretch", "proven", undefined],
  ["a proven stretch without memory", "proven", 0],
] as const)("%s", (_, how, budgetBytes) => {
  it("that nobody has read cancels its body with the same reason", async () => {
    const { body, cancelled } = stalled(150);
    const { cut, permits } = cutOf(body, how, budgetBytes);
    await cut.cancel(reason);
    expect(cancelled).toEqual([reason]);
    expect(permits.held).toBe(0);
  });

  it("that is being read cancels its body with the same reason", async () => {
    const { body, cancelled } = stalled(50);
    const { cut, permits, skipped } = cutOf(body, how, budgetBytes);
    const reader = cut.getReader();
    const read = reader.read();
    await new Promise((resolve) => setImmediate(resolve));
    await reader.cancel(reason);
    expect(await read).toEqual({ value: undefined, done: true });
    expect(cancelled).toEqual([reason]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(permits.held).toBe(0);
    expect(skipped).toEqual([50]);
  });
});
