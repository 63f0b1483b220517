import { createHash } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { checksumHeaders, onePart } from "../../src/sources/r2/s3.ts";
import { createR2Source } from "../../src/sources/r2.ts";
import { discardBody, readAll } from "../support/bodies.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { contentBytes, ramp } from "../support/object-bytes.ts";
import { callsOf, errorOf, piece, setup, size } from "./r2/setup.ts";

checkLeaks();

describe("createR2Source", () => {
  it.each([undefined, "OBJECTS", {}])("takes no %j for a bucket", (bucket) => {
    expect(() => createR2Source({ bucket: bucket as never })).toThrow(TypeError);
  });
});

describe("createR2Source: errors", () => {
  const table: [string, string][] = [
    ["get: We encountered an internal error. Please try again. (10001)", "unavailable"],
    ["get: Unauthorized (10002)", "denied"],
    ["get: The specified key does not exist. (10007)", "not-found"],
    ["get: The specified object name is not valid. (10020)", "not-found"],
    ["get: Reduce your concurrent request rate for the same object. (10058)", "throttled"],
    ["Network connection lost.", "unavailable"],
    ["Too many API requests by single Worker invocation.", "too-many-parts"],
  ];
  for (const [message, kind] of table) {
    it(`calls "${message}" ${kind}, without a further request`, async () => {
      const { bucket, open } = setup();
      bucket.fault("get", { error: new Error(message) });
      const error = await errorOf(open({ start: 0, end: 10 }));
      expect(error.kind).toBe(kind);
      expect(error.cause).toBeInstanceOf(Error);
      expect(callsOf(bucket)).toEqual(["get"]);
    });
  }

  it("marks a lost connection as one", async () => {
    const { bucket, open } = setup();
    bucket.fault("get", { error: new Error("Network connection lost.") });
    expect((await errorOf(open({ start: 0, end: 10 }))).connection).toBe(true);
  });

  it("settles an error without a code by one head()", async () => {
    const { bucket, open } = setup();
    bucket.fault("get", { error: new Error("get: Unspecified error (0)") });
    expect((await errorOf(open({ start: 0, end: 10 }))).kind).toBe("unavailable");
    expect(callsOf(bucket)).toEqual(["get", "head"]);
    bucket.delete("file");
    expect((await errorOf(open({ start: 0, end: 10 }))).kind).toBe("not-found");
    const past = setup("simulator");
    const error = await errorOf(past.open({ start: size, end: size + 1 }));
    expect(error).toMatchObject({ kind: "unsatisfiable", size });
    expect(callsOf(past.bucket)).toEqual(["get", "head"]);
  });

  it("does not spend a head() on a later read", async () => {
    const { bucket, open, context } = setup();
    const object = await open("facts");
    bucket.fault("get", { error: new Error("get: Unspecified error (0)") });
    const error = await errorOf(object.read(piece, { start: 0, end: 10 }, context));
    expect(error.kind).toBe("unavailable");
    expect(callsOf(bucket)).toEqual(["head", "get"]);
  });

  it("refuses another range than asked, and cancels its body", async () => {
    const { bucket, open, context } = setup();
    const object = await open("facts");
    for (const range of [{ offset: 1, length: 10 }, { offset: 0, length: 9 }, { suffix: 10 }]) {
      bucket.fault("get", { range });
      expect((await errorOf(open({ start: 0, end: 10 }))).kind).toBe("protocol");
      const reading = object.read(piece, { start: 0, end: 10 }, context);
      expect((await errorOf(reading)).kind).toBe("protocol");
      expect(bucket.openBodies).toBe(0);
    }
  });
});

describe("createR2Source: what S3 clients ask for", () => {
  it("knows the one part of an object that was uploaded whole, and none past it", async () => {
    const { open } = setup();
    const object = await open("facts", { s3PartNumber: 1 });
    expect(object.s3Part).toEqual({ start: 0, end: size });
    expect(object.facts.s3PartCount).toBe(1);
    const error = await errorOf(open({ start: 0 }, { s3PartNumber: 2 }));
    expect(error).toMatchObject({ kind: "unsatisfiable", size });
  });

  it("does not guess at the parts of an upload in parts, nor at versions", async () => {
    const uploadedInParts = { size, etag: '"abc-2"', headers: {} };
    expect(() => onePart(uploadedInParts, 2)).toThrow("where the parts of an upload lie");
    // What transfer managers ask for first.
    expect(onePart(uploadedInParts, 1)).toEqual({ start: 0, end: size });
    const { bucket, open } = setup();
    expect((await errorOf(open("facts", { version: "v" }))).kind).toBe("unsupported");
    expect(callsOf(bucket)).toEqual([]);
  });

  it("names checksums where they are asked for and were given", () => {
    const sha256 = new Uint8Array([1, 2, 3]).buffer;
    const object = {
      key: "file",
      size,
      etag: "a",
      httpEtag: '"a"',
      uploaded: new Date(0),
      checksums: { sha256 },
    };
    expect(checksumHeaders(object)).toEqual({ "x-amz-checksum-sha256": "AQID" });
  });
});

