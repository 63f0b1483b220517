/** Folders that are no part of a bucket's keys, and directories that are objects. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import { createTestDownload } from "../../support/permits.ts";
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

function sourceOf(root: string) {
  return createSeaweedfsSource({ filer: cluster.filerUrl, master: cluster.masterUrl, root });
}

describe("a folder that the gateway keeps for itself", () => {
  const system = "/buckets/.system/x";
  const upload = "/buckets/b/.uploads/id/0001_x.part";

  beforeEach(() => {
    for (const path of [system, upload, "/buckets/b/a/.uploads/x"])
      putObject(cluster, path, { size: 100 });
  });

  it.each([
    ["/buckets", ".system/x"],
    ["/buckets", ".system/"],
    ["/buckets", "b/.uploads/id/0001_x.part"],
    ["/buckets", "b\\.uploads/id/0001_x.part"],
    ["/buckets/b", ".uploads/id/0001_x.part"],
  ])("is not read through a mount of %s, as %s", async (root, key) => {
    await expect(readKey(sourceOf(root), key)).rejects.toMatchObject({ kind: "not-found" });
    expect(cluster.requests).toBe(0);
  });

  it.each([
    ["/buckets/b/.uploads", "id/0001_x.part"],
    ["/buckets/.system", "x"],
    ["", "buckets/.system/x"],
    ["/buckets", "b/a/.uploads/x"],
  ])("is read through a mount of %j, as %s", async (root, key) => {
    expect(await readKey(sourceOf(root), key)).toHaveLength(100);
  });
});

describe("a folder of the cluster's own", () => {
  const files = ["/etc/s3/sse_kek", "/etc/iam/identity.json", "/topics/.system/log/2026"];

  beforeEach(() => {
    for (const path of [...files, "/etcetera", "/topics/news", "/x/etc/y"])
      putObject(cluster, path, { size: 100 });
  });

  it.each(files)("is not read through a mount of the filer's root: %s", async (path) => {
    for (const key of [path.slice(1), `/${path}`])
      await expect(readKey(sourceOf(""), key), key).rejects.toMatchObject({ kind: "not-found" });
    expect(cluster.requests).toBe(0);
  });

  it("is not listed, from above or by its name", async () => {
    const source = sourceOf("");
    const keysOf = async (prefix: string) => {
      const page = await source.list?.(prefix, { ...createTestDownload(), limit: 100 });
      return page?.entries.map(({ key }) => key);
    };
    expect(await keysOf("")).toEqual(["etcetera", "topics/news", "x/etc/y"]);
    for (const prefix of ["etc/", "etc/s3/", "topics/.system/"])
      expect(await keysOf(prefix), prefix).toEqual([]);
  });

  it.each([
    ["/etc", "s3/sse_kek"],
    ["/etc/iam", "identity.json"],
    ["/topics/.system/log", "2026"],
    ["/x", "etc/y"],
  ])("is read through a mount of %s, which is meant so: %s", async (root, key) => {
    expect(await readKey(sourceOf(root), key)).toHaveLength(100);
  });
});

describe("a directory", () => {
  function putWithContent(path: string, size: number, mime: string): void {
    const metadata = JSON.parse(directoryJson(path, { mime })) as Record<string, unknown>;
    const Content = Buffer.from("content").toString("base64");
    cluster.entries.set(path, {
      metadata: JSON.stringify({ ...metadata, FileSize: size, Content }),
    });
  }

  it("with data is an object, and listed as one", async () => {
    putWithContent("/buckets/b/d", 7, "text/plain");
    putObject(cluster, "/buckets/b/d/below", { size: 5 });
    const source = sourceOf("/buckets/b");
    expect(Buffer.from(await readKey(source, "d")).toString()).toBe("content");
    const page = await source.list?.("", { ...createTestDownload(), limit: 10 });
    expect(page?.entries).toMatchObject([
      { key: "d", size: 7 },
      { key: "d/below", size: 5 },
    ]);
  });

  it("that was put as a key with a slash is none under the key without it", async () => {
    putWithContent("/buckets/b/d", 0, "text/plain");
    const source = sourceOf("/buckets/b");
    await expect(readKey(source, "d")).rejects.toMatchObject({ kind: "not-found" });
    expect(Buffer.from(await readKey(source, "d/")).toString()).toBe("content");
  });
});
