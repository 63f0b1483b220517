/**
 * Bodies cut out of longer ones: what is skipped is told, what is behind is let go of, and where they break or are given
 * up, no memory is kept.
 */
import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../../src/errors.ts";
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

/** A body of blocks, then its end or the error it breaks with; notes how many bytes are asked for at a time. */
function ending(blocks: readonly number[], broken?: Error) {
  const asked: number[] = [];
  const cancelled: unknown[] = [];
  const left = [...blocks];
  const body = new ReadableStream({
    type: "bytes",
    pull: (controller) => {
      const request = controller.byobRequest;
      if (request?.view) asked.push(request.view.byteLength);
      const bytes = left.shift();
      if (bytes !== undefined) controller.enqueue(new Uint8Array(bytes));
      else if (broken !== undefined) controller.error(broken);
      else {
        controller.close();
        request?.respond(0);
      }
    },
    cancel: (why) => {
      cancelled.push(why);
    },
  });
  return { body, asked, cancelled };
}

/** Bytes of the cut, read as the engine reads them. */
async function readOut(cut: ReadableStream<Uint8Array>): Promise<number> {
  const reader = cut.getReader({ mode: "byob" });
  for (let length = 0; ; ) {
    const { value, done } = await reader.read(new Uint8Array(1_000));
    if (done) return length;
    length += value.byteLength;
  }
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
  const wholes: number[] = [];
  const unproven: true[] = [];
  const proofs = {
    onWhole: (bytes: number) => void wholes.push(bytes),
    onUnproven: () => void unproven.push(true),
  };
  const cut =
    how === "slice" ? sliceBody(body, options) : provenBody(body, { ...options, ...proofs });
  return { cut, permits, skipped, wholes, unproven };
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

  it("that is given up between two reads says what was skipped", async () => {
    const { body } = ending([150, 50, 800]);
    const { cut, permits, skipped } = cutOf(body, how, budgetBytes);
    const reader = cut.getReader();
    await reader.read();
    await reader.cancel(reason);
    // With memory, all of it was read for the proof.
    expect(skipped).toEqual([how === "proven" && budgetBytes !== 0 ? 800 : 100]);
    expect(permits.held).toBe(0);
  });

  it("that breaks passes the error on, and says what was read in vain", async () => {
    const { body } = ending([50], reason);
    const { cut, permits, skipped } = cutOf(body, how, budgetBytes);
    await expect(readOut(cut)).rejects.toBe(reason);
    expect(skipped).toEqual([50]);
    expect(permits.held).toBe(0);
  });

  it("says what lay beside it", async () => {
    const { body } = ending([150, 150, 700]);
    const { cut, permits, skipped, wholes } = cutOf(body, how, budgetBytes);
    expect(await readOut(cut)).toBe(200);
    expect(skipped).toEqual([how === "slice" ? 100 : 800]);
    expect(wholes).toEqual(how === "slice" ? [] : [1_000]);
    expect(permits.held).toBe(0);
  });
});

it("a slice asks for no byte behind it but for one that shows the end, and lets go of the rest", async () => {
  const { body, asked, cancelled } = ending([150, 150, 700]);
  const { cut } = cutOf(body, "slice");
  expect(await readOut(cut)).toBe(200);
  expect(asked).toEqual([300, 150, 1]);
  expect(cancelled).toEqual([undefined]);
});

it("a slice without memory goes on in blocks of 16 KiB", async () => {
  const { body, asked } = ending([10_000, 10_000, 10_000, 10_000]);
  const { permits } = createTestDownload({ budgetBytes: 0 });
  const slice = sliceBody(body, { skip: 100, length: 39_000, permits, onSkipped() {} });
  expect(await readOut(slice)).toBe(39_000);
  expect(Math.max(...asked)).toBe(16 * 1024);
});

it("a proven stretch keeps its memory until it is taken", async () => {
  const { cut, permits } = cutOf(ending([1_000]).body, "proven");
  const reader = cut.getReader({ mode: "byob" });
  await reader.read(new Uint8Array(100));
  expect(permits.held).toBe(200);
  await reader.read(new Uint8Array(100));
  expect((await reader.read(new Uint8Array(100))).done).toBe(true);
  expect(permits.held).toBe(0);
});

describe("a stretch without memory, of a body that is not read to its end", () => {
  const cutOfBlocks = (blocks: readonly number[], broken?: Error) =>
    cutOf(ending(blocks, broken).body, "proven", 0);

  it.each([
    ["breaks", [150], reason],
    ["ends early", [150], undefined],
  ] as const)(
    "leaves bytes unproven where it %s, and none where it had none",
    async (_, blocks, broken) => {
      const handedOn = cutOfBlocks(blocks, broken);
      await readOut(handedOn.cut).catch(() => {});
      expect(handedOn.unproven).toEqual([true]);
      const nothing = cutOfBlocks([50], broken);
      await readOut(nothing.cut).catch(() => {});
      expect(nothing.unproven).toEqual([]);
    },
  );

  it.each([
    ["a store that went silent leaves them unproven", [150, 1], "unavailable", [true]],
    ["not where all of it was read", [150, 150, 700], "unavailable", []],
    ["nor where nothing was handed on", [50], "unavailable", []],
    ["a client that leaves wants no more of it", [150, 1], undefined, []],
  ] as const)("%s", async (_, blocks, kind, expected) => {
    const { cut, unproven } = cutOfBlocks(blocks);
    const reader = cut.getReader({ mode: "byob" });
    const handedOn = blocks[0] > 100 ? 50 : 0;
    for (let length = 0; length < (blocks.length > 2 ? 200 : handedOn); ) {
      const { value } = await reader.read(new Uint8Array(1_000));
      length += value?.byteLength ?? 0;
    }
    await reader.cancel(kind === undefined ? reason : new ReadaheadError(kind, "Silent"));
    expect(unproven).toEqual(expected);
  });
});