describe("createR2Source: cancel", () => {
  it("disowns a pending get and cancels its body when it arrives", async () => {
    const { bucket, download, open, context } = setup();
    const object = await open("facts");
    const { promise, resolve } = Promise.withResolvers<void>();
    bucket.fault("get", { until: promise });
    const reason = new Error("The client left");
    const pending = [open({ start: 0 }), object.read(piece, { start: 0, end: 10 }, context)].map(
      (call) => call.catch((error: unknown) => error),
    );
    await Promise.resolve();
    download.abort(reason);
    expect(await Promise.all(pending)).toEqual([reason, reason]);
    expect(bucket.openBodies).toBe(0);
    resolve();
    await new Promise<void>((done) => setTimeout(done));
    expect(callsOf(bucket)).toEqual(["head", "get", "get"]);
    expect(bucket.openBodies).toBe(0);
  });

  it("ends the first body that nobody has taken up", async () => {
    const { bucket, download, open } = setup();
    await open({ start: 0 });
    expect(bucket.openBodies).toBe(1);
    download.abort(new Error("The client left"));
    expect(bucket.openBodies).toBe(0);
  });

  it("leaves the first body alone, and the signal, once it is taken up", async () => {
    const { bucket, download, open } = setup();
    const { signal } = download;
    const [added, removed] = [
      vi.spyOn(signal, "addEventListener"),
      vi.spyOn(signal, "removeEventListener"),
    ];
    const { first } = await open({ start: 0 });
    const body = first?.body;
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    );
    download.abort(new Error("The client left"));
    expect(bucket.openBodies).toBe(1);
    await discardBody(body);
    expect(bucket.openBodies).toBe(0);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "ends a first body that came %i microtasks before the client left",
    async (microtasks) => {
      const { bucket, download, open } = setup();
      const opening = open({ start: 0 }).catch((error: unknown) => error);
      for (let passed = 0; passed < microtasks; passed++) await Promise.resolve();
      download.abort(new Error("The client left"));
      await opening;
      expect(bucket.openBodies).toBe(0);
    },
  );

  it("drops the failure of a disowned get", async () => {
    const { bucket, download, open } = setup();
    const { promise, reject } = Promise.withResolvers<void>();
    bucket.fault("get", { until: promise });
    const opening = open({ start: 0 }).catch((error: unknown) => error);
    await Promise.resolve();
    download.abort("left");
    expect(await opening).toBe("left");
    reject(new Error("Network connection lost."));
    await new Promise<void>((done) => setTimeout(done));
  });
});

describe("createR2Source: conditions", () => {
  it("travel to the bucket; where they fail there are facts and no body", async () => {
    const { bucket, open } = setup();
    const { facts } = await open("facts");
    const object = await open(
      { start: 0 },
      { conditions: new Headers({ "if-none-match": facts.etag ?? "" }) },
    );
    expect(object.facts).toEqual(facts);
    expect(object.first).toBeUndefined();
    expect(bucket.openBodies).toBe(0);
  });

  it("stay here when R2 could not read them", async () => {
    const { bucket, open } = setup();
    const object = await open({ start: 0 }, { conditions: new Headers({ "if-match": "garbage" }) });
    await discardBody(object.first?.body);
    expect(bucket.calls[0]?.options?.onlyIf).toBeUndefined();
  });
});

describe("createR2Source: client keys", () => {
  const keys = {
    algorithm: "AES256",
    key: btoa("k".repeat(32)),
    keyMd5: createHash("md5").update("k".repeat(32)).digest("base64"),
  };
  const md5 = createHash("md5").update("k".repeat(32)).digest("hex");

  it("go with every get as raw bytes", async () => {
    const { bucket, source, download, context } = setup();
    bucket.put("locked", { bytes: contentBytes(ramp, 0, size), ssecKeyMd5: md5 });
    const want = { start: 0, end: 10 };
    const object = await source.open("locked", { ...download, want, clientKeys: keys });
    await discardBody(object.first?.body);
    const { body } = await object.read(piece, { start: 10, end: 20 }, context);
    expect(await readAll(body)).toEqual(contentBytes(ramp, 10, 20));
    for (const { options } of bucket.calls) expect(options?.ssecKey?.byteLength).toBe(32);
  });

  it.each(["production", "simulator"] as const)(
    "are required and compared, also for facts alone (%s)",
    async (behaviour) => {
      const { bucket, source, download } = setup(behaviour);
      bucket.put("locked", { bytes: contentBytes(ramp, 0, size), ssecKeyMd5: md5 });
      for (const want of ["facts", { start: 0, end: 10 }] as const) {
        const none = source.open("locked", { ...download, want });
        expect((await errorOf(none)).kind).toBe("key-missing");
        const other = { ...keys, key: btoa("o".repeat(32)) };
        const otherMd5 = createHash("md5").update("o".repeat(32)).digest("base64");
        const wrong = { ...download, want, clientKeys: { ...other, keyMd5: otherMd5 } };
        expect((await errorOf(source.open("locked", wrong))).kind).toBe("key-wrong");
        // The MD5 of the key which opens the object beside another: R2's head() would take it for that key.
        const borrowed = { ...download, want, clientKeys: other };
        expect((await errorOf(source.open("locked", borrowed))).kind).toBe("key-missing");
      }
      expect(bucket.openBodies).toBe(0);
    },
  );

  it("of a wrong form are refused before anything is asked, and not repeated", async () => {
    const { bucket, open } = setup();
    for (const bad of [
      { ...keys, algorithm: "aws:kms" },
      { ...keys, key: btoa("short") },
      { ...keys, key: "§§" },
      { ...keys, keyMd5: "" },
      { ...keys, keyMd5: btoa("0123456789abcdef") },
    ]) {
      const error = await errorOf(open({ start: 0 }, { clientKeys: bad }));
      expect(error.kind).toBe("key-missing");
      expect(error.message).not.toContain(bad.key);
    }
    expect(bucket.calls).toEqual([]);
  });
});

