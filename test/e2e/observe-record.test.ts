/**
 * The summary record as a real Tail Worker receives it, for every way in which a request can end. Bare workerd, the built
 * Worker, clients on bare sockets: here a reset reaches the Worker at once, also before headers.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SummaryRecord } from "../../src/observe/record.ts";
import { jsonBytes, RECORD_BYTES } from "../../src/observe/record.ts";
import { MiB } from "../support/units.ts";
import { rawGet } from "./observe-support/raw-client.ts";
import { type ScriptedOrigin, startScriptedOrigin } from "./observe-support/scripted-origin.ts";
import { type TracedItem, tracedItems, traceOptions } from "./observe-support/trace-worker.ts";
import { startWorkerd, type Workerd } from "./support/workerd.ts";

let origin: ScriptedOrigin;
let workerd: Workerd;
let rays = 0;

/** A ray id of its own for each request: the record has it, so every item is told apart. */
function nextRay(): string {
  rays++;
  return rays.toString(16).padStart(16, "0");
}

function itemsOf(ray: string): TracedItem[] {
  return tracedItems(workerd.lines).filter(({ records }) =>
    records.some((record) => record.request === ray),
  );
}

/** The one record of a request, and the outcome of its invocation. Fails when there is another one by the time of a later request. */
async function theRecord(ray: string): Promise<{ record: SummaryRecord; invocation: string }> {
  await workerd.line((line) => line.includes("TRACE-ITEM") && line.includes(ray));
  origin.script = () => ({});
  const later = nextRay();
  await fetch(`${workerd.url}/origin/nothing`, { headers: { "cf-ray": later } });
  await workerd.line((line) => line.includes("TRACE-ITEM") && line.includes(later));
  const found = itemsOf(ray);
  expect(found).toHaveLength(1);
  const [{ item, records } = { item: { outcome: "none" }, records: [] }] = found;
  const [record] = records;
  if (record === undefined) throw new Error("no record");
  expect(records).toHaveLength(1);
  expect(jsonBytes(record)).toBeLessThanOrEqual(RECORD_BYTES);
  expect(record.openAfterClose).toBe(0);
  return { record, invocation: item.outcome };
}

async function get(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ ray: string; response: Response }> {
  const ray = nextRay();
  return {
    ray,
    response: await fetch(`${workerd.url}${path}`, { headers: { "cf-ray": ray, ...headers } }),
  };
}

beforeAll(async () => {
  origin = await startScriptedOrigin();
  workerd = await startWorkerd({
    mounts: {
      origin: { prefix: "/origin/", source: "http", url: `${origin.url}/`, cors: "*" },
      strict: { prefix: "/strict/", source: "http", url: `${origin.url}/`, attempts: 1 },
    },
    ...traceOptions,
  });
});

afterAll(async () => {
  await workerd.close();
  await origin.close();
});

