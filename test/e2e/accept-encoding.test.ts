/**
 * `wrangler dev` compresses answers of textual types for clients that accept it, 206 included (as Cloudflare's front may),
 * and transcodes what is compressed already: length and range would then lie. Bare workerd does not, so this needs the
 * real thing.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { AwsV4Signer } from "aws4fetch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Origin, startOrigin } from "../../scripts/origin.ts";
import { rampSample, textSample } from "../../scripts/samples.ts";
import { type StoreServer, startStoreServer } from "../support/store-server.ts";
import { ask } from "./support/http.ts";
import { freePort } from "./support/start.ts";

const root = resolve(import.meta.dirname, "../..");
const text = textSample("text.txt");
const bytes = Buffer.from(text.bytes(0, text.size));
const binary = rampSample("film.bin", 20_000);
const client = { accessKeyId: "AKEDGE", secretAccessKey: "secret-of-edge" };

const compressed = gzipSync(bytes);

let origin: Origin;
let store: StoreServer;
let folder: string;
let wrangler: ChildProcess;
let url: string;

beforeAll(async () => {
  origin = await startOrigin({ samples: [text, binary] });
  store = await startStoreServer();
  store.space("stored", {
    objects: {
      "text.txt": {
        content: { kind: "bytes", bytes: compressed },
        size: compressed.byteLength,
        headers: { "content-type": "text/plain", "content-encoding": "gzip" },
      },
    },
  });
  folder = await mkdtemp(join(tmpdir(), "edge-readahead-"));
  const config = {
    name: "accept-encoding",
    main: join(root, "dist/worker.js"),
    no_bundle: true,
    compatibility_date: "2026-10-23",
    compatibility_flags: ["enable_request_signal"],
    vars: {
      MOUNTS: {
        origin: { prefix: "/origin/", source: "http", url: `${origin.url}/` },
        stored: {
          prefix: "/stored/",
          source: "http",
          url: `${store.url}stored/`,
          stored_encoding: "pass",
        },
        media: {
          prefix: "/media/",
          protocol: "s3",
          access: "signed",
          credentials: ["EDGE_KEY"],
          source: "http",
          url: `${origin.url}/`,
        },
      },
      EDGE_KEY: `${client.accessKeyId}:${client.secretAccessKey}`,
    },
  };
  await writeFile(join(folder, "wrangler.json"), JSON.stringify(config));
  const port = await freePort();
  const args = ["dev", "--config", join(folder, "wrangler.json"), "--ip", "127.0.0.1"];
  args.push("--port", String(port), "--inspector-port", "0", "--log-level", "error");
  // The leash ends wrangler and all it started when its stdin closes, however this test ends.
  wrangler = spawn(
    process.execPath,
    [join(root, "scripts/leash.ts"), join(root, "node_modules/.bin/wrangler"), ...args],
    {
      cwd: folder,
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
      env: {
        ...process.env,
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_SEND_ERROR_REPORTS: "false",
      },
    },
  );
  url = `http://127.0.0.1:${port}`;
  for (;;) {
    const health = await ask(`${url}/healthz`).catch(() => undefined);
    if (health?.status === 200) return;
    await sleep(100);
  }
});

afterAll(async () => {
  const ended = new Promise((done) => wrangler.once("exit", done));
  wrangler.stdin?.end();
  await ended;
  await origin.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

describe("text through wrangler dev, for a client that accepts compression", () => {
  it.each(["gzip", "br", "gzip, deflate, br, zstd", "*"])(
    "arrives as stored: %s",
    async (accept) => {
      const { status, headers, body } = await ask(`${url}/origin/text.txt`, {
        headers: { "accept-encoding": accept },
      });
      expect(status).toBe(200);
      expect(headers["content-length"]).toBe(String(text.size));
      expect(headers["content-encoding"]).toBe("identity");
      expect(body.equals(bytes)).toBe(true);
    },
  );

  it("keeps a range's length and bytes", async () => {
    const { status, headers, body } = await ask(`${url}/origin/text.txt`, {
      headers: { "accept-encoding": "gzip", range: "bytes=100-2099" },
    });
    expect(status).toBe(206);
    expect(headers["content-range"]).toBe(`bytes 100-2099/${text.size}`);
    expect(headers["content-length"]).toBe("2000");
    expect(body.equals(bytes.subarray(100, 2_100))).toBe(true);
  });

  it("keeps a range of what a presigned URL calls text", async () => {
    const signer = new AwsV4Signer({
      url: `${url}/media/${binary.key}?X-Amz-Expires=60&response-content-type=text%2Fplain`,
      ...client,
      service: "s3",
      region: "us-east-1",
      signQuery: true,
    });
    const presigned = await signer.sign();
    const { status, headers, body } = await ask(presigned.url.href, {
      headers: { "accept-encoding": "gzip", range: "bytes=0-9" },
    });
    expect(status, body.toString()).toBe(206);
    expect(headers["content-type"]).toBe("text/plain");
    expect(headers["content-range"]).toBe(`bytes 0-9/${binary.size}`);
    expect(body.equals(Buffer.from(binary.bytes(0, 10)))).toBe(true);
  });

  it.each(["identity", "br", "gzip", "br, gzip", "gzip, br", "*"])(
    "is passed on as stored where it is stored compressed: %s",
    async (accept) => {
      const headers = { "accept-encoding": accept };
      const whole = await ask(`${url}/stored/text.txt`, { headers });
      expect(whole.status).toBe(200);
      expect(whole.headers["content-encoding"]?.toLowerCase()).toBe("gzip");
      expect(whole.headers["content-length"]).toBe(String(compressed.byteLength));
      expect(whole.body.equals(compressed)).toBe(true);
      const range = await ask(`${url}/stored/text.txt`, {
        headers: { ...headers, range: "bytes=10-109" },
      });
      expect(range.status, range.body.toString()).toBe(206);
      expect(range.headers["content-length"]).toBe("100");
      expect(range.body.equals(compressed.subarray(10, 110))).toBe(true);
      const head = await ask(`${url}/stored/text.txt`, { method: "HEAD", headers });
      expect(head.headers["content-encoding"]?.toLowerCase()).toBe("gzip");
      expect(head.headers["content-length"]).toBe(String(compressed.byteLength));
    },
  );

  it("keeps the length of a HEAD", async () => {
    const { headers } = await ask(`${url}/origin/text.txt`, {
      method: "HEAD",
      headers: { "accept-encoding": "gzip" },
    });
    expect(headers["content-length"]).toBe(String(text.size));
  });

  it("names no coding to a client that accepts none", async () => {
    const { headers, body } = await ask(`${url}/origin/text.txt`);
    expect(headers["content-encoding"]).toBeUndefined();
    expect(body.equals(bytes)).toBe(true);
  });
});