describe("createR2Source: metadata and lists", () => {
  it("go on behind a page with nothing on it, and never take one for the end", async () => {
    const { bucket, download } = setup();
    const asked: unknown[] = [];
    const sourceOf = (cursors: readonly (string | undefined)[]) =>
      createR2Source({
        bucket: {
          ...bucket,
          list: async (options) => {
            const cursor = cursors[asked.push(options) - 1];
            if (asked.length > cursors.length) return bucket.list();
            return {
              objects: [],
              delimitedPrefixes: [],
              truncated: true,
              ...(cursor && { cursor }),
            };
          },
        },
      });
    const wish = { ...download, limit: 10, after: "a" };
    const page = await sourceOf(["c1", "c2"]).list?.("", wish);
    expect(page?.entries.map(({ key }) => key)).toEqual(["file"]);
    expect(asked).toEqual([
      { prefix: "", limit: 10, startAfter: "a" },
      { prefix: "", limit: 10, cursor: "c1" },
      { prefix: "", limit: 10, cursor: "c2" },
    ]);
    for (const cursors of [[undefined], ["c1", "c1"]]) {
      asked.length = 0;
      expect((await errorOf(Promise.resolve(sourceOf(cursors).list?.("", wish)))).kind).toBe(
        "protocol",
      );
      expect(asked).toHaveLength(cursors.length);
    }
  });

  it("passes standard and custom metadata on", async () => {
    const { bucket, open } = setup();
    bucket.put("file", {
      bytes: new Uint8Array(1),
      httpMetadata: {
        contentType: "text/plain",
        contentEncoding: "gzip",
        contentLanguage: "de",
        cacheExpiry: new Date(0),
      },
      customMetadata: { Author: "me", città: "x", city: "Zürich", bad: "a\r\nb: c" },
    });
    expect((await open("facts")).facts.headers).toEqual({
      "content-type": "text/plain",
      "content-encoding": "gzip",
      "content-language": "de",
      expires: "Thu, 01 Jan 1970 00:00:00 GMT",
      "x-amz-meta-author": "me",
      "x-amz-meta-city": "=?UTF-8?B?WsO8cmljaA==?=",
      "x-amz-meta-bad": "=?UTF-8?B?YQ0KYjogYw==?=",
    });
  });

  it("goes on after a rolled-up prefix without naming it twice", async () => {
    const { bucket, source, download } = setup();
    for (const key of ["a/1", "a/2", "b", "c/1", "d"])
      bucket.put(key, { bytes: new Uint8Array(1) });
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await source.list?.("", { ...download, limit: 1, delimiter: "/", after });
      seen.push(...(page?.entries.map(({ key }) => key) ?? []), ...(page?.prefixes ?? []));
      after = page?.next;
    } while (after !== undefined && seen.length < 20);
    expect(seen).toEqual(["a/", "b", "c/", "d", "file"]);
  });

  it("goes on after whatever stands last on a page, key or rolled-up prefix", async () => {
    const { bucket, source, download } = setup();
    for (const key of ["a/1", "b", "c/1", "d"]) bucket.put(key, { bytes: new Uint8Array(1) });
    const wish = { ...download, delimiter: "/" };
    expect((await source.list?.("", { ...wish, limit: 2 }))?.next).toBe("b");
    const page = await source.list?.("", { ...wish, limit: 3 });
    expect(page?.prefixes).toEqual(["a/", "c/"]);
    expect(page?.next?.startsWith("c/")).toBe(true);
  });

  it("tells when a key was uploaded to the second, as its headers do", async () => {
    const { bucket, download } = setup();
    const late = { ...bucket, list: async () => ({ ...(await bucket.list()), objects: [object] }) };
    const [first] = (await bucket.list()).objects;
    if (first === undefined) throw new Error("Nothing is listed");
    const object = { ...first, uploaded: new Date(Date.UTC(2026, 0, 1, 0, 0, 0, 999)) };
    const page = await createR2Source({ bucket: late }).list?.("", { ...download, limit: 1 });
    expect(page?.entries[0]?.lastModified).toBe(Date.UTC(2026, 0, 1));
  });
});
