/**
 * Runs a case: every variant once a round, all rounds interleaved, every second round in the opposite order, so that
 * what drifts on the machine meets all of them alike. Servers live as long as their case and are warmed once.
 */
import { MiB } from "../../test/support/units.ts";
import type { Setting } from "./machine.ts";
import { type Bench, measure } from "./measure.ts";
import { type RunningServer, startServer } from "./servers.ts";
import { type BarResult, type Figure, judge, summarise } from "./stats.ts";
import type { Case, Metric, RunResult, Variant } from "./suite.ts";

export interface VariantResult {
  readonly name: string;
  readonly figures: Partial<Record<Metric, Figure>>;
  readonly samples?: readonly (readonly [number, number])[] | undefined;
  readonly problems: readonly string[];
}

export interface CaseResult {
  readonly name: string;
  readonly title: string;
  readonly date: string;
  readonly mode: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly shows: readonly Metric[];
  readonly note?: string | undefined;
  readonly variants: readonly VariantResult[];
  readonly bars: readonly BarResult[];
  /** Of the run that measured it; results from before 2026-12-01 have one for all. */
  readonly setting?: Setting | undefined;
}

/** Something that says where the run is, for a person who waits. */
export type Progress = (text: string) => void;

export async function runCase(
  bench: Bench,
  item: Case,
  mode: string,
  progress: Progress,
): Promise<CaseResult> {
  const startedAt = performance.now();
  const runs = new Map<Variant, RunResult[]>(item.variants.map((variant) => [variant, []]));
  const servers = new Servers(bench, item.warmBytes ?? 64 * MiB);
  const profileOf = (variant: Variant) =>
    `${item.name}.${item.variants.indexOf(variant)}`.replaceAll(/[^\w.-]/g, "_");
  const runOnce = async (variant: Variant, round: number) => {
    progress(`${item.name}: round ${round + 1}/${item.rounds}, ${variant.name}`);
    let result: RunResult;
    try {
      const server = await servers.get(variant);
      result = await measure(bench, { variant, server, profile: profileOf(variant), round });
    } catch (error) {
      result = { values: {}, firstByteMs: [], problem: firstLine(error) };
    }
    runs.get(variant)?.push(result);
    if (variant.fresh === true) await servers.drop(variant);
  };
  try {
    for (const variant of item.variants)
      await bench.origin.setProfile(profileOf(variant), variant.profile);
    for (let round = 0; round < item.rounds; round++) {
      const due = item.variants.filter((variant) => round < (variant.rounds ?? item.rounds));
      if (round % 2 === 1) due.reverse();
      await runRound(due, (variant) => runOnce(variant, round));
    }
  } finally {
    await servers.stop();
  }
  const figureOf = (variant: Variant, metric: Metric) => summarise(runs.get(variant) ?? [], metric);
  return {
    name: item.name,
    title: item.title,
    date: new Date().toISOString(),
    mode,
    rounds: item.rounds,
    seconds: (performance.now() - startedAt) / 1000,
    shows: item.shows,
    note: item.note,
    variants: item.variants.map((variant) => summary(variant, runs.get(variant) ?? [])),
    bars: item.bars.map((bar) =>
      judge(bar, (name) => {
        const variant = item.variants.find((candidate) => candidate.name === name);
        return variant === undefined ? undefined : figureOf(variant, bar.metric);
      }),
    ),
  };
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n").slice(0, 2).join(" ");
}

/** Variants without a lane one after the other; then all lanes side by side. */
async function runRound(
  due: readonly Variant[],
  run: (variant: Variant) => Promise<void>,
): Promise<void> {
  const lanes = new Map<string, Variant[]>();
  for (const variant of due) {
    if (variant.lane === undefined) {
      await run(variant);
      continue;
    }
    const lane = lanes.get(variant.lane) ?? [];
    lane.push(variant);
    lanes.set(variant.lane, lane);
  }
  await Promise.all(
    [...lanes.values()].map(async (lane) => {
      for (const variant of lane) await run(variant);
    }),
  );
}

function summary(variant: Variant, runs: readonly RunResult[]): VariantResult {
  const metrics = new Set(runs.flatMap((run) => Object.keys(run.values) as Metric[]));
  const figures: Partial<Record<Metric, Figure>> = {};
  for (const metric of metrics) {
    const figure = summarise(runs, metric);
    if (figure !== undefined) figures[metric] = figure;
  }
  return {
    name: variant.name,
    figures,
    samples: runs.find((run) => run.samples !== undefined)?.samples,
    problems: runs.map((run) => run.problem).filter((problem) => problem !== undefined),
  };
}

/** The running servers of one case: variants that are answered alike share one, unless they run side by side. */
class Servers {
  readonly #bench: Bench;
  readonly #warmBytes: number;
  readonly #running = new Map<string, Promise<RunningServer>>();

  constructor(bench: Bench, warmBytes: number) {
    this.#bench = bench;
    this.#warmBytes = warmBytes;
  }

  get(variant: Variant): Promise<RunningServer> {
    const key = keyOf(variant);
    const running = this.#running.get(key) ?? this.#start(variant);
    this.#running.set(key, running);
    return running;
  }

  async #start(variant: Variant): Promise<RunningServer> {
    const server = await startServer(variant.server, this.#bench.origin.port);
    if (variant.server.kind === "origin") return server;
    // What a fresh server takes for its first bytes is part of what its memory grows by.
    const warmBytes = variant.fresh === true ? 1 : this.#warmBytes;
    const path = server.prefix + this.#bench.origin.path("plain", warmBytes, "warm-up");
    const job = { target: { port: server.port, path }, reading: { limitMs: 30_000 } };
    const [result] = await this.#bench.clients.run([job]);
    if (result?.complete !== true) {
      await server.stop();
      const log = server.takeLog().trim().split("\n").slice(-5).join("\n");
      throw new Error(`${variant.name} does not serve: ${result?.problem ?? "no result"}\n${log}`);
    }
    return server;
  }

  async drop(variant: Variant): Promise<void> {
    const key = keyOf(variant);
    const running = this.#running.get(key);
    this.#running.delete(key);
    await running?.then((server) => server.stop()).catch(() => {});
  }

  async stop(): Promise<void> {
    const all = [...this.#running.values()];
    this.#running.clear();
    await Promise.all(
      all.map((running) => running.then((server) => server.stop()).catch(() => {})),
    );
  }
}

function keyOf({ server, lane, fresh, name }: Variant): string {
  return JSON.stringify([server, lane ?? "", fresh === true ? name : ""]);
}
