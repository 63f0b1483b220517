import { describe, expect, it } from "vitest";
import { type BodyReader, createBodyReader, discardBody } from "../../src/readahead/body-reader.ts";
import type { Body } from "../../src/sources/source.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { contentBytes, ramp } from "../support/object-bytes.ts";
import { MemoryStore } from "./support/memory-store.ts";
import { expectRamp, readRamp } from "./support/read-stream.ts";
import { expectSettled, watchDownload } from "./support/watched-download.ts";

checkLeaks();

interface Fake {
  readonly body: ReadableStream<Uint8Array>;
  readonly cancelled: unknown[];
}

/** A ramp in blocks of the given sizes; `error` at its end instead of a clean one. */
function createFake(type: "bytes" | undefined, blocks: readonly number[], error?: Error): Fake {
  const cancelled: unknown[] = [];
  let turn = 0;
  let position = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      ...(type && { type }),
      pull(controller: ReadableStreamDefaultController | ReadableByteStreamController) {
        const size = blocks[turn++];
        if (size === undefined) {
          if (error !== undefined) return controller.error(error);
          controller.close();
          if ("byobRequest" in controller) controller.byobRequest?.respond(0);
          return undefined;
        }
        controller.enqueue(contentBytes(ramp, position, position + size) as never);
        position += size;
        return undefined;
      },
      cancel(reason: unknown) {
        cancelled.push(reason);
      },
    } as never,
    type === undefined ? { highWaterMark: 0 } : undefined,
  );
  return { body, cancelled };
}

const blocks = [10, 1, 200, 64, 500, 3];
const length = 778;

const bodies: ReadonlyArray<[string, () => Body]> = [
  ["a byte stream", () => createFake("bytes", blocks).body],
  ["a stream of blocks", () => createFake(undefined, blocks).body],
  ["bytes in memory", () => contentBytes(ramp, 0, length)],
];

async function readAll(reader: BodyReader, capacity: number, min: number): Promise<number[]> {
  const sizes: number[] = [];
  let position = 0;
  for (;;) {
    const { view, done } = await reader.read(new Uint8Array(capacity), min);
    expectRamp(view, position);
    position += view.byteLength;
    if (view.byteLength > 0) sizes.push(view.byteLength);
    if (!done) expect(view.byteLength).toBeGreaterThanOrEqual(Math.min(min, capacity));
    if (done) {
      expect(position).toBe(length);
      return sizes;
    }
  }
}

describe("createBodyReader", () => {
  for (const [name, createBody] of bodies) {
    it.for([
      [1, 1],
      [7, 1],
      [64, 64],
      [100, 50],
      [1000, 1000],
      [1000, 1],
    ])(
      `reads ${name} whole, in views of %i with at least %i bytes`,
      async ([size = 1, min = 1]) => {
        const sizes = await readAll(createBodyReader(createBody()), size, min);
        expect(Math.max(...sizes)).toBeLessThanOrEqual(size);
      },
    );

    it(`fills the view it was given from ${name}, at its own offset`, async () => {
      const reader = createBodyReader(createBody());
      const buffer = new ArrayBuffer(100);
      const { view } = await reader.read(new Uint8Array(buffer, 20, 50), 50);
      expect([view.byteOffset, view.byteLength, view.buffer.byteLength]).toEqual([20, 50, 100]);
      expectRamp(view, 0);
      reader.cancel(undefined);
    });

    it(`may be cancelled twice, and after the end: ${name}`, async () => {
      const reader = createBodyReader(createBody());
      await readAll(reader, 1000, 1);
      reader.cancel(new Error("one"));
      reader.cancel(new Error("two"));
    });
  }

  it("hands on bytes in memory as copies: the cache they come from stays whole", async () => {
    const cached = contentBytes(ramp, 0, length);
    const reader = createBodyReader(cached);
    const { view } = await reader.read(new Uint8Array(length), 1);
    view.buffer.transfer(0);
    expect(cached.byteLength).toBe(length);
    expectRamp(cached, 0);
  });

  it("says that bytes in memory were all as soon as they were", async () => {
    const { done, view } = await createBodyReader(new Uint8Array(5)).read(new Uint8Array(9), 1);
    expect([done, view.byteLength]).toEqual([true, 5]);
    const empty = await createBodyReader(new Uint8Array(0)).read(new Uint8Array(9), 1);
    expect([empty.done, empty.view.byteLength]).toEqual([true, 0]);
  });

  it.for(["bytes", undefined] as const)("rejects when a stream (%s) breaks", async (type) => {
    const broken = new TypeError("Network connection lost");
    const reader = createBodyReader(createFake(type, [10], broken).body);
    await reader.read(new Uint8Array(10), 10);
    await expect(reader.read(new Uint8Array(10), 1)).rejects.toBe(broken);
    reader.cancel(undefined);
  });

  it.for(["bytes", undefined] as const)("cancels the stream (%s) with the reason", async (type) => {
    const { body, cancelled } = createFake(type, blocks);
    const reader = createBodyReader(body);
    await reader.read(new Uint8Array(5), 1);
    const reason = new Error("The client has left");
    reader.cancel(reason);
    expect(cancelled).toEqual([reason]);
    const { view } = await reader.read(new Uint8Array(5), 1);
    expect(view.byteLength).toBe(0);
  });

  it("cancelled with a read pending lets that read end", async () => {
    for (const type of ["bytes", undefined] as const) {
      const body = new ReadableStream({
        ...(type && { type }),
        pull: () => new Promise<void>(() => undefined),
      } as never);
      const reader = createBodyReader(body);
      const pending = reader.read(new Uint8Array(5), 1);
      reader.cancel(new Error("The client has left"));
      await expect(pending).resolves.toMatchObject({ done: true });
    }
  });

  it("of a body that somebody reads already is a fault of ours, not a reason for the slow reader", () => {
    const { body } = createFake("bytes", blocks);
    const reader = body.getReader();
    expect(() => createBodyReader(body)).toThrow(TypeError);
    reader.releaseLock();
  });
});

describe("discardBody", () => {
  it("cancels a stream nobody reads, and leaves one that has a reader to it", () => {
    const free = createFake("bytes", blocks);
    const reason = new Error("Not wanted");
    discardBody(free.body, reason);
    expect(free.cancelled).toEqual([reason]);
    const taken = createFake("bytes", blocks);
    taken.body.getReader();
    discardBody(taken.body, reason);
    expect(taken.cancelled).toEqual([]);
    discardBody(new Uint8Array(3), reason);
  });

  it("does not mind that a cancel fails", async () => {
    const body = new ReadableStream({
      cancel: () => Promise.reject(new Error("It broke while it was cancelled")),
    });
    discardBody(body, undefined);
    await new Promise((resolve) => setImmediate(resolve));
  });
});

describe("a body that waits whole in a queue", () => {
  it.for([undefined, "weak ETag"])("is read to its end (unversioned: %s)", async (unversioned) => {
    const size = 3 * 1024 * 1024 + 5;
    const facts = unversioned === undefined ? {} : { unversioned, pin: undefined };
    const store = new MemoryStore({ size, queued: true, facts });
    const watched = watchDownload({ limits: { partBytes: 64 * 1024 } });
    expect(await readRamp(await watched.stream(store.source))).toBe(size);
    expect(expectSettled(watched).retries).toBe(0);
  });
});
