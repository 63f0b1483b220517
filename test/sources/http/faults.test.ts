import { describe, expect, it } from "vitest";
import { createHttpSource } from "../../../src/sources/http.ts";
import { discardBody, readAll } from "../../support/bodies.ts";
import { gzipStored } from "../../support/gzip-stored.ts";
import { checkLeaks } from "../../support/leak-check.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { createTestDownload } from "../../support/permits.ts";
import type { Fault, StoredObject } from "../../support/store-script.ts";
import { startStoreServer } from "../../support/store-server.ts";
import { until } from "../../support/until.ts";
import { kindOf, plain, setup, size } from "./setup.ts";

const leaks = checkLeaks();

describe("createHttpSource: faulty answers", () => {
  const faults: [Fault, string, string][] = [
    [{ kind: "ignore-range" }, "resolved", "protocol"],
    [{ kind: "wrong-range", shift: 1 }, "protocol", "protocol"],
    [{ kind: "wrong-range", shift: -1 }, "protocol", "protocol"],
    [{ kind: "no-content-range" }, "protocol", "protocol"],
    [{ kind: "multipart" }, "protocol", "protocol"],
    [{ kind: "gzip" }, "protocol", "protocol"],
    [{ kind: "reset", after: "before-headers" }, "unavailable", "unavailable"],
    [{ kind: "status", status: 400 }, "protocol", "protocol"],
    [{ kind: "status", status: 403 }, "denied", "denied"],
    [{ kind: "status", status: 404 }, "not-found", "not-found"],
    [{ kind: "status", status: 412 }, "resolved", "changed"],
    [{ kind: "status", status: 429, headers: { "retry-after": "3" } }, "throttled", "throttled"],
    [{ kind: "status", status: 500 }, "unavailable", "unavailable"],
    [{ kind: "status", status: 503 }, "unavailable", "unavailable"],
  ];
  for (const [fault, opening, reading] of faults) {
    it(`${JSON.stringify(fault)}: ${opening} when opening, ${reading} later`, async () => {
      const first = setup(leaks, {}, { faults: [{ at: 0, fault }] });
      const opened = first.open({ start: 10, end: 20 });
      expect(await kindOf(opened)).toBe(opening);
      await opened.then((object) => discardBody(object.first?.body)).catch(() => undefined);
      const later = setup(leaks, {}, { faults: [{ at: 1, fault }] });
      const object = await later.open({ start: 10, end: 20 });
      await discardBody(object.first?.body);
      expect(await kindOf(later.read(object, 20, 30))).toBe(reading);
    });
  }

  it("hands on how long to wait, and no name of the upstream", async () => {
    const fault: Fault = { kind: "status", status: 503, headers: { "retry-after": "3" } };
    const { open } = setup(leaks, {}, { faults: [{ at: 0, fault }] });
    const error = await open({ start: 0, end: 1 }).catch((e: unknown) => e);
    expect(error).toMatchObject({ kind: "throttled", retryAfterMs: 3000, status: 503 });
    expect(String(error)).not.toContain("origin.example");
  });

  it("says of an answer that did not come that the connection is to blame", async () => {
    const fault: Fault = { kind: "reset", after: "before-headers" };
    const { open } = setup(leaks, {}, { faults: [{ at: 0, fault }] });
    await expect(open({ start: 0, end: 1 })).rejects.toMatchObject({ connection: true });
  });

  it("reports a runtime that is out of subrequests as too many parts", async () => {
    const fetch = () =>
      Promise.reject(new Error("Too many subrequests by single Worker invocation."));
    const { open } = setup(leaks, {}, {}, { fetch });
    expect(await kindOf(open({ start: 0, end: 1 }))).toBe("too-many-parts");
  });
});

