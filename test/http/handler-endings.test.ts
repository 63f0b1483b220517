import { describe, expect, it, vi } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import type { Mount } from "../../src/http/mount.ts";
import { FakeSource } from "./fake-source.ts";
import { expectRamp, film, problemOf, useHarness } from "./harness.ts";

const harness = useHarness();

describe("refusals of the store", () => {
  it.each([
    ["not-found", 404],
    ["denied", 403],
    ["lost", 502],
    ["key-missing", 400],
    ["unsupported", 501],
    ["too-many-parts", 501],
    ["config", 500],
  ] as const)("%s on opening is %i", async (kind, expected) => {
    harness.source.openFaults.set(0, new ReadaheadError(kind, "Could not open the object"));
    const { status, bytes } = await harness.get();
    expect(status).toBe(expected);
    expect(problemOf(bytes)).toMatchObject({ code: kind, request_id: harness.begun[0]?.id });
    await harness.settled();
    expect(harness.finishes[0]).toMatchObject({
      status: expected,
      endedBy: "upstream",
      error: { kind },
    });
  });

  it.each<[string, RequestInit, number, string]>([
    ["/files/%zz", {}, 400, "bad-path"],
    ["/files/film.mp4", { headers: { "if-match": '"v0"' } }, 412, "precondition-failed"],
    ["/files/film.mp4", { method: "PUT", body: "x" }, 405, "method-not-allowed"],
    ["/files/", {}, 404, "not-found"],
  ])("%s %o is %i, and the watcher is told why", async (path, init, status, reason) => {
    expect((await harness.ask(harness.handlerFor(), path, init)).status).toBe(status);
    await harness.settled();
    const [finish] = harness.finishes;
    expect(finish).toMatchObject({ status, endedBy: "done" });
    const { error } = finish ?? {};
    if (error instanceof ReadaheadError) expect(error.kind).toBe(reason);
    else expect(error).toMatchObject({ code: reason });
  });

  it("answers a fault of our own with 500 and nothing told", async () => {
    harness.source.openFaults.set(0, new TypeError("secret"));
    const { status, bytes } = await harness.get();
    expect(status).toBe(500);
    expect(problemOf(bytes)).toMatchObject({ code: "internal" });
    expect(new TextDecoder().decode(bytes)).not.toContain("secret");
  });

  it("opens once more, and once only, when the object changed before headers", async () => {
    harness.source.openFaults.set(0, new ReadaheadError("changed", "Another version"));
    expectRamp((await harness.get()).bytes, 0, film.size);
    expect(harness.source.opens).toHaveLength(2);
    await harness.settled();
    const asked = harness.source.opens.length + harness.source.reads.length;
    expect(harness.finishes[0]?.totals.subrequests).toBe(asked);
    harness.source.openFaults.set(2, new ReadaheadError("changed", "Another version"));
    harness.source.openFaults.set(3, new ReadaheadError("changed", "Another version"));
    const { status, headers } = await harness.get();
    expect(status).toBe(503);
    expect(headers.get("retry-after")).toBe("1");
    expect(harness.source.opens).toHaveLength(4);
  });

  it("refuses a plan that the subrequests do not cover, before headers", async () => {
    const { status, bytes } = await harness.get(
      {
        range: Array.from({ length: 12 }, (_, n) => `${n * 1_000}-${n * 1_000}`)
          .join()
          .replace(/^/, "bytes="),
      },
      { limits: { subrequests: 10 } },
    );
    expect(status).toBe(501);
    expect(problemOf(bytes)).toMatchObject({ code: "too-many-parts" });
  });
});

