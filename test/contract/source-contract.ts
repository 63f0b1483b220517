/** One suite that every source passes, whatever its store. How to plug one in: ./fixture.ts. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import { RecentFacts } from "../../src/http/recent-facts.ts";
import type { ByteRange } from "../../src/readahead/byte-range.ts";
import type {
  Facts,
  OpenObject,
  OpenRequest,
  PinnedFacts,
  StoredPiece,
  Want,
} from "../../src/sources/source.ts";
import { discardBody, readAll } from "../support/bodies.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { contentBytes, ramp } from "../support/object-bytes.ts";
import type { TestDownload } from "../support/permits.ts";
import { createTestDownload } from "../support/permits.ts";
import { until } from "../support/until.ts";
import { attemptIn, bodyAt, readJoined, readPieces } from "./engine-reads.ts";
import {
  defaultHeaders,
  expectRamp,
  failure,
  nothingOpen,
  readToEnd,
  rejection,
} from "./expectations.ts";
import type { ContractFixture, ContractOptions } from "./fixture.ts";

export type { ContractFixture, ContractOptions } from "./fixture.ts";

/** Declares the suite. Call it at the top level of a test file. */
export function describeSourceContract(
  name: string,
  makeFixture: () => Promise<ContractFixture>,
  options: ContractOptions = {},
): void {
  const size = options.objectBytes ?? 300_007;
  const headers = options.headers ?? defaultHeaders;
  const key = "folder/ramp.bin";

  describe(`source contract: ${name}`, () => {
    checkLeaks();
    let fixture: ContractFixture;
    let download: TestDownload;

    beforeEach(async () => {
      fixture = await makeFixture();
      download = createTestDownload();
      await fixture.put(key, contentBytes(ramp, 0, size), headers);
    });

    afterEach(async () => {
      download.abort(new Error("Test is over"));
      try {
        await nothingOpen(fixture);
        expect(download.permits.waiting, "requests in flight").toBe(0);
      } finally {
        await fixture.close?.();
      }
    });

    function open(want: Want, more: Partial<OpenRequest> = {}, of = key): Promise<OpenObject> {
      return fixture.source.open(of, { ...download, want, ...more });
    }

    function readRange(object: OpenObject, range: ByteRange): Promise<Uint8Array> {
      return readPieces(object, range, download);
    }

    function readWanted(object: OpenObject, range: ByteRange): Promise<Uint8Array> {
      return readJoined(object, range, download);
    }

    describe("open", () => {
      it("tells size, validators and headers without a body when facts are wanted", async () => {
        const object = await open("facts");
        expect(object.first).toBeUndefined();
        expect(object.facts.size).toBe(size);
        expect(object.facts.headers).toMatchObject(fixture.expectedHeaders ?? headers);
        if (options.pins !== false) {
          expect(object.facts.pin).toBeDefined();
          expect(object.facts.unversioned).toBeUndefined();
        }
      });

      it("passes on no length, range, validator or hop-by-hop header", async () => {
        const { facts, first } = await open({ start: 0, end: 10 });
        await discardBody(first?.body);
        for (const forbidden of [
          "content-length",
          "content-range",
          "etag",
          "last-modified",
          "connection",
          "transfer-encoding",
          "set-cookie",
          "date",
          "accept-ranges",
        ])
          expect(Object.keys(facts.headers)).not.toContain(forbidden);
      });

      it("knows the same facts whether they came with bytes or without", async () => {
        const withBytes = await open({ start: 3, end: 4 });
        await discardBody(withBytes.first?.body);
        const without = await open("facts");
        expect(withBytes.facts).toEqual(without.facts);
      });

      const ranges: [string, (size: number) => Want, (size: number) => ByteRange][] = [
        ["from the start", () => ({ start: 0, end: 1000 }), () => ({ start: 0, end: 1000 })],
        ["one byte", () => ({ start: 777, end: 778 }), () => ({ start: 777, end: 778 })],
        ["to the end", () => ({ start: 1001 }), (n) => ({ start: 1001, end: n })],
        ["clipped at the size", (n) => ({ start: 5, end: n + 9 }), (n) => ({ start: 5, end: n })],
        ["the last byte", (n) => ({ start: n - 1 }), (n) => ({ start: n - 1, end: n })],
        ["a suffix", () => ({ suffix: 999 }), (n) => ({ start: n - 999, end: n })],
        ["a suffix longer than it", (n) => ({ suffix: n + 1 }), (n) => ({ start: 0, end: n })],
      ];
      for (const [what, want, expected] of ranges) {
        it(`reads ${what}`, async () => {
          const object = await open(want(size));
          expect(object.facts.size).toBe(size);
          expectRamp(await readWanted(object, expected(size)), expected(size));
        });
      }

      for (const start of [size, size + 1]) {
        it(`refuses a start at the size plus ${start - size} and names the size`, async () => {
          const error = await failure(open({ start, end: start + 10 }), "unsatisfiable");
          expect(error.size).toBe(size);
        });
      }

      it("opens an empty object: size 0, no body, headers", async () => {
        await fixture.put("empty", new Uint8Array(0), headers);
        for (const want of ["facts", { start: 0, end: 10 }, { suffix: 5 }] as const) {
          const object = await open(want, {}, "empty");
          expect(object.facts.size).toBe(0);
          expect(object.facts.headers).toMatchObject(fixture.expectedHeaders ?? headers);
          if (object.first !== undefined) expect((await readAll(object.first.body)).length).toBe(0);
        }
        const error = await failure(open({ start: 1, end: 2 }, {}, "empty"), "unsatisfiable");
        expect(error.size).toBe(0);
      });

      it("opens an object of one byte", async () => {
        await fixture.put("one", contentBytes(ramp, 0, 1));
        const object = await open({ start: 0, end: 4096 }, {}, "one");
        expect(object.facts.size).toBe(1);
        expectRamp(await readWanted(object, { start: 0, end: 1 }), { start: 0, end: 1 });
      });

      if (options.oddKeys !== false) {
        it("finds a key with characters that mean something in a URL", async () => {
          const odd = "a b/ü?x=1&y#z%20+'(é)~";
          await fixture.put(odd, contentBytes(ramp, 0, 10));
          const object = await open({ start: 0 }, {}, odd);
          expectRamp(await readWanted(object, { start: 0, end: 10 }), { start: 0, end: 10 });
        });
      }

      it("says not-found for a key that is not there", async () => {
        await failure(open({ start: 0, end: 10 }, {}, "nowhere"), "not-found");
        await failure(open("facts", {}, "nowhere"), "not-found");
      });

      it("says denied where the store refuses", async (context) => {
        if (fixture.deny === undefined) return context.skip();
        await fixture.deny(key);
        await failure(open({ start: 0, end: 10 }), "denied");
        await failure(open("facts"), "denied");
      });
    });

    describe("known facts", () => {
      it("open without a request, and pin the reads", async (context) => {
        if (options.pins === false) return context.skip();
        const { facts } = await open("facts");
        const before = await fixture.requests?.();
        const asked = download.permits.asks.length;
        const object = await open({ start: 0, end: 1000 }, { known: kept(facts) });
        expect(object.first).toBeUndefined();
        expect(object.facts).toEqual(facts);
        expect(await fixture.requests?.()).toBe(before);
        expect(download.permits.asks.length).toBe(asked);
        const range = { start: 100, end: 5000 };
        expectRamp(await readRange(object, range), range);
      });

      it("show a changed object as changed", async (context) => {
        if (options.pins === false) return context.skip();
        const { facts } = await open("facts");
        await fixture.put(key, contentBytes(ramp, 1, size + 1), headers);
        const object = await open({ start: 0, end: 1000 }, { known: kept(facts) });
        await failure(readRange(object, { start: 0, end: 1000 }), "changed");
      });
    });

    describe("read", () => {
      it("brings exactly the bytes of any range, in any order", async () => {
        const object = await open("facts");
        for (const range of [
          { start: 0, end: 1 },
          { start: size - 1, end: size },
          { start: 251, end: 502 },
          { start: 65_535, end: 65_537 },
          { start: 4_095, end: 150_001 },
          { start: 0, end: size },
        ])
          expectRamp(await readRange(object, range), range);
      });

      it("brings ranges at the same time", async () => {
        const object = await open("facts");
        const ranges = Array.from({ length: 8 }, (_, i) => ({
          start: i * 30_011,
          end: (i + 1) * 30_011,
        }));
        const parts = await Promise.all(ranges.map((range) => readRange(object, range)));
        for (const [i, range] of ranges.entries()) expectRamp(parts[i] ?? new Uint8Array(0), range);
      });

      it("says changed when the object was replaced after open", async (context) => {
        if (options.pins === false) return context.skip();
        const object = await open({ start: 0, end: 1000 });
        await discardBody(object.first?.body);
        await fixture.put(key, contentBytes(ramp, 1, size + 1), headers);
        await failure(readRange(object, { start: 1000, end: 2000 }), "changed");
      });

      it("says changed or not-found when the object is gone after open", async () => {
        const object = await open({ start: 0, end: 1000 });
        await discardBody(object.first?.body);
        await fixture.delete(key);
        const error = await rejection(readRange(object, { start: 1000, end: 2000 }));
        expect(["changed", "not-found"]).toContain((error as ReadaheadError).kind);
      });
    });

    describe("permits", () => {
      it("sends nothing without one", async () => {
        const object = await open("facts");
        const before = await fixture.requests?.();
        const refusal = new ReadaheadError("too-many-parts", "Subrequest limit is used up");
        const refused = createTestDownload({ refuse: refusal });
        const request = { ...refused, want: { start: 0, end: 10 } };
        // Another key: a source may know this one still, and needs no request then.
        expect(await rejection(fixture.source.open("never-opened", request))).toBe(refusal);
        const piece: StoredPiece = { kind: "stored", range: { start: 0, end: size } };
        if (object.pieces === undefined) {
          const reading = object.read(piece, { start: 0, end: 10 }, attemptIn(refused));
          expect(await rejection(reading)).toBe(refusal);
        }
        expect(await fixture.requests?.()).toBe(before);
      });

      it("are asked once for every request that reaches the store", async (context) => {
        if (fixture.requests === undefined) return context.skip();
        const before = await fixture.requests();
        const object = await open({ start: 0, end: 1000 });
        await readWanted(object, { start: 0, end: 5000 });
        expect((await fixture.requests()) - before).toBe(download.permits.asks.length);
      });
    });

    describe("cancel", () => {
      const reason = new Error("The client left");

      it("before the request: rejects with the reason and asks nothing", async () => {
        const before = await fixture.requests?.();
        download.abort(reason);
        expect(await rejection(open({ start: 0, end: 10 }))).toBe(reason);
        expect(await fixture.requests?.()).toBe(before);
      });

      it("before headers: open rejects with the reason, at once", async (context) => {
        if (fixture.holdHeaders === undefined) return context.skip();
        await fixture.holdHeaders(key);
        const before = (await fixture.requests?.()) ?? 0;
        const opening = rejection(open({ start: 0, end: 10 }));
        if (fixture.requests !== undefined)
          await until(
            "the store sees the request",
            async () => ((await fixture.requests?.()) ?? 0) > before,
          );
        download.abort(reason);
        expect(await opening).toBe(reason);
      });

      it("before headers: read rejects with the reason, at once", async (context) => {
        if (fixture.holdHeaders === undefined) return context.skip();
        const object = await open("facts");
        await fixture.holdHeaders(key);
        const before = (await fixture.requests?.()) ?? 0;
        const reading = rejection(readRange(object, { start: 0, end: 10 }));
        if (fixture.requests !== undefined)
          await until(
            "the store sees the request",
            async () => ((await fixture.requests?.()) ?? 0) > before,
          );
        download.abort(reason);
        expect(await reading).toBe(reason);
      });

      it("in the body: the read ends and nothing stays open", async (context) => {
        if (fixture.holdBody === undefined) return context.skip();
        await fixture.holdBody(key, 10);
        const range = { start: 0, end: 1000 };
        const body = await bodyAt(await open(range), range, download);
        if (!(body instanceof ReadableStream)) return context.skip();
        const reader = body.getReader();
        const { value } = await reader.read();
        expect(value?.[0]).toBe(0);
        const pending = rejection(readToEnd(reader));
        download.abort(reason);
        // As the engine does on close: a body whose store takes no signal ends by this alone.
        await reader.cancel(reason).catch(() => undefined);
        expect(await pending).toBeDefined();
        await nothingOpen(fixture);
      });

      it("of an unread first body leaves nothing open", async () => {
        const object = await open({ start: 0 });
        await discardBody(object.first?.body);
        await nothingOpen(fixture);
      });

      it("together with the download, unread bodies leave nothing open", async () => {
        const object = await open({ start: 0 });
        download.abort(reason);
        await discardBody(object.first?.body);
        await nothingOpen(fixture);
      });
    });

    describe("list", () => {
      it("pages through keys in byte order and rolls up at the delimiter", async (context) => {
        const { source } = fixture;
        if (source.list === undefined) return context.skip();
        for (const listed of ["l/a", "l/b/1", "l/b/2", "l/c", "l/é"])
          await fixture.put(listed, contentBytes(ramp, 0, 3));
        const all = await source.list("l/", { ...download, limit: 1000 });
        expect(all.entries.map((entry) => entry.key)).toEqual([
          "l/a",
          "l/b/1",
          "l/b/2",
          "l/c",
          "l/é",
        ]);
        expect(all.entries.every((entry) => entry.size === 3)).toBe(true);
        expect(all.next).toBeUndefined();
        const rolled = await source.list("l/", { ...download, limit: 1000, delimiter: "/" });
        expect(rolled.entries.map((entry) => entry.key)).toEqual(["l/a", "l/c", "l/é"]);
        expect(rolled.prefixes).toEqual(["l/b/"]);
        const keys: string[] = [];
        let after: string | undefined;
        do {
          const page = await source.list("l/", { ...download, limit: 2, after });
          expect(page.entries.length).toBeLessThanOrEqual(2);
          keys.push(...page.entries.map((entry) => entry.key));
          after = page.next;
        } while (after !== undefined && keys.length < 20);
        expect(keys).toEqual(["l/a", "l/b/1", "l/b/2", "l/c", "l/é"]);
      });
    });
  });
}

/** The facts as the handler has them for the next request. */
function kept(facts: Facts): PinnedFacts {
  const recent = new RecentFacts();
  recent.remember("", facts);
  const known = recent.recall("");
  if (known === undefined) throw new Error("Nothing pins these facts");
  return known;
}
