/**
 * Makes the five cases of the README chapter "Why was this download slow?" happen under `wrangler dev`, and captures what
 * `edge-readahead tail --local` and the Local Explorer show of each: docs/why-slow/*.txt and *.png. Run by hand after a
 * change of the record or of the waterfall:
 *
 *     npm run build && node test/e2e/observe-support/capture-cases.ts
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Browser, chromium } from "playwright-core";
import { tail } from "../../../cli/tail.ts";
import { MiB } from "../../support/units.ts";
import { bundleWorker } from "./bundle.ts";
import { rawGet } from "./raw-client.ts";
import { type Behaviour, startScriptedOrigin } from "./scripted-origin.ts";
import { startWranglerDev, type WranglerDev } from "./wrangler-dev.ts";

const root = resolve(import.meta.dirname, "../../..");
const folder = join(root, "docs/why-slow");

const head = `compatibility_date = "2026-10-23"
compatibility_flags = ["enable_request_signal"]
no_bundle = true
[observability]
enabled = true
`;

const origins = [
  await startScriptedOrigin(),
  await startScriptedOrigin(),
  await startScriptedOrigin(),
] as const;
const [origin] = origins;
const shipped = await startWranglerDev({
  "main.js": await readFile(join(root, "dist/worker.js"), "utf8"),
  "main.toml": `name = "edge-readahead"
main = "main.js"
${head}
[vars.MOUNTS.origin]
prefix = "/origin/"
source = "http"
url = "${origin.url}/"
[vars.MOUNTS.small]
prefix = "/small/"
source = "http"
url = "${origin.url}/"
part_bytes = 65536
`,
});
const replicated = await startWranglerDev({
  "main.js": await bundleWorker("replica-worker.ts"),
  "main.toml": `name = "edge-readahead"
main = "main.js"
${head}
[vars]
REPLICAS = ${JSON.stringify(origins.map(({ url }) => url))}
LIMITS = { partBytes = 65536, hedge = false }
`,
});
const captured = new Set<string>();
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
await mkdir(folder, { recursive: true });
try {
  origins.forEach((each, i) => {
    each.script = () =>
      i === 2 ? { delayMs: 120, rate: 1_000_000 } : { delayMs: 20, rate: 8_000_000 };
  });
  await read(`${replicated.url}/replicas/${24 * 65536}`);
  await capture("slow-replica", replicated, browser);

  origin.script = throttled;
  await read(`${shipped.url}/origin/ramp/${12 * MiB}`);
  await capture("throttled-origin", shipped, browser);

  origin.script = () => ({ delayMs: 20 });
  await readSlowly(`${shipped.url}/origin/ramp/${40 * MiB}`, 2_500_000);
  await capture("slow-client", shipped, browser);

  origin.script = () => ({ delayMs: 40, rate: 6_000_000 });
  const leaver = rawGet(`${shipped.url}/origin/ramp/${64 * MiB}`);
  await leaver.received(3 * MiB);
  leaver.reset();
  await leaver.ended;
  await capture("client-left", shipped, browser);

  origin.script = () => ({ delayMs: 40 });
  await read(`${shipped.url}/small/ramp/${4 * MiB}`);
  await capture("small-parts", shipped, browser);
} finally {
  await browser.close();
  await Promise.all([shipped.close(), replicated.close()]);
  await Promise.all(origins.map((each) => each.close()));
}

/** Answers three requests at a time, and tells the others to come back. */
function throttled(): Behaviour {
  return origin.open() > 3 ? { delayMs: 10, status: 429 } : { delayMs: 30, rate: 10_000_000 };
}

async function read(url: string): Promise<void> {
  await (await fetch(url)).arrayBuffer();
}

async function readSlowly(url: string, rate: number): Promise<void> {
  const { socket, ended } = rawGet(url);
  const stepMs = 50;
  let allowed = 0;
  const timer = setInterval(() => {
    allowed += (rate * stepMs) / 1000;
    if (allowed > 0) socket.resume();
  }, stepMs);
  socket.on("data", (piece) => {
    allowed -= piece.length;
    if (allowed <= 0) socket.pause();
  });
  await ended;
  clearInterval(timer);
}

/** Waits for the record of the download that just ended, and takes both pictures of it. */
async function capture(name: string, wrangler: WranglerDev, chrome: Browser): Promise<void> {
  let text = "";
  for (let tries = 0; !text.includes("fetched") && tries < 100; tries++) {
    await sleep(200);
    text = "";
    await tail(
      ["--local", "--once", "--all", "--rows", "12", "--url", wrangler.url, "--width", "96"],
      {
        input: (async function* () {})(),
        out: (piece) => {
          text += piece;
        },
        err: () => {},
        env: {},
      },
    );
    text = text.slice(Math.max(0, text.search(/^\d\d:\d\d:\d\d(?![\s\S]*^\d\d:\d\d:\d\d)/m)));
    if (captured.has(text)) text = "";
  }
  captured.add(text);
  await writeFile(join(folder, `${name}.txt`), text);
  const page = await chrome.newPage({ viewport: { width: 1180, height: 760 } });
  await page.goto(`${wrangler.url}/cdn-cgi/local/explorer/observability?worker=edge-readahead`);
  await page.getByText("/ramp/").or(page.getByText("/replicas/")).first().click();
  await page.getByText("part 1", { exact: true }).first().waitFor();
  await page.screenshot({
    path: join(folder, `${name}.png`),
    clip: { x: 268, y: 228, width: 900, height: 500 },
  });
  await page.close();
  console.log(`${name}\n${text}`);
}
