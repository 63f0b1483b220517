/**
 * The built Worker under bare workerd between a store that fails in every way and clients that leave anywhere, over real
 * sockets: what the engine's property tests say with a fake clock must hold here, too. Limits, faults and clients are
 * drawn from a seed, which the test's name and `SEED` give again.
 */
import { afterEach, expect, it } from "vitest";
import type { SummaryRecord } from "../../src/observe/record.ts";
import { type Content, contentBytes, firstDifference } from "../support/object-bytes.ts";
import { createRandom, type Random } from "../support/random.ts";
import type { Fault, ScriptedFault } from "../support/store-script.ts";
import { type StoreServer, startStoreServer } from "../support/store-server.ts";
import { anotherVersion, type StoreSpace } from "../support/store-space.ts";
import { KiB, MiB } from "../support/units.ts";
import { until } from "../support/until.ts";
import { rawGet } from "./observe-support/raw-client.ts";
import { ask } from "./support/http.ts";
import { startWorkerd, type Workerd } from "./support/workerd.ts";

const DOWNLOADS = 48;
const AT_ONCE = 8;
/** Every fourth request meets a fault. */
const FAULTY = 0.25;
const SEEDS = 3;

let store: StoreServer | undefined;
let worker: Workerd | undefined;

afterEach(async () => {
  await worker?.close();
  await store?.close();
});

class Dice {
  readonly random: Random;

  constructor(seed: number) {
    this.random = createRandom(seed);
  }

  upTo(most: number): number {
    return Math.floor(this.random() * (most + 1));
  }

  of<T>(things: readonly [T, ...T[]]): T {
    return things[this.upTo(things.length - 1)] ?? things[0];
  }
}

function drawFault(dice: Dice): Fault {
  const after = dice.upTo(300 * KiB);
  return dice.of<Fault>([
    { kind: "reset", after },
    { kind: "reset", after: "before-headers" },
    { kind: "reset", after: "last-byte" },
    { kind: "stall", after },
    { kind: "stall", after: "before-headers" },
    { kind: "late-headers", ms: dice.upTo(1_200) },
    { kind: "trickle", bytes: 4 * KiB, everyMs: 10 },
    { kind: "short", bytes: 1 + dice.upTo(1_000) },
    { kind: "long", bytes: 1 + dice.upTo(1_000) },
    { kind: "status", status: dice.of([404, 412, 416, 429, 500]) },
    { kind: "status", status: 503, headers: { "retry-after": "0" } },
    { kind: "ignore-range" },
    { kind: "wrong-range", shift: 1 + dice.upTo(1_000) },
    { kind: "no-content-range" },
    { kind: "gzip" },
    { kind: "multipart" },
    { kind: "changed" },
  ]);
}

function drawLimits(dice: Dice) {
  return {
    window_parts: dice.of([1, 2, 4, 6, 16]),
    part_bytes: dice.of([16 * KiB, 64 * KiB, 100_001, 256 * KiB, 4 * MiB]),
    budget_bytes: dice.of([0, 300_000, MiB, 32 * MiB]),
    unanswered: dice.of([1, 6, 16]),
    open_upstreams: dice.of([2, 96]),
    hold_ms: dice.of([100, 1_000]),
    stall_ms: 500,
    first_byte_ms: 800,
    attempts: dice.of([2, 4, 8]),
    hedge: dice.of([true, false]),
    facts_ms: dice.of([0, 60_000]),
  };
}

/** What an object may be: itself, or one of the versions that faults have made of it. */
function versionsOf(content: Content): Content[] {
  const versions = [content];
  for (let i = 0; i < 12; i++) versions.push(anotherVersion(versions[i] ?? content));
  return versions;
}

/** One client. @returns what is wrong with what it got */
async function download(dice: Dice, url: string, content: Content, size: number): Promise<string> {
  if (dice.random() < 0.3) {
    const client = rawGet(url);
    // Behind its first byte: of what the Worker never read there is no record.
    await client.received(1 + dice.upTo(size)).catch(() => {});
    client.reset();
    await client.ended;
    return "";
  }
  const ranged = dice.random() < 0.5;
  const start = ranged ? dice.upTo(size - 1) : 0;
  const end = ranged ? start + 1 + dice.upTo(size - 1 - start) : size;
  const headers = ranged ? { range: `bytes=${start}-${end - 1}` } : {};
  // A connection that ends before headers is a failure that nobody overlooks.
  const answer = await ask(url, { headers }).catch(() => undefined);
  if (answer === undefined || !answer.complete || answer.status >= 400) return "";
  // The whole object, where the store did not range.
  const from = answer.status === 206 ? start : 0;
  const to = answer.status === 206 ? end : size;
  const right = versionsOf(content).some(
    (version) => firstDifference(answer.body, contentBytes(version, from, to)) < 0,
  );
  return right ? "" : `${url} ${headers.range}: ${answer.status}, ${answer.body.byteLength} bytes`;
}

async function settled(space: StoreSpace): Promise<void> {
  await until("nothing is open at the store", () => {
    const { openBodies, unanswered } = space.stats();
    return openBodies === 0 && unanswered === 0;
  });
}

const first = Number(process.env["SEED"] ?? Date.now() % 2 ** 31);

it.each(Array.from({ length: SEEDS }, (_, i) => first + i))(
  "brings right bytes or a visible failure, and leaves nothing behind: SEED=%i",
  { timeout: 120_000 },
  async (seed) => {
    const dice = new Dice(seed);
    const limits = drawLimits(dice);
    // Each is asked for twice: what is remembered of it must not mislead.
    const objects = Array.from({ length: DOWNLOADS / 2 }, (_, i) => {
      const size = 1 + dice.upTo(dice.of([200 * KiB, 2 * MiB, 4 * MiB]));
      const content: Content = { kind: "counter", seed: i * 1_000_003 };
      return { key: `${i}`, content, size };
    });
    const faults: ScriptedFault[] = [];
    for (let at = 0; at < 5_000; at++)
      if (dice.random() < FAULTY) faults.push({ at, fault: drawFault(dice) });
    store = await startStoreServer();
    const space = store.space("o", {
      objects: Object.fromEntries(objects.map(({ key, ...object }) => [key, object])),
      faults,
      latencyMs: dice.of([0, 5]),
    });
    const mounts = { o: { prefix: "/o/", source: "http", url: `${store.url}o/` } };
    worker = await startWorkerd({ mounts, limits, keepRecords: true });
    const { url } = worker;

    const wrong: string[] = [];
    let next = 0;
    const client = async (): Promise<void> => {
      while (next < DOWNLOADS) {
        const object = objects[next++ % objects.length];
        if (object === undefined) return;
        const { key, content, size } = object;
        wrong.push(await download(dice, `${url}/o/${key}`, content, size));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, client));

    expect(wrong.filter(Boolean), JSON.stringify(limits)).toEqual([]);
    const running = worker;
    const records = (): SummaryRecord[] => running.records() as unknown as SummaryRecord[];
    await until("every download has its record", () => records().length >= DOWNLOADS, 10_000);
    expect(records()).toHaveLength(DOWNLOADS);
    await settled(space);
    expect(records().filter(({ openAfterClose }) => openAfterClose !== 0)).toEqual([]);
    const odd = records().filter(
      ({ bytesSent, bytesFetched, bytesWasted, outcome }) =>
        outcome === "complete" && bytesFetched - bytesWasted !== bytesSent,
    );
    expect(odd).toEqual([]);
    const counted = records().reduce((sum, { subrequests }) => sum + subrequests, 0);
    expect(space.stats().requests).toBeLessThanOrEqual(counted);
  },
);
