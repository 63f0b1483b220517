import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { download } from "../../bench/client/download.ts";
import { Connection } from "../../bench/origin/connection.ts";
import type { Counters, Profile } from "../../bench/origin/profile.ts";
import { Profiles } from "../../bench/origin/route.ts";

const profiles = new Profiles();
let server: Server;
let port = 0;
const sockets = new Set<Socket>();

beforeEach(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    Connection.serve(socket, profiles);
  });
  await new Promise<void>((listening) => {
    server.listen(0, "127.0.0.1", listening);
  });
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await new Promise((closed) => {
    server.close(closed);
  });
});

function set(behaviour: Profile): Counters {
  profiles.set("p", behaviour);
  const profile = profiles.find("p");
  if (profile === undefined) throw new Error("The profile was not set");
  return profile.counters;
}

function get(bytes: number, reading: Partial<Parameters<typeof download>[1]> = {}) {
  return download({ port, path: `/p/p/ramp/${bytes}/x` }, { limitMs: 10_000, ...reading });
}

describe("the benchmark's origin", () => {
  it("serves a range of the ramp that the client finds right", async () => {
    const counters = set({});
    const result = await get(1_000_000, { range: { start: 12_345, end: 999_999 } });
    expect(result).toMatchObject({ complete: true, status: 206, bytes: 999_999 - 12_345 });
    expect(counters).toMatchObject({ gets: 1, completed: 1, bytesWritten: 987_654 });
  });

  it("refuses another version and a range past the end", async () => {
    set({});
    const url = `http://127.0.0.1:${port}/p/p/ramp/100/x`;
    const changed = await fetch(url, { headers: { "if-match": '"other"' } });
    expect(changed.status).toBe(412);
    await changed.arrayBuffer();
    const past = await fetch(url, { headers: { range: "bytes=100-" } });
    expect([past.status, past.headers.get("content-range")]).toEqual([416, "bytes */100"]);
    await past.arrayBuffer();
  });

  it("waits the latency before headers and never sends faster than a connection may", async () => {
    set({ latencyMs: 40, connectionRate: 2_000_000 });
    const result = await get(200_000);
    expect(result.complete).toBe(true);
    expect(result.firstByteMs).toBeGreaterThanOrEqual(39);
    // 100 ms at that rate, of which 20 ms may come at once.
    expect(result.readingMs).toBeGreaterThanOrEqual(75);
  });

  it("shares a total rate among connections", async () => {
    set({ totalRate: 4_000_000 });
    const results = await Promise.all([get(200_000), get(200_000)]);
    for (const { totalMs } of results) expect(totalMs).toBeGreaterThanOrEqual(75);
  });

  it("spoils exactly every Nth answer, the same ones for the same random seed", async () => {
    const run = async (seed: number) => {
      const counters = set({ reset: { every: 3, at: "random" }, seed });
      const bytes: number[] = [];
      for (let i = 0; i < 6; i++) bytes.push((await get(5_000_000)).bytes);
      expect(counters).toMatchObject({ resets: 2, cutByFault: 2, completed: 4 });
      return [counters.bytesWritten, bytes.map((count) => count === 5_000_000)];
    };
    const first = await run(5);
    expect(first[1]).toEqual([true, true, false, true, true, false]);
    expect(await run(5)).toEqual(first);
    expect((await run(6))[0]).not.toBe(first[0]);
  });

  it("stalls in the middle for as long as the script says", async () => {
    const counters = set({ stall: { every: 1, ms: 80 } });
    const result = await get(100_000);
    expect(result.complete).toBe(true);
    expect(result.totalMs).toBeGreaterThanOrEqual(79);
    expect(counters.stalls).toBe(1);
  });

  it("counts what a client that leaves has cost, and sees it go", async () => {
    const counters = set({});
    const result = await get(2 ** 30, { leave: { afterBytes: 2 ** 20, afterMs: 20 } });
    expect(result).toMatchObject({ complete: false, problem: "left" });
    await expect.poll(() => counters.openSockets).toBe(0);
    expect(counters).toMatchObject({ cutByClient: 1, openResponses: 0 });
    expect(counters.bytesWritten).toBeGreaterThanOrEqual(result.bytes);
    expect(counters.bytesWritten).toBeLessThan(2 ** 28);
  });
});

describe("the benchmark's client", () => {
  it("calls a displaced byte wrong", async () => {
    const liar = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", () =>
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\u0000\u0002"),
      );
    });
    await new Promise<void>((listening) => {
      liar.listen(0, "127.0.0.1", listening);
    });
    const target = { port: (liar.address() as AddressInfo).port, path: "/" };
    expect(await download(target, { limitMs: 5_000 })).toMatchObject({
      complete: false,
      problem: "wrong bytes",
    });
    liar.close();
  });

  it("calls a short body incomplete", async () => {
    set({ reset: { every: 1 } });
    expect((await get(1_000_000)).complete).toBe(false);
  });

  it("keeps its pace", async () => {
    set({});
    const result = await get(1_000_000, { bytesPerSecond: 320_000, limitMs: 300 });
    expect(result.problem).toBe("time limit");
    expect(result.bytes).toBeLessThanOrEqual(320_000 * 0.3 + 2 * 16_384);
  });
});
