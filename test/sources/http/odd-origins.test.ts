/** Origins that answer HEAD, Range and validators in ways of their own. */
import { describe, expect, it } from "vitest";
import type { FetchFunction } from "../../../src/sources/http.ts";
import { discardBody, readAll } from "../../support/bodies.ts";
import { checkLeaks } from "../../support/leak-check.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { createStoreFetch } from "../../support/store-fetch.ts";
import type { Fault, StoredObject } from "../../support/store-script.ts";
import { until } from "../../support/until.ts";
import { kindOf, plain, setup, size } from "./setup.ts";

const leaks = checkLeaks();

describe("an HTTP origin with habits", () => {
  it("takes the whole body of an origin that ignores Range as the one stream", async () => {
    const { open } = setup(leaks, { ranges: false });
    const object = await open({ start: 100, end: 200 });
    expect(object.rangeable).toBe(false);
    expect(object.facts.unversioned).toBe("the origin ignores Range");
    expect(object.facts.pin).toBeUndefined();
    expect(object.first?.range).toEqual({ start: 0, end: size });
    expect(await readAll(object.first?.body ?? new Uint8Array(0))).toEqual(
      contentBytes(ramp, 0, size),
    );
    expect((await open("facts")).rangeable).toBe(false);
  });

  it("knows no size where such an origin names none", async () => {
    const { open } = setup(leaks, { ranges: false, lengths: false });
    const object = await open({ start: 0, end: 100 });
    expect(object.facts.size).toBeUndefined();
    expect(object.first?.range).toEqual({ start: 0, end: Infinity });
    await discardBody(object.first?.body);
  });

  it("takes an answer without a body for one of no bytes", async () => {
    const { open } = setup(leaks, {}, {}, { fetch: async () => new Response(null) });
    expect((await open({ start: 0, end: 100 })).first?.body).toEqual(new Uint8Array(0));
  });

  it("falls back to one stream where a ranging origin never names a size", async () => {
    const { open } = setup(leaks, { lengths: false });
    const object = await open({ start: 0, end: 100 });
    expect(object.facts.size).toBeUndefined();
    expect(object.rangeable).toBe(false);
    await discardBody(object.first?.body);
  });

  for (const [what, want, range] of [
    ["all of it", { start: 0, end: 2 * size }, { start: 0, end: size }],
    ["from the middle on", { start: 100 }, { start: 100, end: size }],
    ["a suffix", { suffix: 100 }, { start: size - 100, end: size }],
    ["a suffix longer than the object", { suffix: 2 * size }, { start: 0, end: size }],
  ] as const)
    it(`asks HEAD for the size where Content-Range has a star: ${what}`, async () => {
      const { space, open } = setup(leaks, { lengths: "star" });
      const object = await open(want);
      expect(object.facts.size).toBe(size);
      expect(object.rangeable).toBeUndefined();
      expect(object.first?.range).toEqual(range);
      await discardBody(object.first?.body);
      expect(space.seen.map(({ method }) => method)).toEqual(["GET", "HEAD"]);
    });

  for (const [what, refuse] of [
    ["ignores", false],
    ["refuses", true],
  ] as const)
    describe(`that ranges but ${what} suffixes`, () => {
      /** Knows `bytes=5-` and `bytes=5-9` alone, as Azure does. */
      function withoutSuffixes(object: Partial<StoredObject> = {}) {
        const fetch: FetchFunction = async (url, init) => {
          const suffix = init.headers["range"]?.startsWith("bytes=-") === true;
          if (suffix && refuse) return new Response(null, { status: 416 });
          const { range: _, ...others } = init.headers;
          return store(url, suffix ? { ...init, headers: others } : init);
        };
        const made = setup(leaks, object, {}, { fetch });
        const store = createStoreFetch(made.space);
        return made;
      }

      it("is asked for the last bytes by their numbers", async () => {
        const { space, open, read } = withoutSuffixes();
        const object = await open({ suffix: 100 });
        expect(object).toMatchObject({ facts: { size } });
        expect([object.first, object.rangeable]).toEqual([undefined, undefined]);
        expect(await read(object, size - 100, size)).toEqual(contentBytes(ramp, size - 100, size));
        expect(space.seen.at(-1)?.headers).toMatchObject({ range: "bytes=9900-9999" });
      });

      it("is read as one stream where no version can be pinned", async () => {
        const { open } = withoutSuffixes({ etag: null, lastModified: null });
        const object = await open({ suffix: 100 });
        expect(object.rangeable).toBe(false);
        await discardBody(object.first?.body);
      });
    });

  it("takes no date for a version where answers to ranges name no size", async () => {
    const { open } = setup(leaks, { lengths: "star", etag: null });
    const object = await open({ start: 0, end: 2 * size });
    await discardBody(object.first?.body);
    expect(object.facts).toMatchObject({ size, unversioned: "no entity tag and no size" });
  });

  for (const want of [{ start: 0, end: 2 * size }, { suffix: 100 }])
    it(`reads one stream where HEAD names another size: ${JSON.stringify(want)}`, async () => {
      const { open } = setup(leaks, { lengths: "star", headLength: size + 1 });
      const object = await open(want);
      expect(object.rangeable).toBe(false);
      expect(object.first?.range).toEqual({ start: 0, end: size });
      await discardBody(object.first?.body);
    });

  it("reads one stream where HEAD names another date", async () => {
    const habits = { lengths: "star", etag: null } as const;
    const { space, open } = setup(leaks, habits);
    const opening = open({ start: 0, end: 2 * size });
    await until("the star was seen", () => space.stats().requests > 0);
    space.store("file", { ...plain, ...habits, lastModified: Date.UTC(2025, 0, 1) });
    const object = await opening;
    expect(object.rangeable).toBe(false);
    await discardBody(object.first?.body);
  });

  it("does not leave the answer open where HEAD fails", async () => {
    const { space, open } = setup(leaks, { lengths: "star" });
    const opening = open({ start: 0, end: 2 * size });
    await until("the star was seen", () => space.stats().requests > 0);
    space.always("file", { kind: "reset", after: "before-headers" });
    expect(await kindOf(opening)).toBe("unavailable");
  });

  for (const headStatus of [400, 403, 404, 405, 501])
    it(`gets facts with two bytes where HEAD is answered ${headStatus}`, async () => {
      const { space, open } = setup(leaks, { headStatus });
      expect((await open("facts")).facts.size).toBe(size);
      expect(space.seen.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
      expect(space.seen[1]?.headers["range"]).toBe("bytes=0-1");
    });

  for (const [headStatus, kind] of [
    [429, "throttled"],
    [500, "unavailable"],
  ] as const)
    it(`does not ask again where HEAD is answered ${headStatus}`, async () => {
      const { space, open } = setup(leaks, { headStatus });
      expect(await kindOf(open("facts"))).toBe(kind);
      expect(space.stats().requests).toBe(1);
    });

  it("takes no length of a refusal for that of the object", async () => {
    const store = createStoreFetch(setup(leaks).space);
    const refused = { "accept-ranges": "bytes", "content-length": "243" };
    const { open } = setup(
      leaks,
      {},
      {},
      {
        fetch: async (url, init) =>
          init.method === "HEAD"
            ? new Response(null, { status: 403, headers: refused })
            : store(url, init),
      },
    );
    expect((await open("facts")).facts.size).toBe(size);
  });

  it("gets facts with two bytes where HEAD says 0 bytes of an object that has some", async () => {
    const { space, open } = setup(leaks, { headLength: 0 });
    const { facts, rangeable } = await open("facts");
    expect([facts.size, rangeable]).toEqual([size, undefined]);
    expect(space.seen.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
  });

  it("tells an empty object by GET alone, three requests where HEAD came first", async () => {
    const { space, open } = setup(leaks, { size: 0 });
    expect((await open("facts")).facts).toMatchObject({ size: 0, pin: { by: "etag" } });
    expect(space.seen.map(({ method }) => method)).toEqual(["HEAD", "GET", "GET"]);
  });

  for (const stored of [0, size])
    it(`opens ${stored} bytes where a range from the start is refused without a size`, async () => {
      const fault: Fault = { kind: "status", status: 416 };
      const script = { faults: [{ at: 0, fault }] };
      const { space, open } = setup(leaks, { size: stored, headStatus: 405 }, script);
      const object = await open({ start: 0, end: 10 });
      expect(object.facts.size).toBe(stored);
      if (stored > 0) expect(object.first?.range).toEqual({ start: 0, end: stored });
      await discardBody(object.first?.body);
      expect(space.seen.map(({ headers }) => headers["range"])).toEqual(["bytes=0-9", undefined]);
    });

  it("opens an empty object of an origin that refuses HEAD", async () => {
    const { open } = setup(leaks, { size: 0, headStatus: 405 });
    const object = await open({ start: 0, end: 10 });
    expect(object.facts).toMatchObject({ size: 0, headers: { "content-type": "text/plain" } });
    expect(object.facts.unversioned).toBeUndefined();
    expect(object.rangeable).toBeUndefined();
  });

  it("takes the size that a 416 names", async () => {
    const { space, open } = setup(leaks);
    await expect(open({ start: size })).rejects.toMatchObject({ kind: "unsatisfiable", size });
    expect(space.stats().requests).toBe(1);
  });

  it("asks for the size where a 416 does not name it", async () => {
    const status: Fault = { kind: "status", status: 416 };
    const { open } = setup(leaks, {}, { faults: [{ at: 0, fault: status }] });
    await expect(open({ start: size, end: size + 1 })).rejects.toMatchObject({
      kind: "unsatisfiable",
      size,
    });
  });
});
