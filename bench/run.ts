/**
 * `npm run bench -- [case ...]`: runs the benchmark and says which bars are met.
 *
 *     --quick        the part CI runs: under two minutes, fails only on gross regressions of ratios
 *     --long         slow clients read for 90 s instead of 18
 *     --no-peers     leaves nginx and Traffic Server out
 *     --rounds N     other than the case's own number of rounds
 *     --limit N      minutes after which no further case begins (default 20)
 *     --out DIR      where results go (default bench/results; quick runs, and runs of another build, write only where
 *                    told)
 *     --list         names the cases
 *
 * Results of cases that did not run this time are kept, so that one case can be measured again. Exit code 1: a bar was
 * missed by far or a run failed (quick), or a run failed (full); a missed bar of the full run is a result, not a failure.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { caseTable } from "./cases/table.ts";
import { drawCharts } from "./harness/charts.ts";
import { startClients } from "./harness/clients.ts";
import { describeSetting, type Setting } from "./harness/machine.ts";
import { startOrigin } from "./harness/origin.ts";
import { endAll } from "./harness/processes.ts";
import { formatBars, formatCase, formatMarkdown } from "./harness/report.ts";
import { type CaseResult, runCase } from "./harness/runner.ts";
import type { Case, Mode } from "./harness/suite.ts";
import { nginxVersion } from "./peers/nginx.ts";
import { installPeers } from "./peers/peer.ts";
import { trafficServerVersion } from "./peers/trafficserver.ts";

interface Results {
  readonly setting: Setting;
  readonly cases: readonly CaseResult[];
}

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    long: { type: "boolean", default: false },
    "no-peers": { type: "boolean", default: false },
    rounds: { type: "string" },
    limit: { type: "string", default: "20" },
    out: { type: "string" },
    list: { type: "boolean", default: false },
  },
});

function chooseCases(mode: Mode): readonly Case[] {
  const table = caseTable(mode);
  const unknown = names.filter((name) => !table.some((item) => item.name === name));
  if (unknown.length > 0)
    throw new Error(
      `Unknown case: ${unknown.join(", ")}. Cases: ${table.map(({ name }) => name).join(", ")}`,
    );
  const chosen = names.length === 0 ? table : table.filter(({ name }) => names.includes(name));
  const rounds = options.rounds === undefined ? undefined : count("rounds", options.rounds);
  return chosen
    .filter((item) => !(options["no-peers"] && needsPeers(item)))
    .map((item) => (rounds === undefined ? item : { ...item, rounds }));
}

/** @throws Error for what is no whole number above 0 */
function count(name: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new Error(`--${name} must be a whole number, not ${text}`);
  return Number(text);
}

function needsPeers(item: Case): boolean {
  return item.variants.some(
    ({ server }) => server.kind === "nginx" || server.kind === "trafficserver",
  );
}

/** Writes JSON, Markdown and charts; keeps the cases of an earlier run that this one left out. */
function writeResults(folder: string, fresh: Results): void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "results.json");
  const kept = readCases(file).filter(
    ({ name }) => !fresh.cases.some((item) => item.name === name),
  );
  const order = caseTable("full").map(({ name }) => name);
  const cases = [...fresh.cases, ...kept].toSorted(
    (a, b) => order.indexOf(a.name) - order.indexOf(b.name),
  );
  const lines = cases.map((item) => JSON.stringify(item)).join(",\n");
  writeFileSync(file, `{"setting":${JSON.stringify(fresh.setting)},"cases":[\n${lines}\n]}\n`);
  writeFileSync(join(folder, "results.md"), formatMarkdown(cases, fresh.setting));
  for (const [name, svg] of drawCharts(cases)) writeFileSync(join(folder, name), svg);
}

function readCases(file: string): readonly CaseResult[] {
  try {
    const { setting, cases } = JSON.parse(readFileSync(file, "utf8")) as Results;
    return cases.map((item) => ({ ...item, setting: item.setting ?? setting }));
  } catch {
    return [];
  }
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

async function main(): Promise<number> {
  const mode: Mode = options.quick ? "quick" : options.long ? "long" : "full";
  const chosen = chooseCases(mode);
  if (options.list) {
    for (const { name, title } of chosen) console.log(`${name.padEnd(18)} ${title}`);
    return 0;
  }
  if (chosen.some(needsPeers) && [nginxVersion(), trafficServerVersion()].includes(undefined))
    installPeers();
  const setting = describeSetting();
  console.log(`${setting.machine}\n${JSON.stringify(setting.versions)}`);
  const bench = { origin: await startOrigin(), clients: startClients() };
  const deadline = Date.now() + count("limit", options.limit) * 60_000;
  const results: CaseResult[] = [];
  const shown = !options.quick && process.env["BENCH_WORKER"] === undefined;
  const folder = options.out ?? (shown ? resolve(import.meta.dirname, "results") : undefined);
  for (const item of chosen) {
    if (Date.now() > deadline) {
      console.log(`\n${item.name}: left out, the time limit of ${options.limit} minutes is over`);
      continue;
    }
    const result = { ...(await runCase(bench, item, mode, progress)), setting };
    progress("");
    results.push(result);
    console.log(formatCase(result));
    if (folder !== undefined) writeResults(folder, { setting, cases: results });
  }
  console.log(formatBars(results));
  const failed = results.some(({ variants }) =>
    variants.some(({ problems }) => problems.length > 0),
  );
  const gross = results.flatMap(({ bars }) => bars).filter((bar) => bar.gross);
  if (options.quick && gross.length > 0)
    console.log(`\nGross regressions:\n${gross.map(({ text }) => `  ${text}`).join("\n")}`);
  return failed || (options.quick && gross.length > 0) ? 1 : 0;
}

let code = 1;
try {
  code = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
}
await endAll();
process.exit(code);
