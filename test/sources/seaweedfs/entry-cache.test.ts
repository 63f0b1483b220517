import { describe, expect, it } from "vitest";
import { entryFromJson } from "../../../src/sources/seaweedfs/entry.ts";
import { EntryCache } from "../../../src/sources/seaweedfs/entry-cache.ts";

const began = Date.UTC(2026, 0, 1);

function entryOf(chunks: number, more: Record<string, unknown> = {}) {
  const list = Array.from({ length: chunks }, (_, i) => ({
    file_id: `1,01${"0".repeat(8)}`,
    offset: i,
  }));
  return entryFromJson({ FullPath: "/o", FileSize: chunks, chunks: list, ...more });
}

function setUp(ttlMs = 3000) {
  const clock = { now: began };
  return { clock, cache: new EntryCache(ttlMs, () => clock.now) };
}

describe("EntryCache", () => {
  it("believes what it saw for its time, also that there was nothing", () => {
    const { clock, cache } = setUp();
    const entry = entryOf(1);
    cache.set("/o", entry);
    cache.set("/none", undefined);
    clock.now += 2999;
    expect(cache.get("/o")?.entry).toBe(entry);
    expect(cache.get("/none")).toMatchObject({ entry: undefined });
    clock.now += 1;
    expect(cache.get("/o")).toBeUndefined();
  });

  it("keeps nothing without a time", () => {
    const { cache } = setUp(0);
    cache.set("/o", entryOf(1));
    expect(cache.get("/o")).toBeUndefined();
  });

  it("keeps no entry longer than the entry lives", () => {
    const { clock, cache } = setUp();
    cache.set("/o", entryOf(1, { Crtime: new Date(began).toISOString(), TtlSec: 1 }));
    expect(cache.get("/o")).toBeDefined();
    clock.now += 1000;
    expect(cache.get("/o")).toBeUndefined();
  });

  it("is bounded by chunks, oldest first, and takes no list that would fill it alone", () => {
    const { cache } = setUp();
    for (const path of ["/a", "/b", "/c"]) cache.set(path, entryOf(15_000));
    expect(["/a", "/b", "/c"].filter((path) => cache.get(path) !== undefined)).toEqual([
      "/b",
      "/c",
    ]);
    cache.set("/large", entryOf(42_000));
    expect(cache.get("/large")).toBeUndefined();
    expect(cache.get("/c")).toBeDefined();
  });

  it.each([
    ["nothing", {}, true],
    ["a key", { cipher_key: Buffer.alloc(32).toString("base64") }, false],
    ["a record", { sse_type: 2, sse_metadata: Buffer.alloc(500).toString("base64") }, false],
  ])("counts what chunks have with them: %s", (_what, more, fits) => {
    const { cache } = setUp();
    const chunk = { file_id: `1,01${"0".repeat(8)}`, ...more };
    const chunks = Array.from({ length: 12_000 }, () => chunk);
    for (const path of ["/a", "/b"])
      cache.set(path, entryFromJson({ FullPath: path, FileSize: 0, chunks }));
    expect(cache.get("/b")).toBeDefined();
    expect(cache.get("/a") !== undefined).toBe(fits);
  });

  it("counts what is stored with an entry, and forgets what nobody asks for again", () => {
    const { clock, cache } = setUp();
    const inline = { FileSize: 5_000_000, Content: Buffer.alloc(5_000_000).toString("base64") };
    const named = { Extended: { "x-amz-meta-a": Buffer.alloc(3_000_000).toString("base64") } };
    cache.set("/a", entryOf(0, inline));
    cache.set("/b", entryOf(0, { ...inline, ...named }));
    expect([cache.get("/a"), cache.get("/b")?.entry?.size]).toEqual([undefined, 5_000_000]);
    clock.now += 3000;
    cache.set("/c", entryOf(0));
    // Had the one that is over still counted, this one would push /c out.
    cache.set("/d", entryOf(0, { ...inline, ...named }));
    expect(cache.get("/c")).toBeDefined();
  });

  it("counts an entry that is replaced or dropped no more", () => {
    const { cache } = setUp();
    cache.set("/a", entryOf(10_000));
    for (let i = 0; i < 5; i++) cache.set("/b", entryOf(20_000));
    for (let i = 0; i < 5; i++) {
      cache.set("/c", entryOf(10_000));
      cache.drop("/c");
    }
    expect(cache.get("/a")).toBeDefined();
  });
});
