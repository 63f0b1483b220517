/** Directories that are objects as well: those with keys below them, and those put as a key that ends with a slash. */
import { createCipheriv } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SeaweedfsOptions } from "../../../src/sources/seaweedfs/source.ts";
import { createTestDownload } from "../../support/permits.ts";
import { bucket, bucketSource, putBucket } from "../../support/seaweedfs/bucket.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { directoryJson } from "../../support/seaweedfs/directories.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import { customerKeyHeaders, putObject } from "../../support/seaweedfs/objects.ts";
import { readKey } from "../../support/seaweedfs/read-object.ts";

const directoryMode = 0x80000000 + 0o660;
const suspended = { "Seaweed-X-Amz-Versioning": "Suspended" };
let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start();
});
afterEach(() => endCluster(cluster));

const sourceOf = (options: Partial<SeaweedfsOptions> = {}) => bucketSource(cluster, options);

/** Changes fields of a stored entry; numbers beyond 2^53 stay as they are. */
function change(
  path: string,
  fields: object,
  extended: Record<string, string | Buffer> = {},
): void {
  const { metadata } = cluster.entries.get(path) ?? { metadata: "{}" };
  const stored: { Extended?: object } = JSON.parse(metadata.replace(/:(\d{16,})/g, ':"$1"'));
  const marks = Object.entries(extended).map(([name, value]) => [
    name,
    Buffer.from(value).toString("base64"),
  ]);
  const all = {
    ...stored,
    ...fields,
    Extended: { ...stored.Extended, ...Object.fromEntries(marks) },
  };
  const text = JSON.stringify(all).replace(/:"(\d{16,})"/g, ":$1");
  cluster.entries.set(path, { metadata: text });
}

/** As 4.53 leaves an object when a key is put below it. */
function putPrefixObject(key: string, options: Parameters<typeof putObject>[2]): void {
  putObject(cluster, `${bucket}/${key}`, options);
  change(`${bucket}/${key}`, { Mode: directoryMode }, { "x-seaweedfs-prefix-object": "true" });
  putObject(cluster, `${bucket}/${key}/below`, { size: 10 });
}

function putMarker(
  key: string,
  content: Buffer,
  extended: Record<string, string | Buffer> = {},
): void {
  const path = `${bucket}/${key}`;
  cluster.entries.set(path, { metadata: directoryJson(path, { mime: "text/plain" }) });
  change(path, { Content: content.toString("base64") }, extended);
}

async function listed(options: Partial<SeaweedfsOptions> = {}): Promise<unknown> {
  const page = await sourceOf(options).list?.("", { ...createTestDownload(), limit: 100 });
  return page?.entries.map(({ key, size }) => [key, size]);
}

describe("an empty object with keys below it", () => {
  it("is read and listed under its own key", async () => {
    putBucket(cluster);
    putPrefixObject("a", { size: 0, mime: "text/plain" });
    expect(await readKey(sourceOf(), "a")).toHaveLength(0);
    expect(await listed()).toEqual([
      ["a", 0],
      ["a/below", 10],
    ]);
  });

  it("is a null version, too", async () => {
    putBucket(cluster, suspended);
    putPrefixObject("a", { size: 0, extended: { "Seaweed-X-Amz-Version-Id": "null" } });
    expect(await readKey(sourceOf(), "a", undefined, { version: "null" })).toHaveLength(0);
  });
});

describe("an object with keys below it", () => {
  it("that was put after versioning was suspended goes before every version", async () => {
    putBucket(cluster, suspended);
    putPrefixObject("a", { size: 700, extended: { "Seaweed-X-Amz-Version-Id": "null" } });
    const folder = `${bucket}/a.versions`;
    cluster.entries.set(folder, { metadata: directoryJson(folder) });
    const id = "6".repeat(32);
    const extended = { "Seaweed-X-Amz-Version-Id": id };
    putObject(cluster, `${folder}/v_${id}`, { size: 900, extended });
    expect(await readKey(sourceOf(), "a")).toHaveLength(700);
  });

  it("does not take them with it when the time of the file that it was is over", async () => {
    putBucket(cluster);
    putObject(cluster, `${bucket}/a`, { size: 5, ttlSeconds: 60 });
    change(`${bucket}/a`, { Mode: directoryMode });
    putObject(cluster, `${bucket}/a/below`, { size: 10 });
    expect(await listed({ now: () => Date.now() + 61_000 })).toEqual([
      ["a", 5],
      ["a/below", 10],
    ]);
  });
});

describe("a folder that was put as a key", () => {
  it("holds what was put with it, and is listed with its size", async () => {
    putBucket(cluster);
    putMarker("m", Buffer.from("payload"));
    expect(Buffer.from(await readKey(sourceOf(), "m/")).toString()).toBe("payload");
    expect(await listed()).toEqual([["m/", 7]]);
  });

  it("is decrypted where it was put with a key", async () => {
    putBucket(cluster);
    const iv = Buffer.alloc(16, 7);
    const key = Buffer.from(customerKeyHeaders.key, "base64");
    putMarker("m", createCipheriv("aes-256-ctr", key, iv).update("payload"), {
      "X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256",
      "X-Amz-Server-Side-Encryption-Customer-Key-MD5": customerKeyHeaders.keyMd5,
      "x-seaweedfs-sse-c-iv": iv,
    });
    const options = { clientKeys: customerKeyHeaders };
    const bytes = await readKey(sourceOf(), "m/", undefined, options);
    expect(Buffer.from(bytes).toString()).toBe("payload");
    await expect(readKey(sourceOf(), "m/")).rejects.toMatchObject({ kind: "key-missing" });
  });
});

describe("a stored Content-Encoding", () => {
  it.each([
    ["aws-chunked", undefined],
    ["gzip,aws-chunked", "gzip"],
    ["gzip", "gzip"],
  ])("of %s is told as %s", async (stored, told) => {
    putBucket(cluster);
    putObject(cluster, `${bucket}/o`, { size: 5, extended: { "Content-Encoding": stored } });
    const { facts } = await sourceOf().open("o", { ...createTestDownload(), want: "facts" });
    expect(facts.headers["content-encoding"]).toBe(told);
  });
});
