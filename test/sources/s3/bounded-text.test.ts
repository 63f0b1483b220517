import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { readBoundedText } from "../../../src/sources/s3/bounded-text.ts";

/** A body of these blocks; it goes on for ever where `ends` is false. */
function bodyOf(blocks: readonly Uint8Array[], ends = true): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const block of blocks) controller.enqueue(block);
      if (ends) controller.close();
    },
  });
}

const bounds = { limitBytes: 8, deadlineMs: 60_000 };
const bytes = (text: string) => new TextEncoder().encode(text);

it("reads characters across the borders of blocks, and shows where the last is cut off", async () => {
  const { signal } = new AbortController();
  const euro = bytes("a€b");
  const blocks = [euro.subarray(0, 2), euro.subarray(2)];
  expect(await readBoundedText(bodyOf(blocks), { ...bounds, signal })).toBe("a€b");
  expect(await readBoundedText(bodyOf(blocks.slice(0, 1)), { ...bounds, signal })).toBe("a\ufffd");
});

it("reads as many bytes as its limit, and not one more", async () => {
  const { signal } = new AbortController();
  expect(await readBoundedText(bodyOf([bytes("12345678")]), { ...bounds, signal })).toBe(
    "12345678",
  );
  const longer = bodyOf([bytes("12345678"), bytes("9")]);
  expect(await readBoundedText(longer, { ...bounds, signal })).toBeUndefined();
});

it("leaves no listener, however it ends", async () => {
  const { signal } = new AbortController();
  await readBoundedText(bodyOf([]), { ...bounds, signal });
  await readBoundedText(bodyOf([bytes("123456789")], false), { ...bounds, signal });
  const broken = readBoundedText(bodyOf([], false), { ...bounds, deadlineMs: 1, signal });
  await expect(broken).rejects.toMatchObject({ kind: "unavailable" });
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

it("does not wait where the client has left before", async () => {
  const left = new Error("left");
  const signal = AbortSignal.abort(left);
  await expect(readBoundedText(bodyOf([], false), { ...bounds, signal })).rejects.toBe(left);
});
