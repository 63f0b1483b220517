/** Runs one load once against one server and says what it cost: the only place that knows how to do what a load says. */
import { GiB, MiB } from "../../test/support/units.ts";
import type { Result } from "../client/download.ts";
import type { Job } from "../client.ts";
import { customerHeaders } from "../origin/seaweedfs-keys.ts";
import { type Clients, curlRanges } from "./clients.ts";
import type { Origin } from "./origin.ts";
import { cpuSeconds, resetPeak, residentBytes } from "./processes.ts";
import type { RunningServer } from "./servers.ts";
import { quantile } from "./stats.ts";
import type { Load, Metric, RunResult, Variant } from "./suite.ts";

/** The processes that every run shares. */
export interface Bench {
  readonly origin: Origin;
  readonly clients: Clients;
}

/** What one run is: `profile` is its own at the origin, so that runs side by side are counted apart. */
export interface Run {
  readonly variant: Variant;
  readonly server: RunningServer;
  readonly profile: string;
  readonly round: number;
}

type Values = Partial<Record<Metric, number>>;

/** How long after clients left the books are looked at, ms. */
const settleMs = 2_000;
/** After which a process could have given memory back. */
const remainsMs = 5_000;
/** Slow clients arrive one by one, a hundred a second: each swallows megabytes of socket buffers when it comes. */
const arrivalMs = 10;
/** The origin must have seen every socket close 200 ms after a reset; this leaves it time to say more. */
const closeMs = 400;

