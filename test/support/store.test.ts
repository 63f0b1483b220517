/** The fakes themselves: both transports play the same script, and count what they say they count. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkLeaks } from "./leak-check.ts";
import { contentBytes, firstDifference, ramp } from "./object-bytes.ts";
import { createStoreFetch } from "./store-fetch.ts";
import type { Fault, SpaceScript, StoredObject } from "./store-script.ts";
import type { StoreServer } from "./store-server.ts";
import { startStoreServer } from "./store-server.ts";
import { StoreSpace } from "./store-space.ts";
import { until } from "./until.ts";

const leaks = checkLeaks();
const size = 200_000;
const file: StoredObject = { content: ramp, size };
type Get = (headers?: Record<string, string>, signal?: AbortSignal) => Promise<Response>;

let server: StoreServer;
beforeAll(async () => {
  server = await startStoreServer();
});
afterAll(() => server.close());

const transports: Record<string, (script: SpaceScript) => { space: StoreSpace; get: Get }> = {
  server: (script) => {
    const space = leaks.watch(server.space("s", script));
    const get: Get = (headers = {}, signal) =>
      fetch(`${server.url}s/file`, { headers, signal: signal ?? null });
    return { space, get };
  },
  "in-process fetch": (script) => {
    const space = leaks.watch(new StoreSpace(script));
    const call = createStoreFetch(space);
    const get: Get = (headers = {}, signal) =>
      call("https://store.example/file", { headers, ...(signal && { signal }) });
    return { space, get };
  },
};

describe.each(Object.keys(transports))("fake store: %s", (name) => {
  const make = (faults: Fault[] = [], script: SpaceScript = {}) => {
    const transport = transports[name];
    if (transport === undefined) throw new Error(name);
    return transport({
      objects: { file },
      faults: faults.map((fault, at) => ({ at, fault })),
      ...script,
    });
  };
  const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

  it("answers ranges, conditions and counts", async () => {
    const { space, get } = make();
    const part = await get({ range: "bytes=1000-150000" });
    expect(part.status).toBe(206);
    expect(part.headers.get("content-range")).toBe("bytes 1000-150000/200000");
    const bytes = await bytesOf(part);
    expect(firstDifference(bytes, contentBytes(ramp, 1000, 150_001))).toBe(-1);
    expect((await get({ "if-none-match": part.headers.get("etag") ?? "" })).status).toBe(304);
    expect((await get({ "if-match": '"other"' })).status).toBe(412);
    expect((await get({ range: "bytes=200000-" })).headers.get("content-range")).toBe(
      "bytes */200000",
    );
    expect((await bytesOf(await get({ range: "bytes=-5" }))).length).toBe(5);
    expect(space.stats()).toMatchObject({ requests: 5, bytesWritten: 149_001 + 5 });
  });

  it("resets before headers, in the body and on the last byte", async () => {
    const { get } = make([
      { kind: "reset", after: "before-headers" },
      { kind: "reset", after: 100_000 },
      { kind: "reset", after: "last-byte" },
    ]);
    await expect(get()).rejects.toThrow();
    for (let i = 0; i < 2; i++) await expect(bytesOf(await get())).rejects.toThrow();
  });

  it("ends short and long bodies cleanly, without a length", async () => {
    const { get } = make([
      { kind: "short", bytes: 7 },
      { kind: "long", bytes: 7 },
    ]);
    for (const length of [size - 7, size + 7]) {
      const response = await get();
      expect(response.headers.get("content-length")).toBeNull();
      expect((await bytesOf(response)).length).toBe(length);
    }
  });

  it("changes the version at the request it is told to, for good", async () => {
    const { get } = make([{ kind: "late-headers", ms: 1 }, { kind: "changed" }]);
    const [before, changed, after] = [await get(), await get(), await get()];
    const tags = [before, changed, after].map((response) => response.headers.get("etag"));
    expect(tags[0]).not.toBe(tags[1]);
    expect(tags[1]).toBe(tags[2]);
    const [old, fresh] = [await bytesOf(before), await bytesOf(changed)];
    expect(fresh.length).toBe(old.length);
    expect(firstDifference(old, fresh)).toBeLessThan(4);
    await after.body?.cancel();
  });

  it("stalls until the client goes, and notes when it did", async () => {
    for (const after of ["before-headers", 10] as const) {
      const { space, get } = make([{ kind: "stall", after }]);
      const left = new AbortController();
      const getting = get({}, left.signal);
      getting.catch(() => undefined);
      await until("the request is there", () => space.stats().requests === 1);
      if (after === 10) {
        const reader = (await getting).body?.getReader();
        expect((await reader?.read())?.value?.length).toBe(10);
        expect(space.stats().openBodies).toBe(1);
        const pending = reader?.read();
        left.abort(new Error("left"));
        await expect(pending).rejects.toThrow("left");
      } else {
        left.abort(new Error("left"));
        await expect(getting).rejects.toThrow("left");
      }
      await until("the store saw it", () => space.stats().abortedAt.length === 1);
    }
  });

  it("trickles", async () => {
    const { get } = make([{ kind: "trickle", bytes: 5, everyMs: 1 }]);
    const body = await bytesOf(await get({ range: "bytes=0-19" }));
    expect(body).toEqual(contentBytes(ramp, 0, 20));
  });

  it("lets only so many requests wait for headers at once", async () => {
    const stall: Fault = { kind: "stall", after: "before-headers" };
    const { space, get } = make(Array<Fault>(6).fill(stall), { unansweredPlaces: 6 });
    const left = new AbortController();
    const stalled = Array.from({ length: 6 }, () => get({}, left.signal).catch(() => undefined));
    await until("six wait", () => space.stats().unanswered === 6);
    let answered = false;
    const seventh = get().then((response) => {
      answered = true;
      return response.body?.cancel();
    });
    await until("the seventh arrived", () => space.stats().requests === 7);
    await new Promise<void>((resolve) => setTimeout(resolve));
    expect(answered).toBe(false);
    left.abort();
    await Promise.all([...stalled, seventh]);
    expect(answered).toBe(true);
  });
});

describe("store server", () => {
  it("paces each response", async () => {
    const script = { objects: { file }, bytesPerSecond: 1_000_000 };
    leaks.watch(server.space("paced", script));
    const started = performance.now();
    const response = await fetch(`${server.url}paced/file`);
    await response.arrayBuffer();
    // 200 kB at 1 MB/s; only the lower bound is certain on a busy machine.
    expect(performance.now() - started).toBeGreaterThan(150);
  });
});

describe("contentBytes", () => {
  it("gives the same bytes whole and in slices", () => {
    for (const content of [ramp, { kind: "counter", seed: 0xfffffff0 } as const]) {
      const whole = contentBytes(content, 0, 1003);
      const slices = [0, 1, 6, 255, 700, 1003];
      for (const [i, start] of slices.entries()) {
        const end = slices[i + 1] ?? start;
        expect(contentBytes(content, start, end)).toEqual(whole.slice(start, end));
      }
    }
  });
});
