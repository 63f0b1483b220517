/**
 * Clients that reset the connection, in every state of a download: the origin sees all requests end within 200 ms, and
 * no new one. Under bare workerd; a plain FIN and `wrangler dev` show a leaving only at a later write (README).
 */
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Origin, startOrigin } from "../../scripts/origin.ts";
import { rampSample } from "../../scripts/samples.ts";
import { startWorkerd, type Workerd } from "./support/workerd.ts";

const ramp = rampSample("ramp.bin", 256 * 1024 ** 2);
const withinMs = 200;

let origin: Origin;
let worker: Workerd;

beforeAll(async () => {
  origin = await startOrigin({ samples: [ramp] });
  worker = await startWorkerd({
    keepRecords: true,
    mounts: { origin: { prefix: "/origin/", source: "http", url: `${origin.url}/` } },
    limits: { facts_ms: 0 },
  });
});

afterEach(() => origin.set({ delayMs: 0, rate: 0 }));

afterAll(async () => {
  await worker?.close();
  await origin?.close();
});

interface Client {
  readonly sending: ClientRequest;
  /** Resets the connection: RST, not FIN. */
  reset(): void;
}

function open(headers: Readonly<Record<string, string>> = {}): Client {
  const sending = request(`${worker.url}/origin/ramp.bin`, { agent: false, headers });
  sending.once("error", () => {});
  sending.end();
  return { sending, reset: () => sending.socket?.resetAndDestroy() };
}

/** The answer once its headers are there; its errors are expected. */
function answered(client: Client): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    client.sending.once("response", (response) => {
      response.on("error", () => {});
      done(response);
    });
    client.sending.once("error", fail);
  });
}

/** Reads so many bytes and then stops reading. */
function readBytes(response: IncomingMessage, count: number): Promise<void> {
  return new Promise((done) => {
    let read = 0;
    const take = (block: Buffer) => {
      read += block.byteLength;
      if (read < count) return;
      response.off("data", take);
      response.pause();
      done();
    };
    response.on("data", take);
  });
}

async function waitUntil(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error("It did not come to that within 5 s");
    await sleep(5);
  }
}

/** Resets, and checks the promise: everything ends in time and nothing starts afterwards. */
async function expectEnd(client: Client): Promise<void> {
  expect(origin.counts().open).toBeGreaterThan(0);
  client.reset();
  await origin.idle(withinMs);
  // A request sent before the reset may still lie in the origin's accept queue.
  await sleep(withinMs);
  const { requests } = origin.counts();
  await sleep(withinMs);
  expect(origin.counts()).toMatchObject({ open: 0, requests });
}

async function lastRecord(before: number): Promise<Record<string, unknown> | undefined> {
  await waitUntil(() => worker.records().length > before);
  return worker.records().at(-1);
}

describe("a client that resets the connection", () => {
  it("ends everything while the first answer is waited for", async () => {
    origin.set({ delayMs: 3000 });
    const before = worker.records().length;
    const client = open();
    await waitUntil(() => origin.counts().open > 0);
    await expectEnd(client);
    expect(await lastRecord(before)).toMatchObject({ outcome: "client-left", status: null });
  });

  it("ends everything while parts are on their way", async () => {
    origin.set({ delayMs: 10, rate: 4_000_000 });
    const before = worker.records().length;
    const client = open();
    await readBytes(await answered(client), 1_000_000);
    await expectEnd(client);
    expect(await lastRecord(before)).toMatchObject({
      outcome: "client-left",
      status: 200,
      openAfterClose: 0,
    });
  });

  it("ends everything while the parts behind the head wait for headers", async () => {
    const client = open();
    const response = await answered(client);
    origin.set({ delayMs: 3000 });
    await readBytes(response, 100_000);
    response.resume();
    await waitUntil(() => origin.counts().open >= 2);
    await expectEnd(client);
  });

  it("ends everything while the origin says nothing", async () => {
    origin.set({ rate: 1 });
    const client = open();
    await waitUntil(() => origin.counts().open > 0);
    await expectEnd(client);
  });

  it("ends everything while it reads nothing itself", async () => {
    origin.set({ rate: 20_000_000 });
    const client = open();
    await readBytes(await answered(client), 500_000);
    await sleep(300);
    client.reset();
    await origin.idle(withinMs);
  });

  it("ends everything inside a range and inside a multipart answer", async () => {
    origin.set({ delayMs: 10, rate: 4_000_000 });
    for (const range of ["bytes=1000000-", "bytes=0-9999999,50000000-99999999"]) {
      const client = open({ range });
      await readBytes(await answered(client), 200_000);
      await expectEnd(client);
    }
  });

  it("leaves the Worker able to serve, a hundred clients later", async () => {
    origin.set({ rate: 10_000_000 });
    const before = worker.records().length;
    const clients = Array.from({ length: 100 }, () => open());
    await Promise.all(
      clients.map(async (client, index) => {
        await readBytes(await answered(client), 1000 * (index % 7) + 1);
        client.reset();
      }),
    );
    await origin.idle(2000);
    await waitUntil(() => worker.records().length >= before + clients.length);
    for (const record of worker.records().slice(before))
      expect(record).toMatchObject({ outcome: "client-left", openAfterClose: 0 });
    origin.set({ rate: 0 });
    const client = open({ range: "bytes=5000000-8999999" });
    const response = await answered(client);
    let read = 0;
    for await (const block of response) if (block instanceof Uint8Array) read += block.byteLength;
    expect(read).toBe(4_000_000);
  });
});
