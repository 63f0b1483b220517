/** Pages of keys of an S3 store. */
import { describe, expect, it } from "vitest";
import { afterAll } from "../../../src/sources/key-order.ts";
import { ramp } from "../../support/object-bytes.ts";
import { failure, setUp } from "./setup.ts";

describe("list", () => {
  it("continues behind a rolled-up prefix without naming it twice", async () => {
    const { fake, made, download } = setUp();
    for (const key of ["d/a/1", "d/a/2", "d/b", "d/c/1", "d/d & <é>+ %"])
      fake.space.store(key, { content: ramp, size: 1 });
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await made.list?.("d/", { ...download, limit: 1, delimiter: "/", after });
      seen.push(...(page?.entries.map(({ key }) => key) ?? []), ...(page?.prefixes ?? []));
      after = page?.next;
    } while (after !== undefined && seen.length < 9);
    expect(seen).toEqual(["d/a/", "d/b", "d/c/", "d/d & <é>+ %"]);
  });

  it("says in which class of storage an object lies", async () => {
    const page = (classes: string) =>
      `<ListBucketResult><Contents><Key>a</Key><Size>1</Size>${classes}</Contents></ListBucketResult>`;
    for (const [written, expected] of [
      ["<StorageClass>GLACIER</StorageClass>", "GLACIER"],
      ["<StorageClass>a b</StorageClass>", undefined],
      ["", undefined],
    ] as const) {
      const { made, download } = setUp({}, { fetch: async () => new Response(page(written)) });
      const { entries } = (await made.list?.("", { ...download, limit: 3 })) ?? { entries: [] };
      expect(entries[0]?.storageClass).toBe(expected);
    }
  });

  it("ends at a store that ignores where to start", async () => {
    const page = (truncated: boolean) =>
      `<ListBucketResult><IsTruncated>${truncated}</IsTruncated>${["a", "b"]
        .map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`)
        .join("")}<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListBucketResult>`;
    const listOf = (truncated: boolean, after: string) => {
      const { made, download } = setUp({}, { fetch: async () => new Response(page(truncated)) });
      return Promise.resolve(made.list?.("", { ...download, limit: 3, after }));
    };
    const next = `b/${afterAll}`;
    expect(await listOf(true, "a")).toMatchObject({
      entries: [{ key: "b" }],
      prefixes: ["b/"],
      next,
    });
    expect((await failure(listOf(true, next))).kind).toBe("protocol");
    expect(await listOf(false, next)).toEqual({ entries: [], prefixes: [] });
    // A key within the folder: what comes behind it is rolled up into the same prefix.
    expect(await listOf(false, "b/x")).toMatchObject({ entries: [], prefixes: ["b/"] });
  });

  it("shows nothing beside the prefix, and goes on behind it, whatever the store lists", async () => {
    const page = `<ListBucketResult><IsTruncated>true</IsTruncated>${["d/a", "e"]
      .map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`)
      .join(
        "",
      )}<CommonPrefixes><Prefix>d/b/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>f/</Prefix></CommonPrefixes></ListBucketResult>`;
    const { made, download } = setUp({}, { fetch: async () => new Response(page) });
    expect(await made.list?.("d/", { ...download, limit: 3, delimiter: "/" })).toMatchObject({
      entries: [{ key: "d/a" }],
      prefixes: ["d/b/"],
      next: `f/${afterAll}`,
    });
  });

  it("goes on behind a page whose keys all stand beside the prefix", async () => {
    const page =
      "<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>e</Key><Size>1</Size></Contents></ListBucketResult>";
    const { made, download } = setUp({}, { fetch: async () => new Response(page) });
    expect(await made.list?.("d/", { ...download, limit: 1 })).toEqual({
      entries: [],
      prefixes: [],
      next: "e",
    });
  });

  it("goes on behind whichever comes last, a key or a folder", async () => {
    const text =
      "<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>z</Key><Size>1</Size></Contents>" +
      "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></ListBucketResult>";
    const { made, download } = setUp({}, { fetch: async () => new Response(text) });
    expect((await made.list?.("", { ...download, limit: 2 }))?.next).toBe("z");
  });

  it("takes keys, dates and ends as they are written", async () => {
    const contents = (key: string, date: string) =>
      `<Contents><Key>${key}</Key><Size>1</Size><LastModified>${date}</LastModified></Contents>`;
    const text = `<ListBucketResult><IsTruncated>\n true </IsTruncated>${contents(" a+b ", "never")}${contents("a&#x26;&#13;007", "2026-01-01T00:00:00Z")}</ListBucketResult>`;
    const { made, download } = setUp({}, { fetch: async () => new Response(text) });
    expect(await made.list?.("", { ...download, limit: 2 })).toMatchObject({
      entries: [
        { key: " a+b ", lastModified: undefined },
        { key: "a&\r007", lastModified: Date.UTC(2026, 0, 1) },
      ],
      next: "a&\r007",
    });
  });

  it("refuses a key from outside of the mount's prefix", async () => {
    const text =
      "<ListBucketResult><Contents><Key>other/a</Key><Size>1</Size></Contents></ListBucketResult>";
    const { made, download } = setUp(
      {},
      { keyPrefix: "mine/", fetch: async () => new Response(text) },
    );
    const error = await failure(Promise.resolve(made.list?.("", { ...download, limit: 1 })));
    expect(error.kind).toBe("protocol");
  });

  it("refuses what is no list", async () => {
    for (const body of [
      "",
      "<html/>",
      "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
      "<ListBucketResult><Contents><Key>a</Key><Size>1e3</Size></Contents></ListBucketResult>",
    ]) {
      const { made, download } = setUp({}, { fetch: async () => new Response(body) });
      const error = await failure(Promise.resolve(made.list?.("", { ...download, limit: 1 })));
      expect(error.kind).toBe("protocol");
    }
  });
});
