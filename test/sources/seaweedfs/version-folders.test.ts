/** What lies in and beside `<key>.versions`, put there by whoever may write to the bucket. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { directoryJson } from "../../support/seaweedfs/directories.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import { entryJson, type FakeObjectOptions, putObject } from "../../support/seaweedfs/objects.ts";
import { readKey } from "../../support/seaweedfs/read-object.ts";

const bucket = "/buckets/b";
let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start();
  putDirectory(bucket, { "Seaweed-X-Amz-Versioning": "Enabled" });
});
afterEach(() => endCluster(cluster));

function putDirectory(path: string, extended: Readonly<Record<string, string>> = {}): void {
  cluster.entries.set(path, { metadata: directoryJson(path, { extended }) });
}

function putVersion(key: string, id: string, options: FakeObjectOptions): void {
  const extended = { "Seaweed-X-Amz-Version-Id": id, ...options.extended };
  putObject(cluster, `${bucket}/${key}.versions/v_${id}`, { ...options, extended });
}

function read(key: string, version?: string) {
  const urls = { filer: cluster.filerUrl, master: cluster.masterUrl };
  const source = createSeaweedfsSource({ ...urls, root: "/buckets", metadataTtlMs: 0 });
  return readKey(source, `b/${key}`, undefined, { version });
}

const notFound = { kind: "not-found" };

describe("a file called like a folder of versions", () => {
  /** Its bytes are what a listing with one entry looks like. */
  function putFileWith(entry: unknown): void {
    putObject(cluster, "/private/secret.txt", { size: 11 });
    putObject(cluster, `${bucket}/x.versions`, { size: 500 });
    const stored = cluster.entries.get(`${bucket}/x.versions`);
    if (stored === undefined) throw new Error("It is not there");
    const listing = JSON.stringify({ Entries: [entry] });
    cluster.entries.set(`${bucket}/x.versions`, { ...stored, listing });
  }

  it("is not read for a list: no path of the filer can be named by an object", async () => {
    putFileWith(JSON.parse(entryJson("/private/secret.txt", 11, [])));
    await expect(read("x")).rejects.toMatchObject(notFound);
    await expect(read("x", "abc")).rejects.toMatchObject(notFound);
    const asked = cluster.filers.flatMap((filer) => filer.seen.map(({ target }) => target));
    expect(asked.filter((target) => /private|limit=/.test(target))).toEqual([]);
  });

  it("leaves the key beside it, and itself, as they are", async () => {
    putFileWith({});
    putObject(cluster, `${bucket}/x`, { size: 700 });
    expect(Buffer.compare(await read("x"), contentBytes(ramp, 0, 700))).toBe(0);
    expect(await read("x.versions")).toHaveLength(500);
  });
});

describe("what lies in a folder of versions", () => {
  const id = "6".repeat(32);

  beforeEach(() => {
    putDirectory(`${bucket}/x.versions`, { "Seaweed-X-Amz-Latest-Version-File-Name": `v_${id}` });
    putVersion("x", id, { size: 20, extended: { "Seaweed-X-Amz-Delete-Marker": "true" } });
    putVersion("x", "5".repeat(32), { size: 30 });
  });

  it("is no key of its own: what was deleted or replaced is read by its version id alone", async () => {
    await expect(read(`x.versions/v_${"5".repeat(32)}`)).rejects.toMatchObject(notFound);
    await expect(read(`x.versions/v_${"5".repeat(32)}`, "null")).rejects.toMatchObject(notFound);
    expect(await read("x", "5".repeat(32))).toHaveLength(30);
  });

  it("is a key like any other where the bucket keeps no versions", async () => {
    putDirectory(bucket);
    expect(await read(`x.versions/v_${"5".repeat(32)}`)).toHaveLength(30);
  });
});

