/**
 * The library under Deno and Bun, as they are: a program of a few lines reads from a store over real sockets, and the
 * handler answers behind each runtime's own server.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { contentBytes, firstDifference, ramp } from "../support/object-bytes.ts";
import type { ScriptedFault, SpaceScript } from "../support/store-script.ts";
import { type StoreServer, startStoreServer } from "../support/store-server.ts";
import type { StoreSpace } from "../support/store-space.ts";
import { MiB } from "../support/units.ts";
import { until } from "../support/until.ts";
import { rawGet } from "./observe-support/raw-client.ts";
import { ask } from "./support/http.ts";

const root = resolve(import.meta.dirname, "../..");
const bin = resolve(root, process.env["RUNTIMES"] ?? ".runtimes", "node_modules/.bin");
const program = join(import.meta.dirname, "runtimes/program.ts");

/** No permission but the network: the library needs no other. */
const runtimes = [
  { name: "Deno", command: "deno", flags: ["run", "--quiet", "--no-lock", "--allow-net"] },
  { name: "Bun", command: "bun", flags: ["run"] },
] as const;

const size = 16 * MiB + 3;
const bytes = contentBytes(ramp, 0, size);
/** Behind its first answers the store is gone for good. */
const gone: readonly ScriptedFault[] = Array.from({ length: 40 }, (_, i) => ({
  at: i + 3,
  fault: { kind: "reset", after: "before-headers" },
}));

let store: StoreServer;
let space: StoreSpace;
let running: ChildProcess | undefined;
let spaces = 0;

beforeAll(async () => {
  store = await startStoreServer();
});

afterEach(async () => {
  running?.kill("SIGKILL");
  running = undefined;
  await until("the store has ended everything", () => {
    const { openBodies, unanswered } = space.stats();
    return openBodies === 0 && unanswered === 0;
  });
});

afterAll(async () => {
  await store.close();
});

