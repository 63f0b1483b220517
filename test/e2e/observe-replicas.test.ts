/**
 * What a Tail Worker under `wrangler dev` tells of a download from three replicas, one of them slow, with a retry; and of a
 * store whose code throws. The items of the first are the fixture from which the waterfall is snapshot-tested
 * (test/cli/recorded.test.ts): UPDATE_FIXTURES=1 records them anew.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { queryLocal } from "../../cli/local-explorer.ts";
import { bundleWorker } from "./observe-support/bundle.ts";
import { rawGet } from "./observe-support/raw-client.ts";
import { type ScriptedOrigin, startScriptedOrigin } from "./observe-support/scripted-origin.ts";
import { tracedItems, traceWorker } from "./observe-support/trace-worker.ts";
import { startWranglerDev, type WranglerDev } from "./observe-support/wrangler-dev.ts";

const PART = 64 * 1024;
const fixtures = resolve(import.meta.dirname, "../fixtures/observe");

const replicas: ScriptedOrigin[] = [];
let wrangler: WranglerDev;

beforeAll(async () => {
  for (let i = 0; i < 3; i++) replicas.push(await startScriptedOrigin());
  wrangler = await startWranglerDev({
    "main.js": await bundleWorker("replica-worker.ts"),
    "tail.js": traceWorker,
    "main.toml": `name = "replicas"
main = "main.js"
compatibility_date = "2026-10-23"
compatibility_flags = ["enable_request_signal"]
tail_consumers = [{ service = "tail" }]
[vars]
REPLICAS = ${JSON.stringify(replicas.map(({ url }) => url))}
LIMITS = { partBytes = ${PART}, windowParts = 6, hedge = false }
`,
    "tail.toml": `name = "tail"
main = "tail.js"
compatibility_date = "2026-10-23"
`,
  });
});

afterAll(async () => {
  await wrangler.close();
  await Promise.all(replicas.map((replica) => replica.close()));
});

/** The item of the request for `key`, once it has come. */
async function itemOf(key: string) {
  await wrangler.line((line) => line.includes("TRACE-ITEM") && line.includes(`"key":"${key}"`));
  const found = tracedItems(wrangler.lines).filter(({ records }) =>
    records.some((record) => record.key === key),
  );
  expect(found).toHaveLength(1);
  const [{ item, records } = { item: { outcome: "" }, records: [] }] = found;
  const [record] = records;
  if (record === undefined || records.length !== 1)
    throw new Error(`${records.length} records of ${key}`);
  return { item, record };
}

/** Ended spans right below a download's. */
function spansOf(sql: string): Promise<unknown[][]> {
  return queryLocal(
    wrangler.url,
    `select part.name, part.outcome, json_extract(part.attributes, '$."readahead.status"')
     from spans part join spans download on part.parent_id = download.span_id
     where download.name = 'download' and part.duration_ms is not null and ${sql} order by part.start_ms`,
  );
}

describe("the summary record under wrangler dev", () => {
  it("shows a slow replica and a retry of a download of 64 parts", async () => {
    replicas.forEach((replica, i) => {
      replica.script = ({ start, before }) => {
        if (start === 40 * PART && before === 0 && i === 1) return { delayMs: 20, status: 503 };
        return { delayMs: i === 2 ? 90 : 20, rate: i === 2 ? 1_000_000 : 8_000_000 };
      };
    });
    const key = String(64 * PART);
    const response = await fetch(`${wrangler.url}/replicas/${key}`);
    expect((await response.arrayBuffer()).byteLength).toBe(64 * PART);
    const { item, record } = await itemOf(key);
    expect(record).toMatchObject({
      outcome: "complete",
      parts: 64,
      attempts: 65,
      retries: 1,
      hedges: 0,
    });
    expect(record.timeline?.replicas.toSorted()).toEqual(["r1", "r2", "r3"]);
    expect(record.timeline?.again).toMatchObject([[40, expect.any(Number), "r"]]);
    expect(record.slowest?.replica).toBe("r3");
    if (process.env["UPDATE_FIXTURES"] !== undefined) {
      await mkdir(fixtures, { recursive: true });
      await writeFile(
        join(fixtures, "slow-replica.json"),
        `${JSON.stringify(item, undefined, 2)}\n`,
      );
    }
  });

  it("has a span for each of its attempts, below the download's, the failed one an error", async () => {
    await expect
      .poll(async () => (await spansOf("part.name like 'part %'")).length, { timeout: 10_000 })
      .toBe(65);
    expect(await spansOf("part.name like 'part 40%'")).toEqual([
      ["part 40", "error", 503],
      ["part 40, attempt 2", "ok", null],
    ]);
    expect(await spansOf("part.outcome <> 'ok'")).toHaveLength(1);
  });

  it("tells of an exception after headers", async () => {
    for (const replica of replicas) replica.script = () => ({});
    const key = `${4 * 1024 * 1024}-broken`;
    const response = await fetch(`${wrangler.url}/replicas/${key}`);
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
    const { record } = await itemOf(key);
    expect(record).toMatchObject({
      status: 200,
      outcome: "failed",
      endedBy: "exception",
      error: { kind: null, message: "TypeError: The store's code is broken" },
      openAfterClose: 0,
    });
  });

  it("tells of a client that resets the connection mid-way, a write or two later", async () => {
    for (const replica of replicas) replica.script = () => ({ delayMs: 5, rate: 2_000_000 });
    const key = String(48 * 1024 * 1024);
    const client = rawGet(`${wrangler.url}/replicas/${key}`);
    await client.received(1_000_000);
    client.reset();
    const { record } = await itemOf(key);
    expect(record).toMatchObject({ status: 200, outcome: "client-left", openAfterClose: 0 });
    expect(record.timeline?.receive.some((ms) => ms === null)).toBe(true);
    await expect
      .poll(() => replicas.map((replica) => replica.open()), { timeout: 5000 })
      .toEqual([0, 0, 0]);
  });
});