describe("createHttpSource: stored encodings", () => {
  const bytes = gzipStored(contentBytes(ramp, 0, 5000));
  const encoded: Partial<StoredObject> = {
    content: { kind: "bytes", bytes },
    size: bytes.length,
    headers: { "content-encoding": "gzip" },
  };

  it("are refused unless the mount passes them", async () => {
    const { open } = setup(leaks, encoded);
    expect(await kindOf(open({ start: 0, end: 10 }))).toBe("protocol");
    expect(await kindOf(open("facts"))).toBe("protocol");
  });

  it("are passed on as stored, and required of every answer", async () => {
    const { space, open, read } = setup(leaks, encoded, {}, { storedEncoding: "pass" });
    const object = await open({ start: 0, end: 100 });
    await discardBody(object.first?.body);
    expect(object.facts.headers).toEqual({ "content-encoding": "gzip" });
    expect(await read(object, 100, 200)).toEqual(bytes.slice(100, 200));
    space.store("file", { ...plain, ...encoded, headers: {}, etag: object.facts.etag });
    expect(await kindOf(read(object, 200, 300))).toBe("protocol");
  });

  it("are named whatever the list of headers says", async () => {
    const { open, read } = setup(leaks, encoded, {}, { storedEncoding: "pass", passHeaders: [] });
    const object = await open({ start: 0, end: 100 });
    await discardBody(object.first?.body);
    expect(object.facts.headers).toEqual({ "content-encoding": "gzip" });
    expect(await read(object, 100, 200)).toEqual(bytes.slice(100, 200));
  });

  it("stay refused where the platform's fetch decodes", async () => {
    const server = await startStoreServer();
    try {
      const space = leaks.watch(server.space("s"));
      space.store("file", { ...plain, ...encoded });
      const source = createHttpSource({ url: `${server.url}s/`, storedEncoding: "pass" });
      const request = { ...createTestDownload(), want: { start: 0, end: 10 } };
      expect(await kindOf(source.open("file", request))).toBe("protocol");
    } finally {
      await server.close();
    }
  });
});

describe("createHttpSource: redirects", () => {
  const elsewhere = (location: string, status = 302): Fault => ({
    kind: "status",
    status,
    headers: { location },
  });

  it("are followed within the host, a permit for each hop, and remembered", async () => {
    const { space, download, open, read } = setup(leaks);
    space.store("moved", plain);
    space.always("file", elsewhere("/moved"));
    const object = await open({ start: 0, end: 10 });
    await discardBody(object.first?.body);
    expect(download.permits.asks.length).toBe(2);
    expect((await read(object, 10, 20))[0]).toBe(10);
    expect(space.seen.map(({ key }) => key)).toEqual(["file", "moved", "moved"]);
    expect(
      await object.refresh?.({ kind: "stored", range: { start: 0, end: size } }, download),
    ).toBe(true);
    await read(object, 20, 30);
    await read(object, 30, 40);
    expect(space.seen.map(({ key }) => key).slice(3)).toEqual(["file", "moved", "moved"]);
  });

  it.each([301, 302, 303, 307, 308])("are followed whatever their status: %i", async (status) => {
    const { space, open } = setup(leaks);
    space.store("moved", plain);
    space.always("file", elsewhere("/moved", status));
    const object = await open({ start: 0, end: 10 });
    await discardBody(object.first?.body);
    expect(object.facts.size).toBe(size);
  });

  it.each([
    ["http://origin.example/", "https://origin.example/moved", "resolved"],
    ["http://origin.example:8080/", "https://origin.example/moved", "protocol"],
    ["http://origin.example:8080/", "https://origin.example:8443/moved", "protocol"],
    ["http://origin.example/", "https://other.example/moved", "protocol"],
  ])("from %s to %s: %s", async (url, location, expected) => {
    const { space, open } = setup(leaks, {}, {}, { url });
    space.store("moved", plain);
    space.always("file", elsewhere(location));
    const opening = open({ start: 0, end: 10 });
    expect(await kindOf(opening)).toBe(expected);
    await opening.then(({ first }) => discardBody(first?.body)).catch(() => undefined);
  });

  it("start again for every part whose link has expired, and no late answer brings an old one back", async () => {
    const { space, download, open, read } = setup(leaks);
    space.store("moved", plain);
    space.always("file", elsewhere("/moved"));
    const object = await open({ start: 0, end: 10 });
    await discardBody(object.first?.body);
    const piece = { kind: "stored", range: { start: 0, end: size } } as const;
    // One part reads on by the old link while two others are refused.
    const late = read(object, 0, 10);
    expect(await object.refresh?.(piece, download)).toBe(true);
    expect(await object.refresh?.(piece, download)).toBe(true);
    await late;
    await read(object, 10, 20);
    await read(object, 20, 30);
    const keys = space.seen.map(({ key }) => key);
    expect(keys).toEqual(["file", "moved", "moved", "file", "moved", "moved"]);
  });

  it("are all that a refresh can undo", async () => {
    const { download, open } = setup(leaks);
    const object = await open("facts");
    const piece = { kind: "stored", range: { start: 0, end: size } } as const;
    expect(await object.refresh?.(piece, download)).toBe(false);
  });

  it("of a HEAD are remembered, too", async () => {
    const { space, open, read } = setup(leaks);
    space.store("moved", plain);
    space.always("file", elsewhere("/moved"));
    const object = await open("facts");
    await read(object, 0, 10);
    expect(space.seen.map(({ key }) => key)).toEqual(["file", "moved", "moved"]);
  });

  for (const location of [
    "https://other.example/file",
    "http://origin.example/file",
    "https://origin.example:8443/file",
    "https://user@origin.example/file",
    "javascript:0",
    "/file",
  ])
    it(`are not followed to ${location}`, async () => {
      const { space, open } = setup(leaks, {}, {}, { headers: { authorization: "secret" } });
      space.always("file", elsewhere(location));
      expect(await kindOf(open({ start: 0, end: 10 }))).toBe("protocol");
      // A loop within the host ends after three hops; nothing at all goes elsewhere.
      expect(space.stats().requests).toBe(location === "/file" ? 4 : 1);
    });
});

