/** `npm start`: what it prints, what it serves, and that nothing is left of it. */
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rampSample, textSample, toneSample } from "../../scripts/samples.ts";
import { MiB } from "../support/units.ts";
import { ask } from "./support/http.ts";
import { commands } from "./support/readme.ts";
import { isTaken, root, type Started, startLocal } from "./support/start.ts";

const run = promisify(execFile);
const ramp = rampSample("ramp.bin", 8 * MiB);

/** Resolves when the port is free again; fails after five seconds. */
async function freed(port: number): Promise<void> {
  for (let waited = 0; await isTaken(port); waited += 50) {
    if (waited > 5000) throw new Error(`Somebody still listens on port ${port}`);
    await sleep(50);
  }
}

describe("npm start", () => {
  let local: Started;

  beforeAll(async () => {
    local = await startLocal(["--ramp-mib", "8"]);
  }, 60_000);

  afterAll(() => local?.close());

  it("prints URLs and commands that work", async () => {
    const urls = new Set(local.printed().match(/http:\/\/127\.0\.0\.1:\d+[^\s']*/g));
    const mounts = [...urls].map((url) => new URL(url).pathname.split("/")[1]);
    for (const mount of ["files", "origin", "origin-sequential", "weed", "weed-sequential"])
      expect(mounts).toContain(mount);
    for (const url of urls) {
      const { status } = await ask(url, { headers: { range: "bytes=0-9" } });
      expect([200, 206], url).toContain(status);
    }
  });

  it("runs the README's curl lines", async () => {
    const lines = commands().filter((line) => line.startsWith("curl "));
    expect(lines.length).toBeGreaterThanOrEqual(4);
    for (const line of lines) {
      const command = line
        .replaceAll("http://127.0.0.1:8787", local.base)
        .replaceAll("http://127.0.0.1:8788", local.originUrl)
        .replaceAll(/https:\/\/\S+my-object/g, `${local.base}/files/ramp.bin`);
      await run("sh", ["-c", `${command} --fail --silent --show-error -o /dev/null`]);
    }
  });

  it("is quiet: no telemetry, no complaint about being offline", () => {
    expect(local.printed()).not.toMatch(/telemetry|usage metrics|Request\.cf|`cf`|WARNING|ERROR/i);
  });

  it("serves the local bucket: whole, by range, HEAD", async () => {
    const whole = await ask(`${local.base}/files/ramp.bin`);
    expect([whole.status, whole.headers["content-length"]]).toEqual([200, String(ramp.size)]);
    expect(whole.body.equals(Buffer.concat([...blocksOf(0, ramp.size)]))).toBe(true);
    const part = await ask(`${local.base}/files/ramp.bin`, {
      headers: { range: "bytes=1000000-2999999" },
    });
    expect([part.status, part.headers["content-length"]]).toEqual([206, "2000000"]);
    expect(part.body.equals(Buffer.concat([...blocksOf(1_000_000, 3_000_000)]))).toBe(true);
    const head = await ask(`${local.base}/files/ramp.bin`, { method: "HEAD" });
    expect([head.status, head.headers["content-length"]]).toEqual([200, String(ramp.size)]);
  });

  it("leaves length and bytes of a text alone when the client takes gzip", async () => {
    const text = textSample("hello.txt");
    for (const mount of ["files", "origin"]) {
      const whole = await ask(`${local.base}/${mount}/hello.txt`, {
        headers: { "accept-encoding": "gzip, br" },
      });
      expect(whole.headers["content-length"]).toBe(String(text.size));
      expect(whole.body.equals(Buffer.from(text.bytes(0, text.size)))).toBe(true);
      const part = await ask(`${local.base}/${mount}/hello.txt`, {
        headers: { "accept-encoding": "gzip, br", range: "bytes=100-1099" },
      });
      expect([part.status, part.headers["content-length"]]).toEqual([206, "1000"]);
      expect(part.body.equals(Buffer.from(text.bytes(100, 1100)))).toBe(true);
    }
  });

  it("serves an empty object and media that can be sought in", async () => {
    const empty = await ask(`${local.base}/files/empty.bin`);
    expect([empty.status, empty.headers["content-length"]]).toEqual([200, "0"]);
    const tone = toneSample("tone.wav", 60);
    const middle = await ask(`${local.base}/files/tone.wav`, {
      headers: { range: "bytes=2646044-2646143" },
    });
    expect([middle.status, middle.headers["content-type"]]).toEqual([206, "audio/wav"]);
    expect(middle.body.equals(Buffer.from(tone.bytes(2_646_044, 2_646_144)))).toBe(true);
  });

  it("serves the same from the cluster in sequence, a delay for each of its 64 chunks", async () => {
    const key = "samples/64-chunks.bin";
    const ahead = await ask(`${local.base}/weed/${key}`);
    const start = performance.now();
    const inSequence = await ask(`${local.base}/weed-sequential/${key}`);
    // No load makes it faster than that; timers may be a millisecond early.
    expect(performance.now() - start).toBeGreaterThan(64 * 19);
    expect([inSequence.status, inSequence.body.byteLength]).toEqual([200, 64 * 65_536]);
    expect(inSequence.body.equals(ahead.body)).toBe(true);
  });

  it("reveals nothing about keys that are not there", async () => {
    const { status, body } = await ask(`${local.base}/files/missing.bin`);
    expect(status).toBe(404);
    expect(body.toString()).not.toMatch(/missing|bucket|edge-readahead"/);
  });

  it("counts at the origin, and takes another delay", async () => {
    await ask(`${local.originUrl}/-/?delay_ms=1`, { method: "POST" });
    const { body } = await ask(`${local.originUrl}/-/`);
    expect(JSON.parse(body.toString())).toMatchObject({ delay_ms: 1, open: 0 });
  });

  it("says which port is taken and how to choose another", async () => {
    const second = run(
      "npm",
      ["start", "--", "--port", String(local.port), "--origin-port", String(local.originPort)],
      { cwd: root },
    );
    await expect(second).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`Port ${local.port} is taken.*--port`)),
    });
  });

  it("leaves nothing running after Ctrl-C", async () => {
    await local.interrupt();
    await freed(local.port);
    await freed(local.originPort);
    const { stdout } = await run("ps", ["-eo", "pid,args"]);
    expect(stdout.split("\n").filter((line) => line.includes(`--port ${local.port}`))).toEqual([]);
  });
});

describe("npm start --empty", () => {
  it("explains an empty bucket, and leaves nothing when npm is killed", async () => {
    const local = await startLocal(["--empty"]);
    try {
      const { status, body } = await ask(`${local.base}/files/ramp.bin`);
      expect(status).toBe(404);
      expect(body.toString()).toMatch(/empty/);
      local.npm.kill("SIGKILL");
      await freed(local.port);
      await freed(local.originPort);
    } finally {
      await local.close();
    }
  });
});

function* blocksOf(start: number, end: number): Generator<Uint8Array> {
  for (let at = start; at < end; at += 65_536) yield ramp.bytes(at, Math.min(at + 65_536, end));
}
