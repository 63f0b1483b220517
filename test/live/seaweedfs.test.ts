/**
 * The source against a real SeaweedFS: `SEAWEEDFS_FILER=http://... SEAWEEDFS_MASTER=http://... npm run test:live`.
 *
 * It uploads objects of its own below `/edge-readahead-live/` (and into a bucket, with S3 variables), reads them whole
 * and at 20 ranges each, and removes them. What it cannot try it says.
 *
 * | variable | |
 * |---|---|
 * | SEAWEEDFS_FILER, SEAWEEDFS_MASTER | URLs; without the filer everything is skipped, without the master chunks come through the filer |
 * | SEAWEEDFS_FILER_KEY, SEAWEEDFS_VOLUME_KEY | read keys of the cluster, where it has some |
 * | SEAWEEDFS_S3, SEAWEEDFS_S3_ACCESS_KEY, SEAWEEDFS_S3_SECRET_KEY | the S3 gateway |
 * | SEAWEEDFS_SSE_KEY, SEAWEEDFS_SSE_KEK | its SSE-S3 secret, as text or as 64 hex digits |
 */
import { createHash } from "node:crypto";
import { AwsClient } from "aws4fetch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodePath } from "../../src/sources/seaweedfs/name.ts";
import { createSeaweedfsSource } from "../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../src/sources/source.ts";
import { contentBytes, ramp } from "../support/object-bytes.ts";
import { downloadKey } from "../support/seaweedfs/download-object.ts";
import { customerKeyHeaders } from "../support/seaweedfs/objects.ts";

const { env } = process;
const filer = env["SEAWEEDFS_FILER"]?.replace(/\/$/, "");
const s3 = env["SEAWEEDFS_S3"]?.replace(/\/$/, "");
const folder = `/edge-readahead-live/${Date.now().toString(36)}`;
const MiB = 1024 * 1024;

function skipped(what: string, variables: string): void {
  console.log(`skipped: ${what} (set ${variables})`);
}

function sourceOf(root: string): Source {
  const optional = (name: string, value: string | undefined) =>
    value === undefined ? {} : { [name]: value };
  return createSeaweedfsSource({
    filer: `${filer}/`,
    root,
    metadataTtlMs: 0,
    allowedHosts: "*",
    ...optional("master", env["SEAWEEDFS_MASTER"]),
    ...optional("filerTokenSecret", env["SEAWEEDFS_FILER_KEY"]),
    ...optional("volumeTokenSecret", env["SEAWEEDFS_VOLUME_KEY"]),
    ...optional("sseKeySecret", env["SEAWEEDFS_SSE_KEY"]),
    ...optional("sseKekSecret", env["SEAWEEDFS_SSE_KEK"]),
  });
}

/** The whole and 20 ranges: ends, one byte, odd offsets, both sides of MiB borders. */
async function expectContent(source: Source, key: string, expected: Uint8Array): Promise<void> {
  const options = { clientKeys: customerKeyHeaders };
  const whole = await downloadKey(source, key, options);
  expect(Buffer.compare(whole.bytes, expected), "whole").toBe(0);
  const size = expected.length;
  const ranges = [
    [0, 1],
    [size - 1, size],
    [size >> 1, (size >> 1) + 1],
    [MiB - 3, MiB + 5],
    [0, 17],
  ];
  for (let i = 0, seed = 11; ranges.length < 20; i++) {
    seed = (seed * 48_271) % 2_147_483_647;
    const start = seed % Math.max(1, size);
    ranges.push([start, start + 1 + ((seed >> 7) % 100_000) * (i % 3)]);
  }
  for (const [from = 0, to = 0] of ranges) {
    const range = { start: Math.max(0, from), end: Math.min(size, to) };
    if (range.start >= range.end) continue;
    const { bytes } = await downloadKey(source, key, { ...options, range });
    const same = Buffer.compare(bytes, expected.subarray(range.start, range.end));
    expect(same, `[${range.start}, ${range.end})`).toBe(0);
  }
}

