/** Names that no filer stores, from a server that answers in the place of one. */
import { expect, it } from "vitest";
import { Directory } from "../../../src/sources/seaweedfs/directory.ts";
import { createTestDownload } from "../../support/permits.ts";

it("lists a name of 50 KB at once, whatever it is made of", async () => {
  const name = "-".repeat(50_000);
  const value = { FullPath: `/buckets/b/${name}`, FileSize: 0 };
  const pages = [{ values: [value], last: name, more: true, characters: name.length }];
  const reader = { entry: async () => undefined, page: async () => pages.shift() };
  const rules = {
    ofBuckets: false,
    s3Names: true,
    versioned: true,
    hides: () => false,
    etag: "s3",
    now: Date.now,
  } as const;
  const read = { path: "/buckets/b", namePrefix: "", from: "", rules };
  const directory = new Directory(read, reader, createTestDownload());
  const began = performance.now();
  expect((await directory.next())?.name).toBe(name);
  expect(performance.now() - began).toBeLessThan(1000);
});