describe("a store that refuses every range", () => {
  const refuse = (size?: number) => {
    for (let i = 0; i < 10; i++)
      harness.source.openFaults.set(i, new ReadaheadError("unsatisfiable", "416", { size }));
  };

  it.each(["GET", "HEAD"])("is at fault where %s asked for none", async (method) => {
    refuse();
    const { status, headers } = await harness.ask(harness.handlerFor(), "/files/film.mp4", {
      method,
    });
    expect(status).toBe(502);
    expect(headers.get("content-range")).toBeNull();
    await harness.settled();
    expect(harness.finishes[0]?.error).toMatchObject({ kind: "protocol" });
  });

  it("is asked for the size where it did not say it", async () => {
    harness.source.openFaults.set(0, new ReadaheadError("unsatisfiable", "416"));
    const { status, headers } = await harness.get({ range: "bytes=2000000-" });
    expect(status).toBe(416);
    expect(headers.get("content-range")).toBe("bytes */1000000");
  });

  it("refuses the client's, where it asked for one", async () => {
    refuse(9);
    expect((await harness.get({ range: "bytes=10-" })).status).toBe(416);
  });
});

describe("facts seen lately", () => {
  it("do not send the headers of several ranges before the first part was answered", async () => {
    const handle = harness.handlerFor({}, { factsMs: 60_000 });
    await harness.ask(handle, "/files/film.mp4");
    harness.source.objects.set("film.mp4", { ...film, etag: '"v2"' });
    const init = { headers: { range: "bytes=0-9,500-509" } };
    const { status, headers } = await harness.ask(handle, "/files/film.mp4", init);
    expect(status).toBe(206);
    expect(headers.get("etag")).toBe('"v2"');
  });

  it("are not believed for longer because they are asked for", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const handle = harness.handlerFor({}, { factsMs: 5_000 });
      await harness.ask(handle, "/files/film.mp4");
      // The same bytes, so nothing shows while they are read.
      harness.source.objects.set("film.mp4", { ...film, headers: { "content-type": "video/x" } });
      const types: (string | null)[] = [];
      for (let second = 0; second < 8; second += 2) {
        vi.advanceTimersByTime(2_000);
        const { headers } = await harness.ask(handle, "/files/film.mp4");
        types.push(headers.get("content-type"));
      }
      expect(types).toEqual(["video/mp4", "video/mp4", "video/x", "video/x"]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("let the next request start without an open of its own, until they turn out stale", async () => {
    const handle = harness.handlerFor({}, { factsMs: 60_000 });
    const path = "/files/film.mp4";
    await harness.ask(handle, path);
    const { bytes } = await harness.ask(handle, path, { headers: { range: "bytes=10-19" } });
    expectRamp(bytes, 10, 20);
    expect(harness.source.opens[1]?.known?.etag).toBe('"v1"');

    harness.source.objects.set("film.mp4", { ...film, size: 500, etag: '"v2"' });
    const next = await harness.ask(handle, path);
    expectRamp(next.bytes, 0, 500);
    expect(next.headers.get("etag")).toBe('"v2"');
    expect(harness.source.opens.map(({ known }) => known?.etag)).toEqual([
      undefined,
      '"v1"',
      '"v1"',
      undefined,
    ]);

    harness.source.objects.delete("film.mp4");
    expect((await harness.ask(handle, path)).status).toBe(404);
    expect(harness.source.opens).toHaveLength(6);
    expect((await harness.ask(handle, path)).status).toBe(404);
    expect(harness.source.opens).toHaveLength(7);
    await harness.settled();
    expect(harness.finishes.map(({ status }) => status)).toEqual([200, 206, 200, 404, 404]);
    expect(harness.finishes[2]).toMatchObject({ endedBy: "done" });
    expect(harness.finishes[2]?.error).toBeUndefined();
    expect(harness.finishes[2]).toMatchObject({ ranges: [{ start: 0, end: 500 }], size: 500 });
    expect(harness.finishes[3]).toMatchObject({ ranges: [], size: null });
  });

  it("cost one round and no retries when the store answers otherwise than they say", async () => {
    const handle = harness.handlerFor({}, { factsMs: 60_000 });
    harness.source.objects.set("film.mp4", { ...film, size: 500_000 });
    await harness.ask(handle, "/files/film.mp4");
    harness.source.objects.set("film.mp4", { ...film, size: 500 });
    harness.source.readFault = new ReadaheadError("protocol", "Upstream answered with 200");
    const before = harness.source.reads.length;
    const { status, bytes } = await harness.ask(handle, "/files/film.mp4");
    expect(status).toBe(200);
    expectRamp(bytes, 0, 500);
    const window = harness.source.reads.length - before;
    expect(window).toBeGreaterThan(0);
    expect(window).toBeLessThanOrEqual(6);
  });

  it.each(["not-found", "denied", "unsatisfiable"] as const)(
    "are not believed when the first read is answered with %s",
    async (kind) => {
      const handle = harness.handlerFor({}, { factsMs: 60_000 });
      await harness.ask(handle, "/files/film.mp4");
      harness.source.objects.set("film.mp4", { ...film, size: 500, etag: '"v2"' });
      harness.source.readFault = new ReadaheadError(kind, "Not what was asked");
      const init = { headers: { range: "bytes=0-" } };
      const { status, bytes } = await harness.ask(handle, "/files/film.mp4", init);
      expect(status).toBe(206);
      expectRamp(bytes, 0, 500);
    },
  );

  it("are not kept of HEAD: a store may leave out there what it makes with the content", async () => {
    const handle = harness.handlerFor({}, { factsMs: 60_000 });
    await harness.ask(handle, "/files/film.mp4", { method: "HEAD" });
    await harness.ask(handle, "/files/film.mp4");
    expect(harness.source.opens.map(({ known }) => known)).toEqual([undefined, undefined]);
  });

  it.each<[string, RequestInit]>([
    ["conditions", { headers: { "if-none-match": '"v0"' } }],
    ["If-Range", { headers: { "if-range": '"v1"', range: "bytes=0-9" } }],
    ["HEAD", { method: "HEAD" }],
    ["a range past the end", { headers: { range: "bytes=1000000-" } }],
  ])("are not used for %s", async (_name, init) => {
    const handle = harness.handlerFor({}, { factsMs: 60_000 });
    await harness.ask(handle, "/files/film.mp4");
    await harness.ask(handle, "/files/film.mp4", init);
    expect(harness.source.opens.map(({ known }) => known).filter(Boolean)).toEqual([]);
  });

  it("are not kept of an empty object, which no read would find changed", async () => {
    const handle = harness.handlerFor({}, { factsMs: 60_000 });
    const path = "/files/film.mp4";
    harness.source.objects.set("film.mp4", { ...film, size: 0 });
    expect((await harness.ask(handle, path)).bytes).toHaveLength(0);
    harness.source.objects.set("film.mp4", { ...film, etag: '"v2"' });
    expectRamp((await harness.ask(handle, path)).bytes, 0, film.size);
    harness.source.objects.set("film.mp4", { ...film, size: 0, etag: '"v3"' });
    expect((await harness.ask(handle, path)).headers.get("etag")).toBe('"v3"');
    harness.source.objects.delete("film.mp4");
    expect((await harness.ask(handle, path)).status).toBe(404);
  });

  it.each<[Partial<Mount>, string, string]>([
    [{ versions: true }, "?versionId=1", "?versionId=2"],
    [{ passQuery: true }, "?a=1", "?a=2"],
  ])("of a mount with %o are not taken for those of another: %s, %s", async (mount, one, two) => {
    const handle = harness.handlerFor(mount, { factsMs: 60_000 });
    await harness.ask(handle, `/files/film.mp4${one}`);
    await harness.ask(handle, `/files/film.mp4${two}`);
    expect(harness.source.opens.map(({ known }) => known)).toEqual([undefined, undefined]);
  });

  it("are not taken for those of the same key of another mount", async () => {
    const other = new FakeSource();
    other.objects.set("film.mp4", film);
    const mounts = [harness.source, other].map((source, at) => {
      return { name: `${at}`, prefix: `/${at}/`, source };
    });
    const handle = harness.handlerFor({}, { factsMs: 60_000, mounts });
    await harness.ask(handle, "/0/film.mp4");
    await harness.ask(handle, "/1/film.mp4");
    expect(other.opens.map(({ known }) => known)).toEqual([undefined]);
  });

  it("are neither kept of nor used for a request that brings the object's key", async () => {
    const handle = harness.handlerFor({}, { factsMs: 60_000 });
    const headers = { "x-amz-server-side-encryption-customer-key": "secret" };
    const path = "/files/film.mp4";
    await harness.ask(handle, path, { headers });
    await harness.ask(handle, path);
    await harness.ask(handle, path, { headers });
    expect(harness.source.opens.map(({ known }) => known).filter(Boolean)).toEqual([]);
  });

  it("are not kept of an object that cannot be pinned", async () => {
    harness.source.objects.set("film.mp4", {
      ...film,
      etag: undefined,
      unversioned: "no validator",
    });
    const handle = harness.handlerFor({}, { factsMs: 60_000, limits: { windowParts: 1 } });
    await harness.ask(handle, "/files/film.mp4", { headers: { range: "bytes=0-9" } });
    await harness.ask(handle, "/files/film.mp4", { headers: { range: "bytes=0-9" } });
    expect(harness.source.opens[1]?.known).toBeUndefined();
  });
});

it("gives the runtime one promise, which settles when the record is out", async () => {
  const request = new Request("http://edge.example/files/film.mp4");
  const waitUntil = vi.fn<(promise: Promise<unknown>) => void>();
  const response = await harness.handlerFor()(request, { waitUntil });
  expect(waitUntil).toHaveBeenCalledTimes(1);
  expect(harness.finishes).toEqual([]);
  await response.body?.cancel();
  await waitUntil.mock.calls[0]?.[0];
  expect(harness.finishes).toHaveLength(1);
});

it("records what broke a transfer after its headers", async () => {
  harness.source.readFault = new ReadaheadError("denied", "No longer");
  await expect(harness.get()).rejects.toThrow();
  await harness.settled();
  expect(harness.finishes[0]).toMatchObject({
    status: 200,
    endedBy: "upstream",
    error: { kind: "denied" },
  });
});

describe("a client that leaves", () => {
  it("before the store was asked is recorded as such", async () => {
    const client = new AbortController();
    const handle = harness.handlerFor({
      authorise: async () => {
        client.abort();
        return new ReadaheadError("denied", "Too late");
      },
    });
    const { status } = await harness.ask(handle, "/files/film.mp4", { signal: client.signal });
    expect(status).toBe(499);
    await harness.settled();
    expect(harness.finishes[0]).toMatchObject({ status: null, endedBy: "client-signal" });
    expect(harness.source.opens).toEqual([]);
  });

  it("before headers ends everything and is recorded as such", async () => {
    const gate = Promise.withResolvers<void>();
    harness.source.gate = gate.promise;
    const client = new AbortController();
    const answer = harness.ask(harness.handlerFor(), "/files/film.mp4", { signal: client.signal });
    await Promise.resolve();
    client.abort();
    expect((await answer).status).toBe(499);
    await harness.settled();
    expect(harness.finishes[0]).toMatchObject({ status: null, endedBy: "client-signal" });
    gate.resolve();
  });

  it("in the body ends everything", async () => {
    const request = new Request("http://edge.example/files/film.mp4");
    const context = {
      waitUntil: (promise: Promise<unknown>) => void harness.waiting.push(promise),
    };
    const response = await harness.handlerFor()(request, context);
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await harness.settled();
    expect(harness.finishes[0]).toMatchObject({ status: 200, endedBy: "stream-cancel" });
    expect(harness.finishes[0]?.totals.bytesSent).toBeLessThan(film.size);
  });
});
