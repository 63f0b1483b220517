/** The built Worker under bare workerd, asked over a real socket. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseTold } from "../../cli/trace-items.ts";
import { type Origin, startOrigin } from "../../scripts/origin.ts";
import { createSamples, rampSample } from "../../scripts/samples.ts";
import { MiB } from "../support/units.ts";
import { ask } from "./support/http.ts";
import { startWorkerd, type Workerd } from "./support/workerd.ts";

const ramp = rampSample("ramp.bin", 24 * MiB + 7);
const odd = rampSample("dir/ä b+c%d.bin", 1000);

/** The sample's bytes, for comparison. */
function bytesOf(start: number, end: number): Buffer {
  return Buffer.from(ramp.bytes(start, end));
}

let origin: Origin;
let worker: Workerd;

beforeAll(async () => {
  const small = createSamples().filter(({ size }) => size < MiB);
  origin = await startOrigin({
    samples: [ramp, ...small, { ...odd, key: encodeURI(odd.key).replace("+", "%2B") }],
    delayMs: 5,
  });
  worker = await startWorkerd({
    keepRecords: true,
    mounts: {
      origin: { prefix: "/origin/", source: "http", url: `${origin.url}/`, cors: "*" },
      inner: { prefix: "/origin/inner/", source: "http", url: `${origin.url}/dir/` },
    },
  });
});

afterAll(async () => {
  await worker?.close();
  expect(origin.counts().open).toBe(0);
  await origin?.close();
});

