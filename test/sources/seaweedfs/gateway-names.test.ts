/** What the S3 gateway makes of a key and of what was put with it: odd spellings, types, checksums. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SeaweedfsOptions } from "../../../src/sources/seaweedfs/source.ts";
import { createTestDownload } from "../../support/permits.ts";
import { bucket, bucketSource, putBucket } from "../../support/seaweedfs/bucket.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { directoryJson } from "../../support/seaweedfs/directories.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { readKey } from "../../support/seaweedfs/read-object.ts";

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start();
});
afterEach(() => endCluster(cluster));

const sourceOf = (options: Partial<SeaweedfsOptions> = {}) => bucketSource(cluster, options);

function putMarker(key: string): void {
  const path = `${bucket}/${key}`;
  cluster.entries.set(path, { metadata: directoryJson(path, { mime: "text/plain" }) });
}

describe("a key with a backslash", () => {
  it("is one with a slash, as gateways store it", async () => {
    putObject(cluster, `${bucket}/win/file`, { size: 10 });
    expect(await readKey(sourceOf(), "win\\file")).toHaveLength(10);
  });

  it("goes first as it stands, as gateways with -allowBackslashInKey store it", async () => {
    putObject(cluster, `${bucket}/win\\file`, { size: 20 });
    putObject(cluster, `${bucket}/win/file`, { size: 10 });
    expect(await readKey(sourceOf(), "win\\file")).toHaveLength(20);
    expect(await readKey(sourceOf(), "win/file")).toHaveLength(10);
  });

  it("is not looked for elsewhere where it is there and may not be read", async () => {
    putObject(cluster, `${bucket}/win\\file`, { size: 20, sse: "sse-c" });
    putObject(cluster, `${bucket}/win/file`, { size: 10 });
    await expect(readKey(sourceOf(), "win\\file")).rejects.toMatchObject({ kind: "key-missing" });
  });
});

describe("a folder that was put as a key", () => {
  it("is found whatever slashes it ends with", async () => {
    putBucket(cluster);
    putMarker("m");
    for (const key of ["m/", "m//", "m\\"])
      expect(await readKey(sourceOf(), key), key).toHaveLength(0);
  });

  it("has no versions in a bucket that never kept any", async () => {
    putBucket(cluster);
    putMarker("m");
    const read = (version: string) => readKey(sourceOf(), "m/", undefined, { version });
    await expect(read("abc")).rejects.toMatchObject({ kind: "not-found" });
    expect(await read("null")).toHaveLength(0);
    putBucket(cluster, { "Seaweed-X-Amz-Versioning": "Enabled" });
    expect(await read("abc")).toHaveLength(0);
  });
});

describe("a mount of the filer's root", () => {
  it("finds the latest version of a key that is a folder of others, too", async () => {
    putBucket(cluster, { "Seaweed-X-Amz-Versioning": "Enabled" });
    const id = "6".repeat(32);
    const folder = `${bucket}/a.versions`;
    const latest = { "Seaweed-X-Amz-Latest-Version-File-Name": `v_${id}` };
    cluster.entries.set(folder, { metadata: directoryJson(folder, { extended: latest }) });
    const extended = { "Seaweed-X-Amz-Version-Id": id };
    putObject(cluster, `${folder}/v_${id}`, { size: 900, extended });
    putObject(cluster, `${bucket}/a/below`, { size: 10 });
    cluster.entries.set(`${bucket}/a`, { metadata: directoryJson(`${bucket}/a`) });
    expect(await readKey(sourceOf({ root: "" }), "buckets/b/a")).toHaveLength(900);
  });

  it("takes a delete marker for nothing", async () => {
    putBucket(cluster, { "Seaweed-X-Amz-Versioning": "Suspended" });
    const extended = { "Seaweed-X-Amz-Delete-Marker": "true" };
    putObject(cluster, `${bucket}/a`, { size: 0, extended });
    const reading = readKey(sourceOf({ root: "" }), "buckets/b/a");
    await expect(reading).rejects.toMatchObject({ kind: "not-found" });
  });
});

describe("an object without a type", () => {
  it.each([
    ["film.mp4", "video/mp4"],
    ["notes.TXT", "text/plain; charset=utf-8"],
    ["feed.xml", "text/xml; charset=utf-8"],
    ["data.bin", "application/octet-stream"],
    ["constructor", "application/octet-stream"],
  ])("has that of its name: %s", async (key, type) => {
    putObject(cluster, `${bucket}/${key}`, { size: 1, mime: "" });
    const { facts } = await sourceOf().open(key, { ...createTestDownload(), want: "facts" });
    expect(facts.headers["content-type"]).toBe(type);
  });
});

describe("a checksum that came with an object", () => {
  it("is named where it is asked for", async () => {
    const extended = {
      "x-seaweedfs-checksum-algorithm": "X-Amz-Checksum-Crc32",
      "x-seaweedfs-checksum-value": "UCVFng==",
      "x-seaweedfs-checksum-type": "FULL_OBJECT",
    };
    putObject(cluster, `${bucket}/o`, { size: 1, extended });
    const source = sourceOf();
    const headersOf = async (checksums?: boolean) => {
      const object = await source.open("o", { ...createTestDownload(), want: "facts", checksums });
      return object.facts.headers;
    };
    expect(await headersOf(true)).toMatchObject({
      "x-amz-checksum-crc32": "UCVFng==",
      "x-amz-checksum-type": "FULL_OBJECT",
    });
    expect(Object.keys(await headersOf()).join()).not.toContain("checksum");
  });

  it("is left out where it is none", async () => {
    for (const [algorithm, value] of [
      ["Set-Cookie", "a=b"],
      ["X-Amz-Checksum-Crc32", "a\r\nb: c"],
      ["X-Amz-Checksum-Crc32", ""],
    ] as const) {
      const extended = {
        "x-seaweedfs-checksum-algorithm": algorithm,
        "x-seaweedfs-checksum-value": value,
      };
      putObject(cluster, `${bucket}/o`, { size: 1, extended });
      const asked = { ...createTestDownload(), want: "facts", checksums: true } as const;
      const { facts } = await sourceOf().open("o", asked);
      expect(Object.keys(facts.headers)).toEqual(["content-type"]);
    }
  });
});

describe("options", () => {
  it.each(["seaweed-foo", "Seaweed-*", "xattr-user", "x-seaweedfs-*"])(
    "pass nothing on that is the cluster's own: %s",
    (name) => {
      expect(() => sourceOf({ passHeaders: [name] })).toThrow(/never passed on/);
    },
  );
});
