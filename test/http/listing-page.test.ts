/** Folders of a mount as JSON. */
import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import type { ListRequest } from "../../src/sources/source.ts";
import { problemOf, useHarness } from "./harness.ts";

const harness = useHarness();

describe("a mount with listing", () => {
  const asked: { prefix: string; request: ListRequest }[] = [];
  const listingOf = (mount = {}) => {
    asked.length = 0;
    harness.source.list = async (prefix, request) => {
      asked.push({ prefix, request });
      if (prefix === "none/") return { entries: [], prefixes: [] };
      const entries = [{ key: `${prefix}é`, size: 3, etag: '"v"', lastModified: 0 }];
      return { entries, prefixes: [`${prefix}sub/`], next: `${prefix}é` };
    };
    return harness.handlerFor({ listing: true, ...mount });
  };

  it.each([
    ["/files/", ""],
    ["/files/a%20b/", "a b/"],
  ])("shows what is in %s", async (path, prefix) => {
    const { status, headers, bytes } = await harness.ask(
      listingOf(),
      `${path}?after=x%2Fy&limit=7`,
    );
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual({
      prefix,
      keys: [{ key: `${prefix}é`, size: 3, etag: '"v"', lastModified: "1970-01-01T00:00:00.000Z" }],
      prefixes: [`${prefix}sub/`],
      next: `${prefix}é`,
    });
    expect(asked[0]).toMatchObject({
      prefix,
      request: { after: "x/y", limit: 7, delimiter: "/" },
    });
    await harness.settled();
    expect(harness.finishes.at(-1)).toMatchObject({ status: 200, endedBy: "done" });
  });

  it("answers HEAD without a body, and a folder that is not there with 404", async () => {
    const head = await harness.ask(listingOf(), "/files/", { method: "HEAD" });
    expect(head.bytes.byteLength).toBe(0);
    expect(Number(head.headers.get("content-length"))).toBeGreaterThan(50);
    expect((await harness.ask(listingOf(), "/files/none/")).status).toBe(404);
  });

  it.each(["0", "1001", "x", "-1", ""])("refuses the limit %j", async (limit) => {
    const { status, bytes } = await harness.ask(listingOf(), `/files/?limit=${limit}`);
    expect(status).toBe(400);
    const detail = "limit must be a whole number from 1 to 1000";
    expect(problemOf(bytes)).toMatchObject({ code: "bad-request", detail });
    expect(asked).toEqual([]);
  });

  it("lists a folder that has no index object, page by page", async () => {
    const handle = listingOf({ index: "index.html" });
    const { status, bytes } = await harness.ask(handle, "/files/a%20b/?after=x&limit=7");
    expect(status).toBe(200);
    expect(JSON.parse(new TextDecoder().decode(bytes))).toMatchObject({ prefix: "a b/" });
    expect(asked[0]).toMatchObject({ prefix: "a b/", request: { after: "x", limit: 7 } });
    await harness.settled();
    expect(harness.finishes.at(-1)).toMatchObject({ status: 200, endedBy: "done" });
    expect((await harness.ask(handle, "/files/none/")).status).toBe(404);
    expect((await harness.ask(handle, "/files/none")).status).toBe(404);
    expect(asked).toHaveLength(2);
  });

  it("lists no folder whose index object is refused", async () => {
    const handle = listingOf({ index: "index.html" });
    harness.source.openFaults.set(0, new ReadaheadError("denied", "Not this one"));
    expect((await harness.ask(handle, "/files/docs/")).status).toBe(403);
    expect(asked).toEqual([]);
  });

  it("lists nothing where it is off, not asked for, refused, or an index stands there", async () => {
    expect((await harness.ask(listingOf({ listing: false }), "/files/")).status).toBe(404);
    expect((await harness.ask(listingOf({ index: "film.mp4" }), "/files/")).status).not.toBe(500);
    expect(
      (await harness.ask(listingOf(), "/files/film.mp4")).headers.get("content-type"),
    ).not.toBe("application/json");
    const denied = { authorise: async () => new ReadaheadError("denied", "No link") };
    expect((await harness.ask(listingOf(denied), "/files/")).status).toBe(403);
    expect(asked).toEqual([]);
  });

  it("is no failure when the client leaves before the store has answered", async () => {
    const handle = listingOf();
    const leaving = new AbortController();
    harness.source.list = (_prefix, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
        leaving.abort();
      });
    const { status } = await harness.ask(handle, "/files/", { signal: leaving.signal });
    expect(status).toBe(499);
    await harness.settled();
    expect(harness.finishes.at(-1)).toMatchObject({ status: null, endedBy: "client-signal" });
  });

  it("asks a store again that fails for a moment", async () => {
    const handle = listingOf();
    const { list } = harness.source;
    let failures = 0;
    harness.source.list = async (prefix, request) => {
      failures += 1;
      if (failures < 3) throw new ReadaheadError("unavailable", "Internal error (10001)");
      return list?.(prefix, request) ?? { entries: [], prefixes: [] };
    };
    expect((await harness.ask(handle, "/files/")).status).toBe(200);
    expect(failures).toBe(3);
  });

  it("says what the store refuses with", async () => {
    const handle = listingOf();
    harness.source.list = async () => {
      throw new ReadaheadError("denied", "The filer shows no directories");
    };
    expect((await harness.ask(handle, "/files/")).status).toBe(403);
    await harness.settled();
    expect(harness.finishes.at(-1)).toMatchObject({ status: 403, endedBy: "upstream" });
  });
});
