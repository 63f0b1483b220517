/** The handler and the real engine inside workerd, over a store in memory. Headers on the wire are test/e2e's business. */
import { afterEach, expect, it } from "vitest";
import { createHandler } from "../../src/http/handler.ts";
import type { Finish } from "../../src/http/observer.ts";
import { FakeSource, ramp } from "../http/fake-source.ts";
import { firstDifference } from "../support/object-bytes.ts";

const size = 3_000_000;
const source = new FakeSource();
source.objects.set("a.txt", { size, etag: '"v1"' });
source.objects.set("stored.txt", {
  size: 5_000,
  etag: '"v1"',
  headers: { "content-encoding": "gzip" },
});

const waiting: Promise<unknown>[] = [];
const finishes: Finish[] = [];
const handle = createHandler({
  mounts: [{ name: "files", prefix: "/files/", source }],
  observer: {
    begin: () => ({
      onEvent() {},
      serverTiming: () => undefined,
      finish: (finish) => finishes.push(finish),
    }),
  },
});

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return handle(new Request(`http://edge.example/files/${path}`, init), {
    waitUntil: (promise) => void waiting.push(promise),
  });
}

afterEach(async () => {
  await Promise.all(waiting);
  expect(source.openBodies).toBe(0);
  expect(finishes).toHaveLength(waiting.length);
});

it("sends every byte of an object, with its length known before", async () => {
  const response = await ask("a.txt");
  expect(response.status).toBe(200);
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect(bytes).toHaveLength(size);
  expect(firstDifference(bytes, ramp(0, size))).toBe(-1);
});

it("sends a range, and starts it from remembered facts the second time", async () => {
  for (const _ of [1, 2]) {
    const response = await ask("a.txt", { headers: { range: "bytes=1000000-1999999" } });
    expect(response.status).toBe(206);
    expect(response.headers.get("content-range")).toBe(`bytes 1000000-1999999/${size}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(firstDifference(bytes, ramp(1_000_000, 2_000_000))).toBe(-1);
  }
});

it("sends several ranges with the length it says", async () => {
  const response = await ask("a.txt", { headers: { range: "bytes=0-9,1000000-1000009,-10" } });
  const bytes = await response.arrayBuffer();
  expect(response.status).toBe(206);
  expect(response.headers.get("content-length")).toBe(String(bytes.byteLength));
});

it("answers HEAD with a length and no body", async () => {
  const response = await ask("a.txt", { method: "HEAD" });
  expect(response.headers.get("content-length")).toBe(String(size));
  expect(response.body).toBeNull();
});

it("passes stored bytes on untouched under their stored coding", async () => {
  const response = await ask("stored.txt", { headers: { "accept-encoding": "gzip" } });
  expect(response.headers.get("content-encoding")).toBe("gzip");
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect(firstDifference(bytes, ramp(0, 5_000))).toBe(-1);
});

it("ends everything when the reader leaves", async () => {
  const response = await ask("a.txt");
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  await Promise.all(waiting);
  expect(finishes.at(-1)).toMatchObject({ status: 200, endedBy: "stream-cancel" });
});

it("refuses with a problem document", async () => {
  const response = await ask("nothing");
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ code: "not-found", status: 404 });
});