/** A program of the runtime over a space of the store of its own; each line it prints is one answer. */
function start(
  { command, flags }: (typeof runtimes)[number],
  task: readonly string[],
  script: Omit<SpaceScript, "objects"> = {},
): AsyncIterator<string> {
  const path = join(bin, command);
  if (!existsSync(path))
    throw new Error(`${path} is missing: run sh test/e2e/runtimes/setup.sh .runtimes`);
  const name = `space${spaces++}`;
  space = store.space(name, { objects: { "ramp.bin": { content: ramp, size } }, ...script });
  const child = spawn(path, [...flags, program, `${store.url}${name}/`, ...task], {
    // What a runtime prints of an answer that breaks on purpose is no news.
    stdio: ["ignore", "pipe", "ignore"],
  });
  running = child;
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

async function next(lines: AsyncIterator<string>): Promise<unknown> {
  const line = await lines.next();
  return line.done === true ? undefined : JSON.parse(line.value);
}

describe.each(runtimes)("readahead() in $name", (runtime) => {
  it("reads every byte in order, over a window of parts, past resets and a 503", async () => {
    const lines = start(runtime, ["read", "ramp.bin"], {
      latencyMs: 5,
      faults: [
        { at: 2, fault: { kind: "reset", after: 100_000 } },
        { at: 4, fault: { kind: "reset", after: "before-headers" } },
        { at: 6, fault: { kind: "status", status: 503 } },
      ],
    });
    expect(await next(lines)).toEqual({ bytes: size - 5, wrong: 0 });
    expect(space.stats().maxUnanswered).toBeGreaterThan(1);
  });

  it("ends every request when the reader cancels", async () => {
    const lines = start(runtime, ["leave", "ramp.bin"], { bytesPerSecond: 400_000 });
    expect(await next(lines)).toEqual({ done: false });
    await until("the store is left", () => space.stats().openBodies === 0);
    expect(space.stats().abortedAt).not.toEqual([]);
  });

  it("ends every request, and the stream, when the caller's signal fires", async () => {
    const lines = start(runtime, ["abort", "ramp.bin"], { bytesPerSecond: 400_000 });
    expect(await next(lines)).toEqual({ failure: "Error: the caller's reason" });
    await until("the store is left", () => space.stats().openBodies === 0);
  });

  it("fails with the kind of the fault when the store is gone for good", async () => {
    const lines = start(runtime, ["read", "ramp.bin"], { faults: gone });
    expect(await next(lines)).toMatchObject({ kind: "unavailable" });
  });

  it("refuses an object that changes while it is read", async () => {
    const lines = start(runtime, ["read", "ramp.bin"], {
      faults: [{ at: 3, fault: { kind: "changed" } }],
    });
    expect(await next(lines)).toMatchObject({ kind: "changed" });
  });
});

describe.each(runtimes)("the handler behind the server of $name", (runtime) => {
  async function serve(script: Omit<SpaceScript, "objects"> = {}) {
    const lines = start(runtime, ["serve"], script);
    const { port } = (await next(lines)) as { port: number };
    return { lines, url: `http://127.0.0.1:${port}/ramp.bin` };
  }

  it("answers whole, in ranges, and to HEAD", async () => {
    const { url } = await serve();
    const whole = await ask(url);
    expect(whole).toMatchObject({ status: 200, complete: true });
    expect(firstDifference(whole.body, bytes)).toBe(-1);
    const range = await ask(url, { headers: { range: "bytes=1000003-9000002" } });
    expect(range).toMatchObject({ status: 206, complete: true });
    expect(range.headers["content-range"]).toBe(`bytes 1000003-9000002/${size}`);
    expect(firstDifference(range.body, bytes.subarray(1_000_003, 9_000_003))).toBe(-1);
    const several = await ask(url, { headers: { range: "bytes=0-9,1000-1009" } });
    expect(several.headers["content-type"]).toMatch(/^multipart\/byteranges; boundary=/);
    const head = await ask(url, { method: "HEAD" });
    expect(head.headers).toMatchObject({ "content-length": `${size}`, "accept-ranges": "bytes" });
    const past = await ask(url, { headers: { range: `bytes=${size}-` } });
    expect(past.status).toBe(416);
    expect(past.headers["content-range"]).toBe(`bytes */${size}`);
  });

  // Bun sends what comes from a stream in chunks, whatever the headers say.
  it(`${runtime.name === "Bun" ? "sends no" : "sends"} Content-Length with a stream`, async () => {
    const { url } = await serve();
    const { headers } = await ask(url);
    if (runtime.name === "Bun") expect(headers["transfer-encoding"]).toBe("chunked");
    else expect(headers["content-length"]).toBe(`${size}`);
  });

  it("ends every upstream request when the client leaves, and says so", async () => {
    const { url, lines } = await serve({ bytesPerSecond: 2_000_000 });
    const client = rawGet(url);
    await client.received(500_000);
    client.reset();
    expect(await next(lines)).toMatchObject({ outcome: "client-left", openAfterClose: 0 });
    await until("the store is left", () => space.stats().openBodies === 0);
    // What was on its way to the store when the client left arrives first.
    await sleep(500);
    const { requests } = space.stats();
    expect((await ask(url, { method: "HEAD" })).status).toBe(200);
    expect(space.stats().requests).toBeLessThanOrEqual(requests + 1);
  });

  it("breaks an answer visibly that the store cannot finish", async () => {
    const { url, lines } = await serve({ faults: gone });
    const client = rawGet(url);
    const text = (await client.ended).toString("latin1");
    const body = text.slice(text.indexOf("\r\n\r\n") + 4);
    expect(body.length).toBeGreaterThan(0);
    // Neither as long as promised, nor ended as chunks end.
    expect(body.length).toBeLessThan(size);
    expect(body).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(await next(lines)).toMatchObject({ outcome: "upstream-failed", endedBy: "upstream" });
  });
});
