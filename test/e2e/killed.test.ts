/**
 * Requests that the runtime kills: nothing of theirs runs any more, no `finally`, no signal, so what they took of the
 * budget stays taken until they have been silent for two minutes; the clock of the budget is moved there. Under bare workerd.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Origin, startOrigin } from "../../scripts/origin.ts";
import { rampSample } from "../../scripts/samples.ts";
import { until } from "../support/until.ts";
import { bundleWorker } from "./observe-support/bundle.ts";
import { rawGet } from "./observe-support/raw-client.ts";
import { ask } from "./support/http.ts";
import { startWorkerd, type Workerd } from "./support/workerd.ts";

const ramp = rampSample("ramp.bin", 32 * 1024 ** 2);

let folder: string;
let origin: Origin;
let worker: Workerd;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-readahead-killed-"));
  const script = join(folder, "worker.js");
  await writeFile(script, await bundleWorker("../support/killed-worker.ts"));
  origin = await startOrigin({ samples: [ramp] });
  worker = await startWorkerd({
    script,
    bindings: { ORIGIN: { text: `${origin.url}/` } },
    compatibilityFlags: [],
  });
});

// Whatever a test left is taken over, as production does it.
afterEach(async () => {
  await tell("/later?ms=125000");
  await tell("/all");
});

afterAll(async () => {
  await worker?.close();
  await origin?.close();
  await rm(folder, { recursive: true, force: true });
});

async function tell(path: string): Promise<Record<string, number | boolean>> {
  return JSON.parse((await ask(`${worker.url}${path}`)).body.toString());
}

/** Resets the client of a request that has come so far; resolves when the runtime has ended what it had open. */
async function kill(path: string, isSoFar: () => boolean | Promise<boolean>): Promise<void> {
  const client = rawGet(`${worker.url}${path}`);
  await until(`${path} came so far`, isSoFar);
  client.reset();
  await origin.idle(5000);
}

describe("a request that the runtime kills", () => {
  it("leaves its leases and bytes behind, which the next one takes over after two minutes", async () => {
    origin.set({ delayMs: 30_000 });
    await kill("/handled/ramp.bin", () => origin.counts().open > 0);
    origin.set({ delayMs: 0, rate: 4_000_000 });
    await kill("/inside/ramp.bin", async () => Number((await tell("/"))["held"]) > 0);

    const left = await tell("/");
    expect(left["leases"]).toBe(2);
    expect(left["held"]).toBeGreaterThan(0);
    expect(left["open"]).toBeGreaterThan(0);
    expect(await tell("/all")).toEqual({ taken: false });
    await tell("/later?ms=100000");
    expect(await tell("/all")).toEqual({ taken: false });
    expect(await tell("/")).toEqual(left);

    await tell("/later?ms=25000");
    expect(await tell("/all")).toEqual({ taken: true });
    expect(await tell("/")).toEqual({ held: 0, open: 0, leases: 0 });
  });

  it("keeps no other download from its bytes meanwhile", async () => {
    origin.set({ delayMs: 0, rate: 4_000_000 });
    await kill("/inside/ramp.bin", async () => Number((await tell("/"))["held"]) > 0);
    expect((await tell("/"))["leases"]).toBe(1);
    origin.set({ rate: 0 });
    const { body, complete } = await ask(`${worker.url}/handled/ramp.bin`);
    expect([complete, body.byteLength]).toEqual([true, ramp.size]);
    expect(body.equals(Buffer.from(ramp.bytes(0, ramp.size)))).toBe(true);
    expect((await tell("/"))["leases"]).toBe(1);
  });
});
