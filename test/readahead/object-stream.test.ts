import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Origin, startOrigin } from "../../scripts/origin.ts";
import { emptySample, rampSample } from "../../scripts/samples.ts";
import { delay } from "../../src/readahead/delay.ts";
import { type ObjectName, readahead } from "../../src/readahead/object-stream.ts";
import { createHttpSource } from "../../src/sources/http.ts";
import type { Source } from "../../src/sources/source.ts";

const ramp = rampSample("ramp.bin", 9 * 1024 ** 2 + 3);
const limits = { windowParts: 4, partBytes: 256 * 1024 };

let origin: Origin;
let object: ObjectName;

beforeEach(async () => {
  origin = await startOrigin({ samples: [ramp, emptySample("empty.bin")], delayMs: 5 });
  object = { source: createHttpSource({ url: `${origin.url}/` }), key: "ramp.bin" };
});

afterEach(async () => {
  await origin.idle(1000);
  await origin.close();
});

async function collect(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const blocks: Uint8Array[] = [];
  for await (const block of stream) blocks.push(block);
  return Buffer.concat(blocks);
}

describe("readahead", () => {
  it("streams a whole object in order, several parts at a time", async () => {
    const bytes = await collect(readahead(object, {}, { limits }));
    expect(bytes.equals(Buffer.from(ramp.bytes(0, ramp.size)))).toBe(true);
    expect(origin.counts().mostOpen).toBe(4);
  });

  it("streams a half-open range, and takes an end beyond the object for its end", async () => {
    const inside = await collect(readahead(object, { start: 300_000, end: 2_000_001 }, { limits }));
    expect(inside.equals(Buffer.from(ramp.bytes(300_000, 2_000_001)))).toBe(true);
    const tail = await collect(readahead(object, { start: ramp.size - 5, end: ramp.size + 5 }));
    expect(tail.equals(Buffer.from(ramp.bytes(ramp.size - 5, ramp.size)))).toBe(true);
  });

  it("streams nothing of an empty object", async () => {
    expect(await collect(readahead({ ...object, key: "empty.bin" }))).toHaveLength(0);
  });

  it("leaves no first answer open where it is not read, also when its request takes no signal", async () => {
    let open = 0;
    const body = () => {
      open += 1;
      return new ReadableStream<Uint8Array>({ cancel: () => void (open -= 1) });
    };
    const source: Source = {
      open: async () => ({
        facts: { size: 10, pin: { by: "etag", value: '"a"' }, headers: {} },
        first: { range: { start: 5, end: 6 }, body: body(), replica: "r" },
        read: () => Promise.reject(new Error("Not to be read")),
      }),
    };
    expect(await collect(readahead({ source, key: "a" }, { start: 5, end: 5 }))).toHaveLength(0);
    const onOpen = () => {
      throw new TypeError("The caller's own");
    };
    const failing = readahead({ source, key: "a" }, { start: 5 }, { onOpen });
    await expect(collect(failing)).rejects.toThrow("The caller's own");
    expect(open).toBe(0);
  });

  it("tells what it opened before the first byte", async () => {
    const sizes: (number | undefined)[] = [];
    const stream = readahead(object, {}, { onOpen: ({ size }) => sizes.push(size) });
    const reader = stream.getReader();
    await reader.read();
    expect(sizes).toEqual([ramp.size]);
    await reader.cancel();
  });

  it("asks nothing before it is read", async () => {
    const stream = readahead(object);
    await new Promise((done) => setImmediate(done));
    expect(origin.counts().requests).toBe(0);
    await stream.cancel();
    expect(origin.counts().requests).toBe(0);
  });

  it("ends every request when the stream is cancelled", async () => {
    origin.set({ rate: 1_000_000 });
    const reader = readahead(object, {}, { limits }).getReader();
    await reader.read();
    expect(origin.counts().open).toBeGreaterThan(0);
    await reader.cancel("enough");
    await origin.idle(1000);
  });

  it("ends the request that opens the object when the stream is cancelled", async () => {
    const signals: AbortSignal[] = [];
    const source: Source = {
      open: (_key, { permits, signal }) => {
        signals.push(signal);
        return permits.request({ replica: "r", purpose: "open" }, (own) => {
          signals.push(own);
          return delay(60_000, own) as never;
        });
      },
    };
    const reader = readahead({ source, key: "a" }).getReader();
    const reading = reader.read();
    await new Promise((done) => setImmediate(done));
    await reader.cancel("enough");
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect((await reading).done).toBe(true);
  });

  it.each([{ start: 1 }, { end: 9 }])("refuses %o of what comes only whole", async (range) => {
    const source: Source = {
      open: async () => ({
        facts: { size: 10, headers: {} },
        rangeable: false,
        read: async () => ({ replica: "r", body: new Uint8Array(10) }),
      }),
    };
    const stream = readahead({ source, key: "a" }, range);
    await expect(collect(stream)).rejects.toMatchObject({ kind: "unsupported" });
    expect(await collect(readahead({ source, key: "a" }, { end: 10 }))).toHaveLength(10);
  });

  it("ends with the signal's reason when the signal is aborted", async () => {
    origin.set({ rate: 1_000_000 });
    const controller = new AbortController();
    const reader = readahead(object, {}, { limits, signal: controller.signal }).getReader();
    await reader.read();
    const reason = new Error("The caller has changed its mind");
    controller.abort(reason);
    await expect(
      (async () => {
        while (!(await reader.read()).done);
      })(),
    ).rejects.toBe(reason);
  });

  it("leaves no listener on the signal of a caller who goes on", async () => {
    const { signal } = new AbortController();
    await collect(readahead(object, { start: 0, end: 10 }, { signal }));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("errors with the kind of what went wrong", async () => {
    const missing = collect(readahead({ ...object, key: "missing.bin" }));
    await expect(missing).rejects.toMatchObject({ kind: "not-found" });
    const beyond = collect(readahead(object, { start: ramp.size }));
    await expect(beyond).rejects.toMatchObject({ kind: "unsatisfiable", size: ramp.size });
  });

  it("is ended by what its own caller throws, not by the store", async () => {
    const ends: unknown[] = [];
    const reading = collect(
      readahead(
        object,
        {},
        {
          onOpen: () => {
            throw new TypeError("Not what I wanted");
          },
          onEvent: (event) => {
            if (event.type === "closed") ends.push(event.endedBy);
          },
        },
      ),
    );
    await expect(reading).rejects.toThrow("Not what I wanted");
    expect(ends).toEqual(["exception"]);
  });

  it("refuses ranges and limits that cannot be, before any request", () => {
    expect(() => readahead(object, { start: -1 })).toThrow(RangeError);
    for (const end of [1, 2.5, Number.NaN])
      expect(() => readahead(object, { start: 2, end })).toThrow(RangeError);
    expect(() => readahead(object, {}, { limits: { windowParts: 0 } })).toThrow(RangeError);
  });

  it("fills buffers of the reader's own", async () => {
    const reader = readahead(object, { start: 10, end: 20 }).getReader({ mode: "byob" });
    const first = await reader.read(new Uint8Array(100));
    expect(first.value).toEqual(ramp.bytes(10, 20));
    const last = await reader.read(new Uint8Array(100));
    expect(last.done).toBe(true);
  });
});
