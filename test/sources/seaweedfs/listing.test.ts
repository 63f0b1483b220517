/** Pages of keys: order, prefixes, delimiters, versions, folders; against a sorted list of what was stored. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ReadaheadError } from "../../../src/errors.ts";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { createTestDownload } from "../../support/permits.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { directoryJson } from "../../support/seaweedfs/directories.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import { entryJson } from "../../support/seaweedfs/objects.ts";
import { until } from "../../support/until.ts";

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start({ volumeServers: 1 });
});

afterEach(() => endCluster(cluster));

function sourceOf(options: Partial<SeaweedfsOptions> = {}): Source {
  return createSeaweedfsSource({ filer: cluster.filerUrl, metadataTtlMs: 0, ...options });
}

interface Told {
  readonly keys: string[];
  readonly prefixes: string[];
  readonly pages: number;
  /** Most requests that one page needed. */
  readonly questions: number;
}

/** Everything, page after page. */
async function listAll(
  source: Source,
  prefix: string,
  options: { limit?: number; delimiter?: string; after?: string } = {},
): Promise<Told> {
  const { limit = 1000, delimiter } = options;
  const keys: string[] = [];
  const prefixes: string[] = [];
  let { after } = options;
  let pages = 0;
  let questions = 0;
  do {
    const download = createTestDownload();
    const page = await source.list?.(prefix, { ...download, limit, delimiter, after });
    if (page === undefined) throw new Error("The source does not list");
    questions = Math.max(questions, download.permits.asks.length);
    expect(page.entries.length + page.prefixes.length).toBeLessThanOrEqual(limit);
    keys.push(...page.entries.map((entry) => entry.key));
    prefixes.push(...page.prefixes);
    if (page.next !== undefined && after !== undefined)
      expect(bytewise(page.next, after)).toBeGreaterThan(0);
    after = page.next;
    pages += 1;
  } while (after !== undefined && pages < 2000);
  return { keys, prefixes, pages, questions };
}

