/** Names below buckets: versions, delete markers, parts; as recorded from a running 4.44. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { createTestDownload } from "../../support/permits.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { readKey } from "../../support/seaweedfs/read-object.ts";
import { cook } from "../../support/seaweedfs/recipe.ts";
import { addRecording, loadRecordings } from "../../support/seaweedfs/recordings.ts";

const cases = loadRecordings();
let extra: FakeCluster;
let main: FakeCluster;
let source: Source;

beforeAll(async () => {
  extra = await FakeCluster.start();
  main = await FakeCluster.start();
  for (const one of cases.values()) {
    if (one.cluster === "extra") addRecording(extra, one);
    if (one.cluster === "main") addRecording(main, one);
  }
  // The versions of two objects were recorded in their folder's listing only.
  for (const name of ["version-null-dir", "suspended-dir"]) {
    const list = JSON.parse(cases.get(name)?.listing?.body ?? "{}") as {
      Entries?: { FullPath: string }[];
    };
    for (const entry of list.Entries ?? [])
      extra.entries.set(entry.FullPath, { metadata: JSON.stringify(entry) });
  }
  source = createSeaweedfsSource({
    filer: extra.filerUrl,
    master: extra.masterUrl,
    root: "/buckets",
  });
});

afterAll(async () => {
  await extra.close();
  await main.close();
});

function expected(name: string): Buffer {
  const content = cases.get(name)?.content;
  if (content === undefined) throw new Error(`${name} has no content`);
  return cook(content.recipe);
}

const versionOf = (name: string) => /v_([0-9a-f]+)$/.exec(cases.get(name)?.path ?? "")?.[1] ?? "";

describe("a versioned bucket", () => {
  it("means the latest version by the key alone", async () => {
    expect(Buffer.compare(await readKey(source, "fixt-ver/doc.bin"), expected("version-3"))).toBe(
      0,
    );
  });

  it.each(["version-1", "version-2", "version-3"])("finds %s by its id", async (name) => {
    const version = versionOf(name);
    const bytes = await readKey(source, "fixt-ver/doc.bin", undefined, { version });
    expect(Buffer.compare(bytes, expected(name))).toBe(0);
    const object = await source.open("fixt-ver/doc.bin", {
      ...createTestDownload(),
      want: "facts",
      version,
    });
    expect(object.facts.versionId).toBe(version);
  });

  it("has the null version beside newer ones, and alone", async () => {
    const old = await readKey(source, "fixt-ver/old.bin", undefined, { version: "null" });
    expect(Buffer.compare(old, expected("version-null"))).toBe(0);
    expect(
      Buffer.compare(await readKey(source, "fixt-ver/onlyold.bin"), expected("version-null-only")),
    ).toBe(0);
    const open = (key: string, version?: string) =>
      source.open(key, { ...createTestDownload(), want: "facts", version });
    const latest = await open("fixt-ver/old.bin");
    expect(latest.facts.size).toBe(510);
    expect(latest.facts.versionId).toMatch(/^[0-9a-f]{32}$/);
    // What was put before the bucket kept versions has no id stored.
    expect((await open("fixt-ver/old.bin", "null")).facts.versionId).toBe("null");
    expect((await open("fixt-ver/onlyold.bin")).facts.versionId).toBe("null");
  });

  it("has nothing behind a delete marker but the versions below it", async () => {
    await expect(readKey(source, "fixt-ver/gone.bin")).rejects.toMatchObject({ kind: "not-found" });
    const marker = versionOf("delete-marker");
    await expect(
      readKey(source, "fixt-ver/gone.bin", undefined, { version: marker }),
    ).rejects.toMatchObject({
      kind: "not-found",
    });
    const version = versionOf("deleted-version");
    const below = await readKey(source, "fixt-ver/gone.bin", undefined, { version });
    expect(Buffer.compare(below, expected("deleted-version"))).toBe(0);
  });

  it.each(["00000000000000000000000000000000", "../x", "a/b", "null"])(
    "has no version %j",
    async (version) => {
      await expect(
        readKey(source, "fixt-ver/doc.bin", undefined, { version }),
      ).rejects.toMatchObject({
        kind: "not-found",
      });
    },
  );

  it("finds the newest when the pointer leads nowhere", async () => {
    const folder = "/buckets/fixt-ver/doc.bin.versions";
    const pointer = extra.entries.get(folder);
    if (pointer === undefined) throw new Error("no pointer");
    const without = JSON.parse(pointer.metadata) as { Extended: Record<string, string> };
    without.Extended["Seaweed-X-Amz-Latest-Version-File-Name"] =
      Buffer.from("v_gone").toString("base64");
    extra.entries.set(folder, { ...pointer, metadata: JSON.stringify(without) });
    const fresh = createSeaweedfsSource({
      filer: extra.filerUrl,
      master: extra.masterUrl,
      root: "/buckets",
    });
    expect(Buffer.compare(await readKey(fresh, "fixt-ver/doc.bin"), expected("version-3"))).toBe(0);
    extra.entries.set(folder, pointer);
  });
});

describe("a bucket without versions", () => {
  it("reads the plain entry and knows no version but null, in one round trip to the filer", async () => {
    const plain = createSeaweedfsSource({
      filer: main.filerUrl,
      master: main.masterUrl,
      root: "/buckets/fixt",
    });
    for (const version of [undefined, "null"]) {
      const bytes = await readKey(plain, "small.bin", undefined, { version });
      expect(Buffer.compare(bytes, expected("s3-small"))).toBe(0);
    }
    const other = readKey(plain, "small.bin", undefined, { version: "abc" });
    await expect(other).rejects.toMatchObject({ kind: "not-found" });
    const object = await plain.open("small.bin", { ...createTestDownload(), want: "facts" });
    expect(object.facts.versionId).toBeUndefined();
  });

  it("is read from a filer that shows no directories, where the mount says that it keeps no versions", async () => {
    const cluster = await FakeCluster.start();
    try {
      putObject(cluster, "/buckets/b/o", { size: 3_000, chunkBytes: 1_000 });
      const [filer] = cluster.filers;
      if (filer !== undefined)
        filer.fault = ({ target }) =>
          /^\/buckets(\/b)?\/?(\?|$)/.test(target)
            ? { do: "reply", reply: { status: 403 } }
            : undefined;
      const urls = { filer: cluster.filerUrl, master: cluster.masterUrl };
      const open = (versioned: boolean, root: string, key: string) =>
        readKey(createSeaweedfsSource({ ...urls, root, versioned }), key);
      const bytes = contentBytes(ramp, 0, 3_000);
      expect(Buffer.compare(await open(false, "/buckets", "b/o"), bytes)).toBe(0);
      expect(Buffer.compare(await open(false, "/buckets/b", "o"), bytes)).toBe(0);
      await expect(open(false, "", "buckets/b/none")).rejects.toMatchObject({ kind: "not-found" });
      await expect(open(true, "/buckets", "b/o")).rejects.toMatchObject({
        kind: "denied",
        message: expect.stringContaining("versioned = false"),
      });
    } finally {
      await cluster.close();
    }
  });

  it("takes a backslash in a key for a slash, as the gateway does, and never climbs by one", async () => {
    const cluster = await FakeCluster.start();
    try {
      const one = contentBytes(ramp, 0, 500);
      putObject(cluster, "/buckets/b/a/o", { size: 500 });
      putObject(cluster, "/files/a\\o", { size: 700 });
      const urls = { filer: cluster.filerUrl, master: cluster.masterUrl };
      const bucket = createSeaweedfsSource({ ...urls, root: "/buckets/b" });
      expect(Buffer.compare(await readKey(bucket, "a\\o"), one)).toBe(0);
      expect(Buffer.compare(await readKey(bucket, "\\a\\\\o"), one)).toBe(0);
      for (const key of ["a\\..\\a\\o", "..\\b\\a\\o", "a\\o\\"])
        await expect(readKey(bucket, key), key).rejects.toMatchObject({ kind: "not-found" });
      // Paths of the filer itself have them as they are.
      const files = createSeaweedfsSource({ ...urls, root: "/files" });
      expect(await readKey(files, "a\\o")).toHaveLength(700);
    } finally {
      await cluster.close();
    }
  });

  it("names parts as they were uploaded", async () => {
    const plain = createSeaweedfsSource({
      filer: main.filerUrl,
      master: main.masterUrl,
      root: "/buckets/fixt",
    });
    const open = (s3PartNumber: number) =>
      plain.open("mpu.bin", { ...createTestDownload(), want: "facts", s3PartNumber });
    const { s3Part, facts } = await open(2);
    expect(s3Part).toEqual({ start: 5_242_880, end: 10_485_777 });
    expect(facts.s3PartCount).toBe(3);
    await expect(open(4)).rejects.toMatchObject({ kind: "unsatisfiable", size: 11_534_358 });
    expect(facts.etag).toMatch(/-3"$/);
  });
});