async function ok(response: Promise<Response>): Promise<Response> {
  const answer = await response;
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${await answer.text()}`);
  return answer;
}

if (filer === undefined) {
  skipped("everything", "SEAWEEDFS_FILER and SEAWEEDFS_MASTER");
  it.skip("needs a cluster", () => undefined);
} else {
  if (env["SEAWEEDFS_MASTER"] === undefined) skipped("direct reads", "SEAWEEDFS_MASTER");
  describe("objects written over the filer", () => {
    const source = sourceOf("");
    const put = async (
      name: string,
      body: Uint8Array,
      query = "",
      headers: Record<string, string> = {},
    ) => {
      const path = `${folder}/${name}`;
      const init = { method: "PUT", body: new Uint8Array(body), headers };
      await (await ok(fetch(`${filer}${encodePath(path)}${query}`, init))).arrayBuffer();
      return path.slice(1);
    };

    afterAll(async () => {
      await fetch(`${filer}${folder}?recursive=true`, { method: "DELETE" });
    });

    it.each([0, 1, 1000, MiB, 3 * MiB + 77, 9 * MiB + 1])("of %i bytes", async (size) => {
      const content = contentBytes(ramp, 0, size);
      await expectContent(source, await put(`plain-${size}.bin`, content, "?maxMB=1"), content);
    });

    it("as text, which is stored compressed", async () => {
      const text = Buffer.from("All work and no play makes a dull cluster.\n".repeat(60_000));
      const key = await put("text.txt", text, "?maxMB=1", { "content-type": "text/plain" });
      await expectContent(source, key, text);
    });

    it("under a name that means something in a URL", async () => {
      const content = contentBytes(ramp, 0, 500);
      await expectContent(source, await put("a b/é#?%25+&.bin", content), content);
    });

    it("with later writes over earlier ones, a hole, and an append", async () => {
      const content = new Uint8Array(3 * MiB + 50);
      const write = async (offset: number, value: number, length: number) => {
        const bytes = new Uint8Array(length).fill(value);
        content.fill(value, offset, offset + length);
        return put("overlap.bin", bytes, offset === 0 ? "" : `?offset=${offset}`);
      };
      await write(0, 1, 300_000);
      await write(100_000, 2, 100_000);
      await write(150_000, 3, 200_000);
      const key = await write(3 * MiB, 4, 50);
      await expectContent(source, key, content);
      await put("append.bin", contentBytes(ramp, 0, 1000));
      const appended = await put("append.bin", contentBytes(ramp, 1000, 3000), "?op=append");
      await expectContent(source, appended, contentBytes(ramp, 0, 3000));
    });

    it("through the filer's own door", async () => {
      const content = contentBytes(ramp, 0, 2 * MiB + 3);
      const key = await put("proxied.bin", content, "?maxMB=1");
      await expectContent(createSeaweedfsSource({ filer: `${filer}/` }), key, content);
    });

    it("that are gone are not found", async () => {
      await expect(downloadKey(source, `${folder.slice(1)}/none`)).rejects.toMatchObject({
        kind: "not-found",
      });
    });

    it("with headers of their own, and none of the store's", async () => {
      const key = await put("headers.bin", contentBytes(ramp, 0, 10), "", {
        "cache-control": "max-age=60",
        "content-type": "application/x-ramp",
        "seaweed-colour": "blue",
      });
      const facts = await factsOf(source, key);
      expect(facts.headers).toMatchObject({
        "cache-control": "max-age=60",
        "content-type": "application/x-ramp",
      });
      expect(Object.keys(facts.headers).some((name) => /seaweed|xattr/.test(name))).toBe(false);
      const head = await fetch(`${filer}/${encodePath(key)}`, { method: "HEAD" });
      expect(facts.etag).toBe(head.headers.get("etag"));
    });
  });
}

async function factsOf(source: Source, key: string) {
  const { createTestDownload } = await import("../support/permits.ts");
  return (await source.open(key, { ...createTestDownload(), want: "facts" })).facts;
}

const accessKeyId = env["SEAWEEDFS_S3_ACCESS_KEY"];
const secretAccessKey = env["SEAWEEDFS_S3_SECRET_KEY"];
if (
  filer === undefined ||
  s3 === undefined ||
  accessKeyId === undefined ||
  secretAccessKey === undefined
) {
  skipped("S3 objects", "SEAWEEDFS_S3, SEAWEEDFS_S3_ACCESS_KEY, SEAWEEDFS_S3_SECRET_KEY");
} else {
  describe("objects written over S3", () => {
    const client = new AwsClient({
      accessKeyId,
      secretAccessKey,
      service: "s3",
      region: "us-east-1",
    });
    const bucket = `edge-readahead-live-${Date.now().toString(36)}`;
    const source = sourceOf(`/buckets/${bucket}`);
    const keys: string[] = [];
    const request = (target: string, init: RequestInit = {}) =>
      ok(client.fetch(`${s3}/${bucket}${target}`, init));
    const put = async (key: string, body: Uint8Array, headers: Record<string, string> = {}) => {
      keys.push(key);
      await (
        await request(`/${key}`, { method: "PUT", body: new Uint8Array(body), headers })
      ).text();
    };
    const customer = {
      "x-amz-server-side-encryption-customer-algorithm": customerKeyHeaders.algorithm,
      "x-amz-server-side-encryption-customer-key": customerKeyHeaders.key,
      "x-amz-server-side-encryption-customer-key-MD5": customerKeyHeaders.keyMd5,
    };

    beforeAll(async () => {
      await request("", { method: "PUT" });
    });
    afterAll(async () => {
      for (const key of keys) await client.fetch(`${s3}/${bucket}/${key}`, { method: "DELETE" });
      await client.fetch(`${s3}/${bucket}`, { method: "DELETE" });
    });

    it("plain, with the gateway's entity tag", async () => {
      const content = contentBytes(ramp, 0, 9 * MiB + 13);
      await put("plain.bin", content);
      await expectContent(source, "plain.bin", content);
      const md5 = createHash("md5").update(content).digest("hex");
      expect((await factsOf(source, "plain.bin")).etag).toBe(`"${md5}"`);
    });

    it("under SSE-C, refused without the key and with another one", async () => {
      const content = contentBytes(ramp, 0, 9 * MiB + 13);
      await put("ssec.bin", content, customer);
      await expectContent(source, "ssec.bin", content);
      await expect(downloadKey(source, "ssec.bin")).rejects.toMatchObject({ kind: "key-missing" });
    });

    it("under SSE-S3", async (context) => {
      if (env["SEAWEEDFS_SSE_KEY"] === undefined && env["SEAWEEDFS_SSE_KEK"] === undefined) {
        skipped("SSE-S3", "SEAWEEDFS_SSE_KEY or SEAWEEDFS_SSE_KEK");
        return context.skip();
      }
      const content = contentBytes(ramp, 0, 9 * MiB + 13);
      await put("sses3.bin", content, { "x-amz-server-side-encryption": "AES256" });
      await expectContent(source, "sses3.bin", content);
    });

    it.each([
      ["plain", {}],
      ["SSE-C", customer],
    ])("in parts, %s", async (name, headers) => {
      const key = `parts-${name}.bin`;
      keys.push(key);
      const begun = await (await request(`/${key}?uploads`, { method: "POST", headers })).text();
      const upload = /<UploadId>([^<]+)/.exec(begun)?.[1] ?? "";
      const sizes = [5 * MiB, 5 * MiB + 17, MiB + 5];
      const listed: string[] = [];
      let at = 0;
      for (const [index, size] of sizes.entries()) {
        const number = index + 1;
        const target = `/${key}?partNumber=${number}&uploadId=${upload}`;
        const body = new Uint8Array(contentBytes(ramp, at, at + size));
        const part = await request(target, { method: "PUT", body, headers });
        await part.text();
        listed.push(
          `<Part><PartNumber>${number}</PartNumber><ETag>${part.headers.get("etag")}</ETag></Part>`,
        );
        at += size;
      }
      const body = `<CompleteMultipartUpload>${listed.join("")}</CompleteMultipartUpload>`;
      await (await request(`/${key}?uploadId=${upload}`, { method: "POST", body })).text();
      await expectContent(source, key, contentBytes(ramp, 0, at));
    });

    it("in versions, the latest and each by its id", async () => {
      const body =
        '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>';
      await (await request("?versioning", { method: "PUT", body })).text();
      const ids: string[] = [];
      for (const value of [1, 2]) {
        const init = { method: "PUT", body: new Uint8Array(1000).fill(value) };
        const stored = await request("/versions.bin", init);
        await stored.text();
        ids.push(stored.headers.get("x-amz-version-id") ?? "");
      }
      const { readKey } = await import("../support/seaweedfs/read-object.ts");
      expect((await readKey(source, "versions.bin"))[0]).toBe(2);
      for (const [index, version] of ids.entries())
        expect((await readKey(source, "versions.bin", undefined, { version }))[0]).toBe(index + 1);
      for (const id of ids) await request(`/versions.bin?versionId=${id}`, { method: "DELETE" });
      const off = body.replace("Enabled", "Suspended");
      await (await request("?versioning", { method: "PUT", body: off })).text();
    });
  });
}
