/**
 * A thousand downloads at the same time, half of whose clients leave somewhere: exactly one record each, with the right
 * outcome, none over 8 KB. Where each client leaves is drawn from a seed that is printed.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { jsonBytes, type SummaryRecord } from "../../src/observe/record.ts";
import { createRandom } from "../support/random.ts";
import { rawGet } from "./observe-support/raw-client.ts";
import { type ScriptedOrigin, startScriptedOrigin } from "./observe-support/scripted-origin.ts";
import { tracedItems, traceOptions } from "./observe-support/trace-worker.ts";
import { startWorkerd, type Workerd } from "./support/workerd.ts";

const CLIENTS = 1000;
const SIZE = 700_000;

let origin: ScriptedOrigin;
let workerd: Workerd;

beforeAll(async () => {
  origin = await startScriptedOrigin();
  workerd = await startWorkerd({
    mounts: { origin: { prefix: "/origin/", source: "http", url: `${origin.url}/` } },
    ...traceOptions,
  });
});

afterAll(async () => {
  await workerd.close();
  await origin.close();
});

it("writes one record for each of 1,000 downloads at once, half of which are left", {
  timeout: 120_000,
}, async () => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 2 ** 31);
  console.log(`random seed ${seed}`);
  const random = createRandom(seed);
  // Clients that leave are sent so little at a time that their object cannot be out before they have gone: what a kernel
  // took before the reset is rightly told as complete.
  origin.script = ({ path }) => {
    const leaves = Number.parseInt(path.slice(-1), 16) % 2 === 0;
    return { delayMs: 20 + random() * 60, rate: leaves ? 60_000 : 3_000_000 };
  };

  const clients = Array.from({ length: CLIENTS }, (_, i) => {
    const leaves = i % 2 === 0;
    return {
      ray: i.toString(16).padStart(16, "0"),
      leaves,
      /** Bytes after which it leaves; below 1,000: before headers. */
      after: leaves
        ? Math.max(0, Math.floor((random() * random() - 0.05) * SIZE * 0.2))
        : Number.POSITIVE_INFINITY,
    };
  });
  let left = 0;
  const received = await Promise.all(
    clients.map(async ({ ray, leaves, after }) => {
      const path = `/ramp/${SIZE}/${ray}`;
      const asked = origin.asked(path);
      const client = rawGet(`${workerd.url}/origin${path}`, { "cf-ray": ray });
      if (!leaves) return (await client.ended).length;
      // Once its request was asked for upstream: what workerd never read, it cannot tell of.
      if (after < 1000) await asked;
      else await client.received(after);
      client.reset();
      left++;
      return (await client.ended).length;
    }),
  );
  expect(left).toBe(CLIENTS / 2);
  clients.forEach(({ leaves }, i) => {
    if (!leaves) expect(received[i]).toBeGreaterThan(SIZE);
  });

  const recordsNow = (): SummaryRecord[] =>
    tracedItems(workerd.lines).flatMap(({ records }) => records);
  const items = (): number => workerd.lines.filter((line) => line.includes("TRACE-ITEM")).length;
  await expect.poll(items, { timeout: 30_000, interval: 250 }).toBeGreaterThanOrEqual(CLIENTS);
  await expect.poll(() => origin.open(), { timeout: 10_000 }).toBe(0);
  const last = "f".repeat(16);
  await (
    await fetch(`${workerd.url}/origin/ramp/10`, { headers: { "cf-ray": last } })
  ).arrayBuffer();
  await workerd.line((line) => line.includes("TRACE-ITEM") && line.includes(last));

  const byRay = Map.groupBy(recordsNow(), (record) => record.request);
  const tally = new Map<string, number>();
  for (const { ray, leaves } of clients) {
    const records = byRay.get(ray) ?? [];
    expect(records, `records of ${ray}`).toHaveLength(1);
    const [record] = records;
    if (record === undefined) continue;
    expect(record.outcome).toBe(leaves ? "client-left" : "complete");
    expect(record.bytesSent === SIZE).toBe(!leaves);
    expect(record.openAfterClose).toBe(0);
    expect(jsonBytes(record)).toBeLessThan(8192);
    const name = `${record.outcome} ${record.endedBy} ${record.status}`;
    tally.set(name, (tally.get(name) ?? 0) + 1);
  }
  console.log(Object.fromEntries(tally));
  expect(byRay.size).toBe(CLIENTS + 1);
});