describe("createHttpSource: headers", () => {
  it("passes listed headers on, never cookies", async () => {
    const headers = {
      "content-type": "video/mp4",
      "x-amz-meta-author": "me",
      "x-custom-a": "1",
      "x-other": "2",
      "set-cookie": "session=1",
      server: "thing",
    };
    const { open } = setup(leaks, { headers });
    expect((await open("facts")).facts.headers).toEqual({
      "content-type": "video/mp4",
      "x-amz-meta-author": "me",
    });
    const custom = setup(leaks, { headers }, {}, { passHeaders: ["X-Custom-*"] });
    expect((await custom.open("facts")).facts.headers).toEqual({ "x-custom-a": "1" });
    expect(() => setup(leaks, {}, {}, { passHeaders: ["set-cookie"] })).toThrow(TypeError);
  });
});

describe("createHttpSource over sockets", () => {
  it("closes the upstream socket when the download ends, in every state", async () => {
    const server = await startStoreServer();
    try {
      for (const fault of [
        { kind: "stall", after: "before-headers" },
        { kind: "stall", after: 10 },
      ] as const) {
        const space = leaks.watch(server.space("s"));
        space.store("file", plain);
        space.always("file", fault);
        const source = createHttpSource({ url: `${server.url}s/` });
        const download = createTestDownload();
        const opening = source.open("file", { ...download, want: { start: 0 } });
        opening.catch(() => undefined);
        await until("the store saw the request", () => space.stats().requests === 1);
        if (fault.after === 10) await opening;
        download.abort(new Error("The client left"));
        await until("the socket closed", () => space.stats().abortedAt.length === 1);
      }
    } finally {
      await server.close();
    }
  });

  it("fails visibly when the connection is reset in the body", async () => {
    const server = await startStoreServer();
    try {
      const space = leaks.watch(server.space("s"));
      space.store("file", plain);
      const source = createHttpSource({ url: `${server.url}s/` });
      for (const after of [0, 5000, "last-byte"] as const) {
        space.always("file", { kind: "reset", after });
        const download = createTestDownload();
        const object = await source.open("file", { ...download, want: { start: 0 } });
        await expect(readAll(object.first?.body ?? new Uint8Array(0))).rejects.toThrow();
      }
    } finally {
      await server.close();
    }
  });
});
