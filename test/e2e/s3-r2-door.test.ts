/**
 * Signatures, proven by a store that is not ours: the local R2 S3 door of `wrangler dev`, which checks SigV4. The source
 * runs in Node and inside workerd (the built Worker), against objects put in by the simulator's own API.
 */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rampSample } from "../../scripts/samples.ts";
import { seed } from "../../scripts/seed.ts";
import type { ReadaheadError } from "../../src/errors.ts";
import { createS3Source } from "../../src/sources/s3.ts";
import { readAll } from "../support/bodies.ts";
import { createTestDownload, type TestDownload } from "../support/permits.ts";
import { startWranglerDev, type WranglerDev } from "./observe-support/wrangler-dev.ts";
import { startWorkerd, type Workerd } from "./support/workerd.ts";

const credentials = { accessKeyId: "door", secretAccessKey: "secret/of+the=door" };
const size = 5 * 1024 * 1024 + 7;
const oddKeys = [
  "with blank",
  "a+b",
  "100%",
  "%41",
  "what?x=1&y",
  "a#b",
  "ü/日本/🙂",
  "double//slash",
  "'(!)*~",
  "a=b;c@d:$,&",
];

let dev: WranglerDev;
let worker: Workerd;
let download: TestDownload;

beforeAll(async () => {
  dev = await startWranglerDev({
    "wrangler.toml": `
name = "r2-door"
main = "worker.js"
compatibility_date = "2026-10-23"
[[r2_buckets]]
binding = "OBJECTS"
bucket_name = "door-bucket"
[r2_buckets.local_dev]
experimental_s3_credentials = { accessKeyId = "${credentials.accessKeyId}", secretAccessKey = "${credentials.secretAccessKey}" }
`,
    "worker.js": "export default { fetch: () => new Response('up') };",
  });
  await seed({
    base: dev.url,
    bucket: "door-bucket",
    samples: [rampSample("ramp.bin", size), ...oddKeys.map((key) => rampSample(key, 500))],
    log: () => {},
  });
  worker = await startWorkerd({
    mounts: {
      door: {
        prefix: "/door/",
        source: "s3",
        endpoint: `${dev.url}/cdn-cgi/local/r2/s3`,
        region: "auto",
        bucket: "door-bucket",
        credentials: "DOOR",
      },
    },
    secrets: { DOOR: `${credentials.accessKeyId}:${credentials.secretAccessKey}` },
  });
}, 120_000);

afterAll(async () => {
  await worker?.close();
  await dev?.close();
});

function source(secretAccessKey = credentials.secretAccessKey) {
  download = createTestDownload();
  return createS3Source({
    endpoint: `${dev.url}/cdn-cgi/local/r2/s3`,
    region: "auto",
    bucket: "door-bucket",
    credentials: { ...credentials, secretAccessKey },
  });
}

/** The object, or the error. */
function outcome(key: string, start: number): Promise<unknown> {
  return source()
    .open(key, { ...download, want: { start } })
    .catch((reason: unknown) => reason);
}

const expected = createHash("sha256")
  .update(rampSample("ramp.bin", size).bytes(0, size))
  .digest("hex");

describe("the R2 S3 door", () => {
  it("takes our signature for opening and for every part", async () => {
    const object = await source().open("ramp.bin", { ...download, want: { start: 0, end: 1000 } });
    const parts = [
      object.first === undefined ? new Uint8Array() : await readAll(object.first.body),
    ];
    const piece = { kind: "stored", range: { start: 0, end: size } } as const;
    for (let start = 1000; start < size; start += 1_000_000) {
      const range = { start, end: Math.min(size, start + 1_000_000) };
      const asked = { ...download, tried: () => false, suspect: () => false };
      parts.push(await readAll((await object.read(piece, range, asked)).body));
    }
    expect(createHash("sha256").update(Buffer.concat(parts)).digest("hex")).toBe(expected);
    expect(object.facts).toMatchObject({ size, pin: { by: "etag" } });
  });

  it.each(oddKeys)("finds the key %j", async (key) => {
    const object = await source().open(key, { ...download, want: { start: 251 } });
    expect(object.first?.range).toEqual({ start: 251, end: 500 });
    const bytes = object.first === undefined ? [] : await readAll(object.first.body);
    expect([...bytes]).toEqual(Array.from({ length: 249 }, (_, i) => i % 251));
    expect((await source().open(key, { ...download, want: "facts" })).facts.size).toBe(500);
  });

  it("refuses another secret, and we say denied", async () => {
    const opening = source("another").open("ramp.bin", { ...download, want: { start: 0, end: 1 } });
    const error = await opening.catch((reason: ReadaheadError) => reason);
    expect(error).toMatchObject({ kind: "denied", status: 403 });
  });

  it("says not-found and unsatisfiable as S3 does", async () => {
    expect(await outcome("nowhere", 0)).toMatchObject({ kind: "not-found" });
    expect(await outcome("ramp.bin", size)).toMatchObject({ kind: "unsatisfiable", size });
  });

  it("lists, page by page", async () => {
    const keys: string[] = [];
    let after: string | undefined;
    do {
      const page = await source().list?.("", { ...download, limit: 3, after });
      keys.push(...(page?.entries.map(({ key }) => key) ?? []));
      after = page?.next;
    } while (after !== undefined && keys.length < 50);
    expect(keys.toSorted()).toEqual(["ramp.bin", ...oddKeys].toSorted());
  });

  it("is read through the Worker, byte for byte", async () => {
    const response = await fetch(`${worker.url}/door/ramp.bin`);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(response.status).toBe(200);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(expected);
    for (const key of oddKeys) {
      const path = key.split("/").map(encodeURIComponent).join("/");
      const odd = await fetch(`${worker.url}/door/${path}`, { headers: { range: "bytes=0-9" } });
      expect([odd.status, [...Buffer.from(await odd.arrayBuffer())]]).toEqual([
        206,
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
      ]);
    }
  });
});