function bytewise(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** What S3 says to the same question. */
function expected(
  stored: readonly string[],
  prefix: string,
  delimiter?: string,
  after = "",
): Pick<Told, "keys" | "prefixes"> {
  const keys: string[] = [];
  const prefixes = new Set<string>();
  for (const key of [...stored].toSorted(bytewise)) {
    if (!key.startsWith(prefix) || bytewise(key, after) <= 0) continue;
    const at = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
    if (at < 0) keys.push(key);
    else prefixes.add(key.slice(0, at + (delimiter ?? "").length));
  }
  return { keys, prefixes: [...prefixes].toSorted(bytewise) };
}

function putPlain(path: string): void {
  cluster.entries.set(path, { metadata: entryJson(path, 3, []) });
}

function putVersioned(
  path: string,
  state: "live" | "deleted" | "suspended" | "old" | "untagged",
): void {
  const folder = `${path}.versions`;
  const file = "v_671568c5cd3de94dc4736a4afb635c36";
  const name = (what: string) => `Seaweed-X-Amz-Latest-Version-${what}`;
  const pointer = {
    [name("File-Name")]: file,
    [name("Size")]: "3",
    [name("Mtime")]: "1795413677",
    [name("ETag")]: "8ed35eb23f15de29a122a669252d4000",
  };
  const extended = {
    live: pointer,
    deleted: { ...pointer, [name("Is-Delete-Marker")]: "true" },
    suspended: { "Seaweed-X-Amz-Null-Version-Is-Latest": "true" },
    old: { [name("File-Name")]: file },
    untagged: { ...pointer, [name("ETag")]: "" },
  }[state];
  cluster.entries.set(folder, { metadata: directoryJson(folder, { extended }) });
  cluster.entries.set(`${folder}/${file}`, { metadata: entryJson(`${folder}/${file}`, 3, []) });
}

function putBucket(path: string, versioning?: string): void {
  const extended: Record<string, string> =
    versioning === undefined ? {} : { "Seaweed-X-Amz-Versioning": versioning };
  cluster.entries.set(path, { metadata: directoryJson(path, { extended }) });
}

// Around the slash and the dot, beyond ASCII, beyond the surrogates, and long beginnings in common.
const letter = fc.constantFrom("a", "b", "-", ".", "!", "0", "é", "\uffee", "😀", "a.versions");
const segment = fc
  .array(letter, { minLength: 1, maxLength: 3 })
  .map((letters) => letters.join(""))
  .filter((name) => !/^\.{1,2}$|^\.|\.versions$/.test(name));
const path = fc
  .array(segment, { minLength: 1, maxLength: 3 })
  .map((segments) => segments.join("/"));

/** No key may be a directory of another: a filer cannot store that. */
function storable(paths: readonly string[]): string[] {
  return [...new Set(paths)].filter(
    (one) =>
      !paths.some((other) => other.startsWith(`${one}/`) || other.startsWith(`${one}.versions/`)),
  );
}

describe("a page of keys", () => {
  it("has the order of keys, whatever the order of names: any tree, prefix, delimiter and page", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(path, { maxLength: 25 }),
        fc.constantFrom("", "a", "a/", "a/b", "b-", "a.", "😀", "/", "a//", "../"),
        fc.constantFrom(undefined, "/", "-", "a", "b/"),
        fc.option(path, { nil: undefined }),
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom(1, 2, 3, Infinity),
        async (paths, prefix, delimiter, after, limit, mostListed) => {
          cluster.entries.clear();
          cluster.mostListed = mostListed;
          const stored = storable(paths);
          for (const one of stored) putPlain(`/m/${one}`);
          const source = sourceOf({ root: "/m" });
          const told = await listAll(source, prefix, {
            limit,
            ...(delimiter === undefined ? {} : { delimiter }),
            ...(after === undefined ? {} : { after }),
          });
          const { keys, prefixes } = expected(stored, prefix, delimiter, after);
          expect(told.keys).toEqual(keys);
          // A directory that is rolled up is not looked into, so it is told though all of it lies before the start.
          expect(told.prefixes.filter((one) => bytewise(one, after ?? "") > 0)).toEqual(
            prefixes.filter((one) => bytewise(one, after ?? "") > 0),
          );
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);

  it("is the same with versions: folders of versions stand for their key", async () => {
    const object = fc.record({
      path,
      state: fc.constantFrom("plain", "live", "deleted", "suspended", "old"),
      plain: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(object, { maxLength: 20 }),
        fc.constantFrom("", "a", "a/", "b-"),
        fc.constantFrom(undefined, "/"),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(1, 2, 3, Infinity),
        async (objects, prefix, delimiter, limit, mostListed) => {
          cluster.entries.clear();
          cluster.mostListed = mostListed;
          putBucket("/buckets/v", "Enabled");
          const allowed = new Set(storable(objects.map((one) => one.path)));
          const live: string[] = [];
          for (const one of objects) {
            if (!allowed.delete(one.path)) continue;
            const place = `/buckets/v/${one.path}`;
            const plain = one.plain || one.state === "plain" || one.state === "suspended";
            if (plain) putPlain(place);
            if (one.state !== "plain") putVersioned(place, one.state);
            if (one.state !== "deleted") live.push(one.path);
          }
          const source = sourceOf({ root: "/buckets/v" });
          const options = { limit, ...(delimiter === undefined ? {} : { delimiter }) };
          const told = await listAll(source, prefix, options);
          const { keys, prefixes } = expected(live, prefix, delimiter);
          expect(told.keys).toEqual(keys);
          for (const one of prefixes) expect(told.prefixes).toContain(one);
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);

  it("tells size, entity tag and time as opening the key does", async () => {
    putBucket("/buckets/v", "Enabled");
    putVersioned("/buckets/v/k", "live");
    putVersioned("/buckets/v/old", "old");
    putVersioned("/buckets/v/untagged", "untagged");
    const page = await sourceOf({ root: "/buckets" }).list?.("v/", {
      ...createTestDownload(),
      limit: 10,
    });
    expect(page?.entries[0]).toEqual({
      key: "v/k",
      size: 3,
      etag: '"8ed35eb23f15de29a122a669252d4000"',
      lastModified: 1_795_413_677_000,
    });
    expect(page?.entries[1]).toMatchObject({ key: "v/old", size: 3 });
    const { etag } = page?.entries[1] ?? {};
    expect(etag).toBeDefined();
    expect(page?.entries[2]).toMatchObject({ key: "v/untagged", size: 3, etag });
  });

  it("finds a key's versions though thousands of names lie between", async () => {
    putBucket("/buckets/v", "Enabled");
    for (let i = 0; i < 2500; i++) putPlain(`/buckets/v/k-${String(i).padStart(5, "0")}`);
    putVersioned("/buckets/v/k", "live");
    const source = sourceOf({ root: "/buckets/v", metadataTtlMs: 3000 });
    const told = await listAll(source, "");
    expect(told.keys.length).toBe(2501);
    expect(told.keys[0]).toBe("k");
    expect(told.keys[2500]).toBe("k-02499");
    expect(told.questions).toBeLessThan(20);
  });
});

describe("S3 names", () => {
  it("hide uploads in progress, folders of the system, and what is no bucket", async () => {
    putBucket("/buckets/b");
    putPlain("/buckets/b/.uploads/123/0001.part");
    putPlain("/buckets/b/k");
    putPlain("/buckets/.system/x");
    putPlain("/buckets/file");
    const source = sourceOf({ root: "/buckets" });
    expect((await listAll(source, "")).keys).toEqual(["b/k"]);
    expect((await listAll(source, "b/.uploads/")).keys).toEqual([]);
    expect((await listAll(source, ".system/")).keys).toEqual([]);
    expect(await listAll(source, "", { delimiter: "/" })).toMatchObject({ prefixes: ["b/"] });
  });

  it("list folder markers as keys, plain directories not, and open the markers", async () => {
    putBucket("/buckets/b");
    const mime = "application/x-directory";
    cluster.entries.set("/buckets/b/m", { metadata: directoryJson("/buckets/b/m", { mime }) });
    cluster.entries.set("/buckets/b/d", { metadata: directoryJson("/buckets/b/d") });
    putPlain("/buckets/b/m/k");
    const source = sourceOf({ root: "/buckets/b" });
    expect((await listAll(source, "")).keys).toEqual(["m/", "m/k"]);
    expect((await listAll(source, "m/", { delimiter: "/", limit: 1 })).keys).toEqual(["m/", "m/k"]);
    const download = createTestDownload();
    const object = await source.open("m/", { ...download, want: "facts" });
    expect(object.facts.size).toBe(0);
    await expect(source.open("d/", { ...download, want: "facts" })).rejects.toMatchObject({
      kind: "not-found",
    });
  });

  it("hide what time has run out for", async () => {
    putPlain("/buckets/b/k");
    const gone = "/buckets/b/gone";
    cluster.entries.set(gone, { metadata: entryJson(gone, 3, [], { ttlSeconds: 60 }) });
    const source = sourceOf({ root: "/buckets/b", now: () => Date.now() + 61_000 });
    expect((await listAll(source, "")).keys).toEqual(["k"]);
  });
});

describe("a file called like the prefix", () => {
  it("comes first", async () => {
    for (const name of ["pho", "pho-x", "pho.y", "photo"]) putPlain(`/m/${name}`);
    const { keys } = await listAll(sourceOf({ root: "/m" }), "pho");
    expect(keys).toEqual(["pho", "pho-x", "pho.y", "photo"]);
  });
});

describe("the cost of a page", () => {
  it("is bounded where directories are empty or small, and every page gets on", async () => {
    for (let i = 0; i < 100; i++) putPlain(`/m/d${i}/k`);
    for (let i = 0; i < 100; i++) {
      const place = `/m/e${i}`;
      cluster.entries.set(place, { metadata: directoryJson(place) });
    }
    const told = await listAll(sourceOf({ root: "/m" }), "");
    expect(told.keys.length).toBe(100);
    expect(told.questions).toBeLessThanOrEqual(42);
    expect(told.pages).toBeGreaterThan(2);
  });

  it("is bounded whatever it starts behind, and finds the folders that stand behind there", async () => {
    const keys = ["-/k", "--/k", "---x", `${"-".repeat(200)}/k`];
    for (const key of keys) putPlain(`/m/${key}`);
    const told = await listAll(sourceOf({ root: "/m" }), "", { after: "-".repeat(6000) });
    expect(told.keys).toEqual(keys.toSorted(bytewise));
    expect(told.questions).toBeLessThanOrEqual(42);
  });

  it("gets on also where finding its start costs more than a page may", async () => {
    const deep = "d/".repeat(60);
    for (const name of ["a", "b"]) putPlain(`/m/${deep}${name}`);
    const told = await listAll(sourceOf({ root: "/m" }), "", { after: `${deep}a` });
    expect(told.keys).toEqual([`${deep}b`]);
  });

  it("asks for a bucket once, however deep the prefix, also where there is none", async () => {
    const told = await listAll(sourceOf({ root: "/buckets" }), `none/${"a/".repeat(1500)}`);
    expect(told.keys).toEqual([]);
    expect(told.questions).toBeLessThanOrEqual(3);
  });

  it("stays small with long chunk lists: fewer names are asked for at once", async () => {
    const filler = "x".repeat(200_000);
    for (let i = 0; i < 60; i++) {
      const place = `/m/k${String(i).padStart(2, "0")}`;
      const metadata = entryJson(place, 3, [], { extended: { note: filler } });
      cluster.entries.set(place, { metadata });
    }
    const told = await listAll(sourceOf({ root: "/m" }), "");
    expect(told.keys.length).toBe(60);
    const asked = (cluster.filers[0]?.seen ?? []).filter((seen) => /limit=/.test(seen.target));
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.length).toBeLessThan(25);
  });

  it("ends with the download, and with what the filer refuses", async () => {
    putPlain("/m/k");
    const source = sourceOf({ root: "/m" });
    const download = createTestDownload();
    const [filer] = cluster.filers;
    if (filer === undefined) throw new Error("no filer");
    filer.fault = () => ({ do: "hang" });
    const listing = source.list?.("", { ...download, limit: 10 });
    const outcome = listing?.catch((error: unknown) => error);
    await until("the filer was asked", () => filer.seen.length === 1);
    const reason = new Error("The client left");
    download.abort(reason);
    expect(await outcome).toBe(reason);
    filer.fault = () => ({
      do: "reply",
      reply: { status: 403, body: '{"error":"ui is disabled"}' },
    });
    const refusal = await source
      .list?.("", { ...createTestDownload(), limit: 10 })
      .catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ReadaheadError);
    expect(refusal).toMatchObject({ kind: "denied" });
  });

  it("never asks for a file's bytes: a prefix below a file is empty", async () => {
    putPlain("/m/k");
    const source = sourceOf({ root: "/m" });
    expect((await listAll(source, "k/")).keys).toEqual([]);
    expect((await listAll(source, "", { after: "k/x" })).keys).toEqual([]);
  });

  it("lists an object whose chunks cannot be understood, without an entity tag", async () => {
    putPlain("/m/good");
    const metadata = entryJson("/m/bad", 3, []).replace(
      '"chunks":[]',
      '"chunks":[{"file_id":"?","size":3}]',
    );
    cluster.entries.set("/m/bad", { metadata });
    const page = await sourceOf({ root: "/m" }).list?.("", { ...createTestDownload(), limit: 9 });
    expect(page?.entries.map((entry) => entry.key)).toEqual(["bad", "good"]);
  });
});