describe("the summary record in a Tail Worker", () => {
  it("tells of a complete download", async () => {
    origin.script = () => ({});
    const { ray, response } = await get(`/origin/ramp/${20 * MiB}`);
    expect((await response.arrayBuffer()).byteLength).toBe(20 * MiB);
    const { record, invocation } = await theRecord(ray);
    expect(invocation).toBe("ok");
    expect(record).toMatchObject({
      record: "edge-readahead",
      version: 1,
      request: ray,
      mount: "origin",
      key: `ramp/${20 * MiB}`,
      method: "GET",
      status: 200,
      outcome: "complete",
      endedBy: "done",
      ranges: [[0, 20 * MiB]],
      size: 20 * MiB,
      bytesSent: 20 * MiB,
      bytesFetched: 20 * MiB,
      bytesWasted: 0,
      retries: 0,
    });
    expect(record.timeline?.of).toBe(record.parts);
    expect(record.timeline?.replicas).toEqual(["r1"]);
  });

  it("has the id and the timings that the client was told, readable across origins", async () => {
    const { ray, response } = await get(`/origin/ramp/1000`, { origin: "https://app.example" });
    await response.arrayBuffer();
    expect(response.headers.get("x-request-id")).toBe(ray);
    expect(response.headers.get("server-timing")).toMatch(/first-byte;dur=[\d.]+$/);
    const exposed = response.headers.get("access-control-expose-headers")?.toLowerCase();
    expect(exposed).toContain("server-timing");
    expect(exposed).toContain("x-request-id");
    expect(response.headers.get("timing-allow-origin")).not.toBeNull();
  });

  it("tells of a range", async () => {
    const { ray, response } = await get(`/origin/ramp/${MiB}`, { range: "bytes=100-1099" });
    await response.arrayBuffer();
    expect((await theRecord(ray)).record).toMatchObject({
      status: 206,
      outcome: "complete",
      ranges: [[100, 1100]],
      size: MiB,
      bytesSent: 1000,
    });
  });

  it("tells of a client that resets the connection mid-way", async () => {
    origin.script = () => ({ rate: 2_000_000 });
    const ray = nextRay();
    const client = rawGet(`${workerd.url}/origin/ramp/${200 * MiB}`, { "cf-ray": ray });
    await client.received(300_000);
    client.reset();
    const { record, invocation } = await theRecord(ray);
    expect(record).toMatchObject({ status: 200, outcome: "client-left" });
    expect(["client-signal", "stream-cancel", "write-failed"]).toContain(record.endedBy);
    expect(record).not.toHaveProperty("error");
    expect(record.bytesSent).toBeGreaterThan(200_000);
    expect(record.bytesSent).toBeLessThan(200 * MiB);
    expect(typeof invocation).toBe("string");
    await expect.poll(() => origin.open()).toBe(0);
  });

  it("tells of a client that is gone before headers", async () => {
    origin.script = () => ({ silent: true });
    const path = `/ramp/${3 * MiB}`;
    const asked = origin.asked(path);
    const ray = nextRay();
    const client = rawGet(`${workerd.url}/origin${path}`, { "cf-ray": ray });
    await asked;
    client.reset();
    const { record } = await theRecord(ray);
    expect(record).toMatchObject({
      status: null,
      outcome: "client-left",
      endedBy: "client-signal",
      bytesSent: 0,
      firstByteMs: null,
    });
    await expect.poll(() => origin.open()).toBe(0);
  });

  it("tells of an upstream that fails after headers", async () => {
    origin.script = ({ start, end }) =>
      start >= MiB ? { status: 503 } : { delayMs: end - start > 0 ? 1 : 0 };
    const { ray, response } = await get(`/strict/ramp/${8 * MiB}`);
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
    const { record } = await theRecord(ray);
    expect(record).toMatchObject({
      status: 200,
      outcome: "upstream-failed",
      endedBy: "upstream",
      error: { kind: "unavailable" },
    });
    expect(record.bytesSent).toBeLessThan(8 * MiB);
  });

  it("tells of an upstream that fails before headers", async () => {
    origin.script = () => ({ status: 503 });
    const { ray, response } = await get(`/strict/ramp/${4 * MiB}`);
    expect(response.status).toBe(503);
    await response.arrayBuffer();
    expect((await theRecord(ray)).record).toMatchObject({
      status: 503,
      outcome: "upstream-failed",
      bytesSent: 0,
      error: { kind: "unavailable" },
    });
  });

  it("tells of what was retried", async () => {
    origin.script = ({ start, before }) => (start > 0 && before === 0 ? { status: 503 } : {});
    const { ray, response } = await get(`/origin/ramp/${3 * MiB}`);
    expect((await response.arrayBuffer()).byteLength).toBe(3 * MiB);
    const { record } = await theRecord(ray);
    expect(record).toMatchObject({ outcome: "complete" });
    expect(record.retries).toBeGreaterThan(0);
    expect(record.timeline?.again.length).toBeGreaterThan(0);
    expect(record.attempts).toBeGreaterThan(record.parts);
  });

  it.each([
    ["304", "/origin/ramp/5000", { "if-none-match": '"ramp-5000"' }, 304, "not-modified"],
    ["412", "/origin/ramp/5001", { "if-match": '"other"' }, 412, "refused"],
    ["416", "/origin/ramp/5002", { range: "bytes=9000-" }, 416, "refused"],
    ["404", "/origin/nothing", {}, 404, "refused"],
  ] as const)("tells of a %s", async (_name, path, headers, status, outcome) => {
    origin.script = () => ({});
    const { ray, response } = await get(path, headers);
    await response.arrayBuffer();
    expect(response.status).toBe(status);
    expect((await theRecord(ray)).record).toMatchObject({
      status,
      outcome,
      endedBy: expect.any(String),
      bytesSent: 0,
    });
  });

  it("tells of a HEAD, and says nothing about pages of ours", async () => {
    origin.script = () => ({});
    const ray = nextRay();
    await fetch(`${workerd.url}/origin/ramp/777`, { method: "HEAD", headers: { "cf-ray": ray } });
    expect((await theRecord(ray)).record).toMatchObject({
      method: "HEAD",
      status: 200,
      size: 777,
      ranges: [],
      bytesSent: 0,
    });
    const { ray: page, response } = await get("/healthz");
    await response.arrayBuffer();
    const { ray: last, response: other } = await get("/origin/ramp/10");
    await other.arrayBuffer();
    await theRecord(last);
    expect(itemsOf(page)).toEqual([]);
  });
});
