/**
 * What a person sees in the Local Explorer of `npm start` after a windowed download: a span per part, overlapping in
 * time as the window says, with attributes; by SQL, in a real Chromium, and as the waterfall of `tail --local`. Leaves a
 * screenshot under test/output. Needs Debian's chromium.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { queryLocal } from "../../cli/local-explorer.ts";
import { tail } from "../../cli/tail.ts";
import type { SummaryRecord } from "../../src/observe/record.ts";
import { freePort } from "./support/start.ts";

const root = resolve(import.meta.dirname, "../..");
const output = join(root, "test/output");
const BYTES = 16 * 1024 * 1024;
const WINDOW = 6;
const DELAY_MS = 60;

let app: ChildProcess;
let browser: Browser;
let base: string;
let state: string;
let printed = "";

interface Part {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), "edge-readahead-start-"));
  const [port, originPort] = [await freePort(), await freePort()];
  base = `http://127.0.0.1:${port}`;
  app = spawn(
    "npm",
    [
      "start",
      "--",
      `--port=${port}`,
      `--origin-port=${originPort}`,
      `--delay=${DELAY_MS}`,
      `--persist-to=${state}`,
    ],
    { cwd: root, stdio: ["ignore", "pipe", "pipe"], detached: true },
  );
  await new Promise<void>((done, fail) => {
    for (const stream of [app.stdout, app.stderr])
      stream?.on("data", (piece) => {
        printed += String(piece);
        if (printed.includes("edge-readahead runs at")) done();
      });
    app.once("exit", (code) => fail(new Error(`npm start ended with ${code}:\n${printed}`)));
  });
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  const response = await fetch(`${base}/origin/ramp.bin`, {
    headers: { range: `bytes=0-${BYTES - 1}` },
  });
  expect((await response.arrayBuffer()).byteLength).toBe(BYTES);
});

afterAll(async () => {
  await browser?.close();
  const { pid } = app;
  if (pid !== undefined && app.exitCode === null) {
    const ended = new Promise((done) => app.once("exit", done));
    process.kill(-pid, "SIGINT");
    await ended;
  }
  await rm(state, { recursive: true, force: true });
});

async function partSpans(): Promise<Part[]> {
  const rows = await queryLocal(
    base,
    `select part.name, part.start_ms, part.start_ms + part.duration_ms, json(part.attributes)
     from spans part join spans download on part.parent_id = download.span_id
     where download.name = 'download' and part.name like 'part %' and part.duration_ms is not null`,
  );
  return rows.map(([name, from, to, attributes]) => ({
    name: String(name),
    from: Number(from),
    to: Number(to),
    attributes: JSON.parse(String(attributes)) as Part["attributes"],
  }));
}

/** The most spans open at the same time; `slack` milliseconds are taken off both ends, because the table has whole ones. */
function mostAtOnce(
  parts: readonly { readonly from: number; readonly to: number }[],
  slack: number,
): number {
  return Math.max(
    ...parts.map(
      ({ from }) =>
        parts.filter((part) => part.from + slack <= from && from < part.to - slack).length,
    ),
  );
}

async function theRecord(): Promise<SummaryRecord> {
  let text = "";
  const code = await tail(["--local", "--once", "--json", "--url", base], {
    input: (async function* () {})(),
    out: (piece) => {
      text += piece;
    },
    err: () => {},
    env: {},
  });
  expect(code).toBe(0);
  return JSON.parse(text) as SummaryRecord;
}

interface Bar {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** For the browser, as text: the types of its page are not ours. The bar of a row is the one at its height. */
const barsOnPage = `(() => {
  const boxes = [...document.querySelectorAll("[style*='left'][style*='width']")].map((bar) => bar.getBoundingClientRect());
  return [...document.querySelectorAll("span")]
    .filter((name) => /^part \\d+$/.test(name.textContent))
    .map((name) => {
      const row = name.getBoundingClientRect();
      const middle = row.top + row.height / 2;
      const bar = boxes.find((box) => box.top <= middle && middle <= box.bottom && box.left > row.right - 1);
      return { name: name.textContent, from: bar?.left ?? NaN, to: bar?.right ?? NaN };
    });
})()`;

describe("Local Explorer after a windowed download from npm start", () => {
  it("has one span per part, as many at once as the window allows, with attributes", async () => {
    await expect
      .poll(async () => (await partSpans()).length, { timeout: 20_000 })
      .toBeGreaterThan(WINDOW);
    const record = await theRecord();
    await expect.poll(async () => (await partSpans()).length).toBe(record.attempts);
    const parts = await partSpans();
    expect(parts.map(({ name }) => name).toSorted()).toEqual(
      Array.from({ length: record.parts }, (_, i) => `part ${i}`).toSorted(),
    );
    expect(mostAtOnce(parts, 0)).toBeGreaterThanOrEqual(WINDOW);
    expect(mostAtOnce(parts, 2)).toBeLessThanOrEqual(WINDOW);
    const ranges = parts
      .map(({ attributes }) =>
        [attributes["readahead.range.start"], attributes["readahead.range.end"]].map(Number),
      )
      .toSorted(([a = 0], [b = 0]) => a - b);
    ranges.forEach(([start], i) => {
      expect(start).toBe(i === 0 ? 0 : ranges[i - 1]?.[1]);
    });
    expect(ranges.at(-1)?.[1]).toBe(BYTES);
    for (const { attributes } of parts)
      expect(attributes).toMatchObject({
        "readahead.replica": "r1",
        "readahead.end": "complete",
        "readahead.attempt": 1,
      });
  });

  it("shows them in a browser, the window as a staircase of overlapping bars", async () => {
    const page = await browser.newPage({ viewport: { width: 1200, height: 1000 } });
    await page.goto(`${base}/cdn-cgi/local/explorer/observability?worker=edge-readahead`);
    await page.getByText("/origin/ramp.bin").first().click();
    await page.getByText("part 7", { exact: true }).waitFor();
    const bars = (await page.evaluate(barsOnPage)) as Bar[];
    const record = await theRecord();
    expect(bars).toHaveLength(record.parts);
    for (const bar of bars) expect(bar.to).toBeGreaterThan(bar.from);
    expect(mostAtOnce(bars, 0)).toBeGreaterThanOrEqual(WINDOW - 1);
    expect(mostAtOnce(bars, 4)).toBeLessThanOrEqual(WINDOW);
    await mkdir(output, { recursive: true });
    await page.screenshot({ path: join(output, "window-in-local-explorer.png") });
    await page.getByText("part 7", { exact: true }).click();
    await page.getByText("readahead.replica").first().waitFor();
    await page.close();
  });

  it("draws the same in the terminal with tail --local", async () => {
    let text = "";
    await tail(["--local", "--once", "--all", "--url", base, "--width", "100"], {
      input: (async function* () {})(),
      out: (piece) => {
        text += piece;
      },
      err: () => {},
      env: {},
    });
    const record = await theRecord();
    expect(text.split("\n").filter((line) => /^ +\d+  r1/.test(line))).toHaveLength(record.parts);
  });

  it("is linked from what npm start prints", () => {
    expect(printed).toContain(`${base}/cdn-cgi/local/explorer`);
  });
});