/** Never rejects: what goes wrong is the result's problem. */
export async function measure(bench: Bench, run: Run): Promise<RunResult> {
  try {
    await bench.origin.reset(run.profile);
    run.server.takeLog();
    return await measureLoad(bench, run, run.variant.load);
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}

function measureLoad(bench: Bench, run: Run, load: Load): Promise<RunResult> {
  switch (load.kind) {
    case "download":
      return measureDownload(bench, run, load);
    case "curl-ranges":
      return measureCurl(bench, run, load);
    case "first-byte":
      return measureFirstByte(bench, run, load);
    case "slow":
      return measureSlow(bench, run, load);
    case "leave":
      return measureLeave(bench, run, load);
  }
}

/** A path of this run's own: nothing on the way has seen its facts, and no cache its bytes. */
function jobFor(bench: Bench, run: Run, bytes: number, name: string, reading: Job["reading"]): Job {
  const path = bench.origin.path(run.profile, bytes, `${run.round}-${name}`);
  return { target: { port: run.server.port, path: run.server.prefix + path }, reading };
}

function failed(problem: string): RunResult {
  return { values: {}, firstByteMs: [], problem };
}

function problemOf(results: readonly Result[], expected?: string): string | undefined {
  const bad = results.find((result) => result.problem !== expected);
  if (bad === undefined) return undefined;
  return bad.problem ?? "complete too early";
}

async function measureDownload(
  bench: Bench,
  run: Run,
  load: Load & { kind: "download" },
): Promise<RunResult> {
  const { bytes, clients = 1, known = false, withKey = false, sampleMs, limitMs = 90_000 } = load;
  const headers = withKey ? customerHeaders : {};
  const reading = { limitMs, sampleMs, headers };
  const jobs = Array.from({ length: clients }, (_, i) =>
    jobFor(bench, run, bytes, `${i}`, reading),
  );
  if (known) {
    const glance = { limitMs, headers, range: { start: 0, end: 1 } };
    const problem = problemOf(
      await bench.clients.run(jobs.map(({ target }) => ({ target, reading: glance }))),
    );
    if (problem !== undefined) return failed(problem);
    await bench.origin.reset(run.profile);
  }
  const meter = startMeter(run.server.pid);
  const results = await bench.clients.run(jobs);
  const cost = meter();
  const problem = problemOf(results);
  if (problem !== undefined) return failed(problem);
  const counters = await bench.origin.counters(run.profile);
  const seconds = Math.max(...results.map((result) => result.totalMs)) / 1000;
  const short = results.find((result) => result.bytes < bytes);
  if (short !== undefined) return failed(`${short.bytes} bytes came of ${bytes}`);
  const received = bytes * clients;
  const rates = results.map((result) => result.bytes / result.totalMs);
  const values: Values = {
    seconds,
    mbps: received / 1e6 / seconds,
    originMiB: counters.bytesWritten / MiB,
    originRequests: counters.requests,
    lookups: counters.lookups,
    wasteShare: Math.max(0, counters.bytesWritten - received) / received,
    fairness: Math.min(...rates) / Math.max(...rates),
    firstByteP50Ms: quantile(
      results.map((result) => result.firstByteMs),
      0.5,
    ),
    hedges: sumOfRecords(run.server.takeLog(), "hedges"),
    ...growth(cost),
  };
  if (cost !== undefined) values.cpuPerGiB = (cost.cpu / received) * GiB;
  return {
    values,
    firstByteMs: results.map((result) => result.firstByteMs),
    samples: results[0]?.samples,
  };
}

async function measureCurl(
  bench: Bench,
  run: Run,
  load: Load & { kind: "curl-ranges" },
): Promise<RunResult> {
  const path = bench.origin.path(run.profile, load.bytes, `${run.round}`);
  const url = `http://127.0.0.1:${run.server.port}${run.server.prefix}${path}`;
  const endedAt = await curlRanges(url, load.bytes, load.partBytes);
  const { requests, bytesWritten, peakSockets, firstRequestAt } = await bench.origin.counters(
    run.profile,
  );
  // Starting curl is not reading.
  const seconds = (endedAt - firstRequestAt) / 1000;
  if (bytesWritten !== load.bytes) return failed(`curl was sent ${bytesWritten} bytes`);
  if (peakSockets !== 1) return failed(`curl used ${peakSockets} connections`);
  const values: Values = {
    seconds,
    mbps: load.bytes / 1e6 / seconds,
    originRequests: requests,
    originMiB: bytesWritten / MiB,
  };
  return { values, firstByteMs: [] };
}

async function measureFirstByte(
  bench: Bench,
  run: Run,
  load: Load & { kind: "first-byte" },
): Promise<RunResult> {
  const firstByteMs: number[] = [];
  const { bytes, requests, firstBytes, known = false } = load;
  const reading = {
    limitMs: 10_000,
    range: firstBytes === undefined ? undefined : { start: 0, end: firstBytes },
  };
  for (let i = 0; i < requests; i++) {
    const job = jobFor(bench, run, bytes, `${i}`, reading);
    if (known) await bench.clients.run([job]);
    const results = await bench.clients.run([job]);
    const problem = problemOf(results);
    if (problem !== undefined) return failed(problem);
    for (const result of results) firstByteMs.push(result.firstByteMs);
  }
  const counters = await bench.origin.counters(run.profile);
  const values: Values = {
    originRequests: counters.requests,
    lookups: counters.lookups,
    firstByteP50Ms: quantile(firstByteMs, 0.5),
    firstByteP99Ms: quantile(firstByteMs, 0.99),
  };
  return { values, firstByteMs };
}

async function measureSlow(
  bench: Bench,
  run: Run,
  load: Load & { kind: "slow" },
): Promise<RunResult> {
  const { bytes, clients, bytesPerSecond, seconds } = load;
  const reading = { limitMs: seconds * 1000, bytesPerSecond };
  const jobs = Array.from({ length: clients }, (_, i) => ({
    ...jobFor(bench, run, bytes, `${i}`, reading),
    delayMs: i * arrivalMs,
  }));
  const meter = startMeter(run.server.pid);
  const results = await bench.clients.run(jobs);
  const cost = meter();
  const problem = problemOf(results, "time limit");
  if (problem !== undefined) return failed(problem);
  const counters = await bench.origin.counters(run.profile);
  const shares = results.map(
    ({ bytes: got, totalMs }) => got / ((bytesPerSecond * totalMs) / 1000),
  );
  const values: Values = {
    paceShare: Math.min(...shares),
    starved: shares.filter((share) => share < 0.8).length,
    originMiB: counters.bytesWritten / MiB,
    originRequests: counters.requests,
    ...growth(cost),
    ...(await books(run.server)),
  };
  return { values, firstByteMs: results.map((result) => result.firstByteMs) };
}

async function measureLeave(
  bench: Bench,
  run: Run,
  load: Load & { kind: "leave" },
): Promise<RunResult> {
  const { bytes, clients, afterBytes, afterMs, ranged = false } = load;
  const reading = {
    limitMs: afterMs + 30_000,
    leave: { afterBytes, afterMs },
    ...(ranged ? { range: { start: 0 } } : {}),
  };
  const jobs = Array.from({ length: clients }, (_, i) =>
    jobFor(bench, run, bytes, `${i}`, reading),
  );
  const meter = startMeter(run.server.pid);
  const results = await bench.clients.run(jobs);
  const resetAt = Math.max(...results.map((result) => result.resetAt));
  const cost = meter();
  const problem = problemOf(results, "left");
  if (problem !== undefined) return failed(problem);
  await new Promise((resolve) => setTimeout(resolve, closeMs));
  const counters = await bench.origin.counters(run.profile);
  const values: Values = {
    originMiB: counters.bytesWritten / MiB,
    originRequests: counters.requests,
    closeMs: Math.max(0, ...counters.closes.map((at) => at - resetAt)),
    openAfter: counters.openResponses,
    lateRequests: counters.lastRequestAt > resetAt ? 1 : 0,
    ...growth(cost),
    ...(clients > 1 ? await books(run.server) : {}),
    ...(clients > 1 ? await remains(run.server.pid, cost) : {}),
  };
  return { values, firstByteMs: results.map((result) => result.firstByteMs) };
}

interface Cost {
  readonly cpu: number;
  /** Resident bytes before the run. */
  readonly rssBefore: number;
  readonly rssGrowth: number;
}

/** Starts to count; what it returns ends the count. */
function startMeter(pid: number | undefined): () => Cost | undefined {
  if (pid === undefined) return () => undefined;
  resetPeak(pid);
  const rss = residentBytes(pid).now;
  const cpu = cpuSeconds(pid);
  return () => ({
    cpu: cpuSeconds(pid) - cpu,
    rssBefore: rss,
    rssGrowth: residentBytes(pid).peak - rss,
  });
}

function growth(cost: Cost | undefined): Values {
  return cost === undefined ? {} : { rssGrowthMiB: Math.max(0, cost.rssGrowth) / MiB };
}

async function remains(pid: number | undefined, cost: Cost | undefined): Promise<Values> {
  if (pid === undefined || cost === undefined) return {};
  await new Promise((resolve) => setTimeout(resolve, remainsMs));
  return { rssAfterMiB: (residentBytes(pid).now - cost.rssBefore) / MiB };
}

async function books(server: RunningServer): Promise<Values> {
  const before = await server.held();
  if (before === undefined) return {};
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const after = await server.held();
  return {
    heldShare: before.peak / before.limit,
    heldAfterMiB: (after?.held ?? Number.NaN) / MiB,
  };
}

/** Adds up one number of our summary records, as bare workerd prints them (the text of an inspected object or JSON). */
function sumOfRecords(log: string, name: string): number {
  let sum = 0;
  for (const match of log.matchAll(new RegExp(`["']?${name}["']?:\\s*(\\d+)`, "g")))
    sum += Number(match[1]);
  return sum;
}
