/**
 * Wire behaviour against moto, another implementation of S3: the contract suite, versions, multipart uploads, SSE-C, error
 * documents, odd keys. It accepts any secret, so it proves no signature (s3-r2-door.test.ts does). Installed by
 * `test/e2e/s3/setup.sh`; S3_CLIENTS names the folder.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ReadaheadError } from "../../src/errors.ts";
import { createS3Source } from "../../src/sources/s3.ts";
import type { OpenObject, OpenRequest, Want } from "../../src/sources/source.ts";
import { describeSourceContract } from "../contract/source-contract.ts";
import { discardBody, readAll } from "../support/bodies.ts";
import { contentBytes, firstDifference, ramp } from "../support/object-bytes.ts";
import { createTestDownload, type TestDownload } from "../support/permits.ts";
import { until } from "../support/until.ts";
import { freePort } from "./support/start.ts";

const clients = resolve(import.meta.dirname, "../..", process.env["S3_CLIENTS"] ?? ".s3-clients");
const credentials = { accessKeyId: "any", secretAccessKey: "any" };
/** moto takes a request for one of its account with this in it; the signature is not looked at. */
const authorization =
  "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

let moto: ChildProcess;
let base: string;

beforeAll(async () => {
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  moto = spawn(join(clients, "moto/bin/moto_server"), ["-p", String(port)], { stdio: "ignore" });
  let failure: Error | undefined;
  moto.once("error", (error) => {
    failure = error;
  });
  await until(
    "moto answers",
    async () => {
      if (failure !== undefined) throw failure;
      return await fetch(base).then(
        (response) => response.arrayBuffer().then(() => true),
        () => false,
      );
    },
    60_000,
  );
}, 90_000);

afterAll(async () => {
  const ended = new Promise((done) => moto.once("exit", done));
  moto.kill("SIGTERM");
  await ended;
});

/** A request of the test's own to moto. @throws Error unless it is answered with 2xx */
async function send(
  method: string,
  path: string,
  body?: Uint8Array | string,
  headers = {},
): Promise<Response> {
  const response = await fetch(`${base}/${path}`, {
    method,
    headers: { authorization, ...headers },
    ...(body !== undefined && { body: new Uint8Array(Buffer.from(body)) }),
  });
  if (!response.ok)
    throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

function keyPath(bucket: string, key: string): string {
  return `${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
}

async function kindOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "none",
    (error: ReadaheadError) => error.kind,
  );
}

let buckets = 0;

async function newBucket(): Promise<string> {
  const name = `bucket-${buckets++}`;
  await send("PUT", name);
  return name;
}

describeSourceContract("s3 over moto", async () => {
  const bucket = await newBucket();
  return {
    source: createS3Source({ endpoint: base, bucket, credentials }),
    put: async (key, bytes, headers) => {
      await send("PUT", keyPath(bucket, key), bytes, headers);
    },
    delete: async (key) => {
      await send("DELETE", keyPath(bucket, key));
    },
  };
});

describe("moto", () => {
  const size = 100_003;
  let bucket: string;
  let download: TestDownload;

  beforeEach(async () => {
    bucket = await newBucket();
    download = createTestDownload();
  });

  function open(key: string, want: Want, more: Partial<OpenRequest> = {}): Promise<OpenObject> {
    const source = createS3Source({ endpoint: base, bucket, credentials });
    return source.open(key, { ...download, want, ...more });
  }

  async function read(object: OpenObject, start: number, end: number): Promise<Uint8Array> {
    const piece = { kind: "stored", range: { start: 0, end: size } } as const;
    const asked = { ...download, tried: () => false, suspect: () => false };
    return readAll((await object.read(piece, { start, end }, asked)).body);
  }

  it("keeps versions apart: an old one is read to its end beside a new one", async () => {
    const versioning =
      "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    await send("PUT", `${bucket}?versioning`, versioning);
    const first = await send("PUT", `${bucket}/key`, contentBytes(ramp, 0, size));
    await send("PUT", `${bucket}/key`, "another");
    const version = first.headers.get("x-amz-version-id") ?? "";
    const object = await open("key", { start: 0, end: 1000 }, { version });
    await discardBody(object.first?.body);
    expect(object.facts).toMatchObject({ size, versionId: version });
    expect(firstDifference(await read(object, 1000, size), contentBytes(ramp, 1000, size))).toBe(
      -1,
    );
    expect((await open("key", "facts")).facts.size).toBe(7);
    expect(await kindOf(open("key", { start: 0 }, { version: "nothing" }))).not.toBe("none");
    await send("DELETE", `${bucket}/key`);
    expect(await kindOf(open("key", "facts"))).toBe("not-found");
  });

  it("reads a multipart upload across its parts", async () => {
    const partBytes = 5 * 1024 * 1024;
    const started = await (await send("POST", `${bucket}/key?uploads`)).text();
    const upload = /<UploadId>(.*?)</.exec(started)?.[1] ?? "";
    const tags: string[] = [];
    for (const [i, bytes] of [partBytes, 1000].entries()) {
      const body = contentBytes(ramp, i * partBytes, i * partBytes + bytes);
      const put = await send("PUT", `${bucket}/key?partNumber=${i + 1}&uploadId=${upload}`, body);
      tags.push(
        `<Part><PartNumber>${i + 1}</PartNumber><ETag>${put.headers.get("etag")}</ETag></Part>`,
      );
    }
    const complete = `<CompleteMultipartUpload>${tags.join("")}</CompleteMultipartUpload>`;
    await send("POST", `${bucket}/key?uploadId=${upload}`, complete);
    // moto names no range for a part; the fake store of s3.test.ts does.
    expect(await kindOf(open("key", { start: 0, end: 10 }, { s3PartNumber: 2 }))).toBe(
      "unsupported",
    );
    const object = await open("key", "facts");
    const bytes = await read(object, partBytes - 10, partBytes + 1000);
    expect(firstDifference(bytes, contentBytes(ramp, partBytes - 10, partBytes + 1000))).toBe(-1);
  });

  it("hands the client's SSE-C key over with every read", async () => {
    const key = Buffer.alloc(32, 7);
    const clientKeys = {
      algorithm: "AES256",
      key: key.toString("base64"),
      keyMd5: createHash("md5").update(key).digest("base64"),
    };
    const prefix = "x-amz-server-side-encryption-customer-";
    await send("PUT", `${bucket}/key`, contentBytes(ramp, 0, size), {
      [`${prefix}algorithm`]: clientKeys.algorithm,
      [`${prefix}key`]: clientKeys.key,
      [`${prefix}key-md5`]: clientKeys.keyMd5,
    });
    const object = await open("key", { start: 0, end: 10 }, { clientKeys });
    await discardBody(object.first?.body);
    expect(firstDifference(await read(object, 10, size), contentBytes(ramp, 10, size))).toBe(-1);
  });

  it("words a missing bucket so that we say not-found", async () => {
    bucket = "no-such-bucket";
    expect(await kindOf(open("key", { start: 0 }))).toBe("not-found");
  });
});