describe("a folder of versions whose pointer leads nowhere", () => {
  const folder = `${bucket}/x.versions`;

  it("never leads out of itself, whatever its listing says", async () => {
    putObject(cluster, "/private/secret.txt", { size: 11 });
    putDirectory(folder);
    const extended = { "Seaweed-X-Amz-Version-Id": "6".repeat(32) };
    const elsewhere = ["/private/secret.txt", "/private/v_6", "/private/y.versions/v_6"];
    for (const path of [...elsewhere, `${folder}/v_6/../../../v_6`]) {
      const listing = JSON.stringify({
        Entries: [JSON.parse(entryJson(path, 11, [], { extended }))],
      });
      const metadata = directoryJson(folder);
      cluster.entries.set(folder, { metadata, listing });
      await expect(read("x"), path).rejects.toMatchObject({
        kind: expect.stringMatching(/^(protocol|not-found)$/),
      });
    }
  });

  it("is a fault of the store where the listing is none", async () => {
    const metadata = directoryJson(folder);
    cluster.entries.set(folder, { metadata, listing: "<html>" });
    await expect(read("x")).rejects.toMatchObject({ kind: "protocol" });
  });

  /** Of the older format: nanoseconds, so the newest is the last name. */
  const idOf = (index: number) =>
    (0x17d0000000000000n + BigInt(index)).toString(16).padEnd(32, "0");

  it("is looked through page by page", async () => {
    for (let index = 0; index < 25; index++) putVersion("x", idOf(index), { size: 900 + index });
    cluster.mostListed = 4;
    expect(await read("x")).toHaveLength(924);
  });

  it("with more versions than are looked through is refused, not guessed", async () => {
    for (let index = 0; index < 25; index++) putVersion("x", idOf(index), { size: 900 + index });
    cluster.mostListed = 2;
    await expect(read("x")).rejects.toMatchObject({ kind: "unsupported" });
  });

  it("has no versions but those with an id: other keys may lie there", async () => {
    putObject(cluster, `${folder}/foo`, { size: 500 });
    putObject(cluster, `${folder}/v_foo`, { size: 500 });
    await expect(read("x")).rejects.toMatchObject(notFound);
    putVersion("x", idOf(0), { size: 900 });
    expect(await read("x")).toHaveLength(900);
    expect(await read("x.versions/foo")).toHaveLength(500);
  });

  it("has no versions but those with a version's name: what is put beside them has an id, too", async () => {
    const extended = { "Seaweed-X-Amz-Version-Id": "null" };
    putObject(cluster, `${folder}/foo`, { size: 500, extended });
    await expect(read("x")).rejects.toMatchObject(notFound);
    expect(await read("x.versions/foo")).toHaveLength(500);
  });

  it("is given up where its pages do not go on", async () => {
    const listing = JSON.stringify({
      Path: folder,
      Entries: [JSON.parse(entryJson(`${folder}/v_6`, 11, []))],
      LastFileName: "v_6",
      ShouldDisplayLoadMore: true,
    });
    cluster.entries.set(folder, { metadata: directoryJson(folder), listing });
    await expect(read("x")).rejects.toMatchObject({ kind: "unsupported" });
    const asked = cluster.filers.flatMap((filer) => filer.seen.map(({ target }) => target));
    expect(asked.filter((target) => target.includes("limit="))).toHaveLength(2);
  });

  it("is looked through also where the key is a folder of others", async () => {
    putDirectory(folder);
    putVersion("x", idOf(0), { size: 900 });
    putDirectory(`${bucket}/x`);
    putObject(cluster, `${bucket}/x/below`, { size: 10 });
    expect(await read("x")).toHaveLength(900);
  });

  it("is not followed to its parent", async () => {
    putVersion("x", "6".repeat(32), { size: 900 });
    for (const file of ["..", ".", "v_", "../x", "v_1/../../x"]) {
      putDirectory(folder, { "Seaweed-X-Amz-Latest-Version-File-Name": file });
      expect(await read("x"), file).toHaveLength(900);
    }
    const asked = cluster.filers.flatMap((filer) => filer.seen.map(({ target }) => target));
    expect(asked.filter((target) => /\.\.(\/|\?|%2F)/i.test(target))).toEqual([]);
  });
});

describe("a delete marker", () => {
  const marker = { "Seaweed-X-Amz-Delete-Marker": "true" };

  it("is nothing, by whatever key it is named", async () => {
    const id = "6".repeat(32);
    putVersion("x", id, { size: 0, extended: marker });
    const latest = "Seaweed-X-Amz-Latest-Version-File-Name";
    putDirectory(`${bucket}/x.versions`, { [latest]: `v_${id}` });
    putObject(cluster, `${bucket}/plain`, { size: 0, extended: marker });
    for (const key of ["x", `x.versions/v_${id}`, "plain"])
      await expect(read(key), key).rejects.toMatchObject(notFound);
    await expect(read("x", id)).rejects.toMatchObject(notFound);
    await expect(read("plain", "null")).rejects.toMatchObject(notFound);
  });

  it("that is the plain entry is the latest where versions are suspended", async () => {
    putDirectory(`${bucket}/x.versions`);
    putVersion("x", "6".repeat(32), { size: 900 });
    putObject(cluster, `${bucket}/x`, { size: 0, extended: marker });
    await expect(read("x")).rejects.toMatchObject(notFound);
  });
});

describe("the filer's metadata", () => {
  it("names no other path to read: what was asked for is asked for again", async () => {
    const remote = { Remote: { remote_e_tag: "t", remote_size: 700 } };
    const fields: unknown = JSON.parse(entryJson("/private/secret.txt", 700, []));
    const metadata = JSON.stringify({ ...(fields as object), ...remote });
    const content = Buffer.from(contentBytes(ramp, 0, 700));
    cluster.entries.set(`${bucket}/x`, { metadata, content });
    expect(Buffer.compare(await read("x"), content)).toBe(0);
    const asked = cluster.filers.flatMap((filer) => filer.seen.map(({ target }) => target));
    expect(asked.filter((target) => target.includes("private"))).toEqual([]);
  });
});