describe("the built Worker under bare workerd", () => {
  it("logs whole records as text where the configuration says so", async () => {
    const text = await startWorkerd({
      mounts: {
        origin: { prefix: "/", source: "http", url: `${origin.url}/`, part_bytes: 16_384 },
      },
      bindings: { LOG_FORMAT: { text: "json" } },
    });
    try {
      // More parts than the hundred elements at which a console cuts a list short.
      await ask(`${text.url}/ramp.bin`, { headers: { range: `bytes=0-${3 * MiB - 1}` } });
      const line = await text.line((each) => each.includes("edge-readahead"));
      const [told] = parseTold(JSON.parse(line));
      if (told?.kind !== "download") throw new Error(`No record: ${line}`);
      expect(told.record.timeline?.part).toHaveLength(192);
    } finally {
      await text.close();
    }
  });

  it("sends a whole object with its exact length", async () => {
    const { status, headers, body, complete } = await ask(`${worker.url}/origin/ramp.bin`);
    expect(status).toBe(200);
    expect(headers["content-length"]).toBe(String(ramp.size));
    expect(headers["transfer-encoding"]).toBeUndefined();
    expect(headers["accept-ranges"]).toBe("bytes");
    expect(complete).toBe(true);
    expect(body.equals(bytesOf(0, ramp.size))).toBe(true);
  });

  it("sends a range with its exact length, across parts", async () => {
    const [start, end] = [3 * MiB - 11, 17 * MiB + 5];
    const { status, headers, body } = await ask(`${worker.url}/origin/ramp.bin`, {
      headers: { range: `bytes=${start}-${end - 1}` },
    });
    expect(status).toBe(206);
    expect(headers["content-length"]).toBe(String(end - start));
    expect(headers["content-range"]).toBe(`bytes ${start}-${end - 1}/${ramp.size}`);
    expect(body.equals(bytesOf(start, end))).toBe(true);
  });

  it("sends the last bytes and the very last one", async () => {
    for (const length of [1, 100_000, 9 * MiB]) {
      const { status, body } = await ask(`${worker.url}/origin/ramp.bin`, {
        headers: { range: `bytes=-${length}` },
      });
      expect(status).toBe(206);
      expect(body.equals(bytesOf(ramp.size - length, ramp.size))).toBe(true);
    }
  });

  it("counts multipart boundaries into the length", async () => {
    const { status, headers, body } = await ask(`${worker.url}/origin/ramp.bin`, {
      headers: { range: "bytes=0-9,1000000-1000019,20000000-20000029" },
    });
    expect(status).toBe(206);
    expect(headers["content-type"]).toMatch(/^multipart\/byteranges; ?boundary=/);
    expect(headers["content-length"]).toBe(String(body.byteLength));
    expect(body.includes(bytesOf(20_000_000, 20_000_030))).toBe(true);
  });

  it("answers HEAD with GET's headers and no body", async () => {
    const head = await ask(`${worker.url}/origin/ramp.bin`, { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(head.headers["content-length"]).toBe(String(ramp.size));
    expect(head.headers["etag"]).toBe(`"ramp.bin-${ramp.size}"`);
    expect(head.body.byteLength).toBe(0);
  });

  it("answers 416 with the size, 304 by the validator, 404 with a problem document", async () => {
    const beyond = await ask(`${worker.url}/origin/ramp.bin`, {
      headers: { range: `bytes=${ramp.size}-` },
    });
    expect(beyond.status).toBe(416);
    expect(beyond.headers["content-range"]).toBe(`bytes */${ramp.size}`);
    const same = await ask(`${worker.url}/origin/ramp.bin`, {
      headers: { "if-none-match": `"ramp.bin-${ramp.size}"` },
    });
    expect([same.status, same.body.byteLength]).toEqual([304, 0]);
    const missing = await ask(`${worker.url}/origin/missing.bin`);
    expect(missing.status).toBe(404);
    expect(missing.headers["content-type"]).toBe("application/problem+json");
    expect(JSON.parse(missing.body.toString())).toMatchObject({ code: "not-found", status: 404 });
    expect(missing.body.toString()).not.toContain(String(origin.port));
  });

  it("serves an empty object", async () => {
    const { status, headers, body } = await ask(`${worker.url}/origin/empty.bin`);
    expect([status, headers["content-length"], body.byteLength]).toEqual([200, "0", 0]);
  });

  it("gives the longest prefix the request, and decodes keys once", async () => {
    const path = "/origin/inner/%C3%A4%20b%2Bc%25d.bin";
    const { status, body } = await ask(`${worker.url}${path}`);
    expect(status).toBe(200);
    expect(body.equals(Buffer.from(odd.bytes(0, odd.size)))).toBe(true);
    const record = await recordOf((entry) => entry["mount"] === "inner");
    expect(record["key"]).toBe("ä b+c%d.bin");
  });

  it("lets no path out of its mount", async () => {
    for (const path of ["/origin/inner/../ramp.bin", "/origin/inner/..%2framp.bin"]) {
      const { status } = await ask(worker.url, { path });
      // The first is resolved before a mount is chosen and names the outer mount's object; the second is no key.
      expect(status).toBe(path.includes("%2f") ? 400 : 200);
    }
  });

  it("refuses other methods with Allow, and answers preflights of a mount with CORS", async () => {
    const post = await ask(`${worker.url}/origin/ramp.bin`, { method: "POST" });
    expect([post.status, post.headers["allow"]]).toEqual([405, "GET, HEAD, OPTIONS"]);
    const preflight = await ask(`${worker.url}/origin/ramp.bin`, {
      method: "OPTIONS",
      headers: { origin: "https://app.example", "access-control-request-method": "GET" },
    });
    expect(preflight.headers["access-control-allow-origin"]).toBe("*");
  });

  it("says at / what it is and which mounts exist, and nothing of what is behind them", async () => {
    const { status, body } = await ask(`${worker.url}/`);
    expect(status).toBe(200);
    expect(body.toString()).toContain("origin");
    expect(body.toString()).not.toContain("127.0.0.1");
    expect((await ask(`${worker.url}/healthz`)).status).toBe(200);
    expect((await ask(`${worker.url}/favicon.ico`)).status).toBe(204);
  });

  it("writes one record per download", async () => {
    const answered = await ask(`${worker.url}/origin/ramp.bin`);
    const id = answered.headers["x-request-id"];
    const record = await recordOf((entry) => entry["request"] === id);
    expect(record).toMatchObject({
      record: "edge-readahead",
      version: 1,
      mount: "origin",
      key: "ramp.bin",
      method: "GET",
      status: 200,
      outcome: "complete",
      endedBy: "done",
      ranges: [[0, ramp.size]],
      size: ramp.size,
      bytesSent: ramp.size,
      openAfterClose: 0,
    });
  });
});

/** Records come from a Tail Worker, after the answer. */
async function recordOf(
  wanted: (entry: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  await worker.line(() => worker.records().some(wanted));
  const record = worker.records().find(wanted);
  if (record === undefined) throw new Error("There is no such record");
  return record;
}
