import { describe, expect, it } from "vitest";
import type { FetchFunction } from "../../src/sources/s3.ts";
import { discardBody, readAll } from "../support/bodies.ts";
import { contentBytes, firstDifference, ramp } from "../support/object-bytes.ts";
import { testCredentials } from "./s3/fake-s3.ts";
import { failure, setUp, size } from "./s3/setup.ts";

const customerKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

describe("signatures", () => {
  it("serve every part of an object, Range and If-Match unsigned", async () => {
    const { fake, open, read } = setUp();
    const object = await open({ start: 0, end: 10 });
    await discardBody(object.first?.body);
    for (const start of [10, 20, 30]) await readAll((await read(object, start, start + 10)).body);
    const signatures = new Set(fake.seen.map(({ headers }) => headers.get("authorization")));
    expect(fake.seen).toHaveLength(4);
    expect(signatures.size).toBe(1);
    expect(fake.seen.map(({ headers }) => headers.get("accept-encoding"))).toEqual(
      Array(4).fill("identity"),
    );
    expect([...signatures][0]).toContain("SignedHeaders=host;x-amz-content-sha256;x-amz-date,");
    expect(fake.seen.slice(1).every(({ headers }) => headers.get("if-match") === '"v1"')).toBe(
      true,
    );
  });

  it("are made again before the store finds them old", async () => {
    let now = Date.now();
    const { fake, open, read } = setUp({ now: () => now }, { now: () => now });
    const object = await open("facts");
    for (let i = 0; i < 8; i++) {
      await readAll((await read(object, 0, 10)).body);
      now += 4 * 60 * 1000;
    }
    expect(
      new Set(fake.seen.map(({ headers }) => headers.get("authorization"))).size,
    ).toBeGreaterThan(4);
  });

  it("carry the session token", async () => {
    const credentials = { ...testCredentials, sessionToken: "token" };
    const { fake, open } = setUp({}, { credentials });
    // The store refuses temporary credentials by name; what was sent is what counts.
    expect((await failure(open("facts"))).kind).toBe("denied");
    expect(fake.seen[0]?.headers.get("x-amz-security-token")).toBe("token");
    expect(fake.seen[0]?.headers.get("authorization")).toContain(";x-amz-security-token,");
  });

  it("are left out without credentials", async () => {
    const { fake, open } = setUp({ public: true }, { credentials: undefined });
    await open("facts");
    expect(fake.seen[0]?.headers.has("authorization")).toBe(false);
    await open("facts", { checksums: true });
    expect(fake.seen[1]?.headers.get("x-amz-checksum-mode")).toBe("ENABLED");
  });

  it("with the wrong secret are denied, and nothing tells the secret", async () => {
    const { open } = setUp({}, { credentials: { ...testCredentials, secretAccessKey: "wrong" } });
    const error = await failure(open({ start: 0, end: 10 }));
    expect(error).toMatchObject({ kind: "denied", status: 403 });
    expect(error.message).not.toMatch(/wrong|AKID|s3\.example/);
  });

  for (const hours of [-8, 8])
    it(`are corrected once when our clock is ${hours} h off`, async () => {
      const { fake, open, read, download } = setUp(
        {},
        { now: () => Date.now() + hours * 3_600_000 },
      );
      const object = await open({ start: 0, end: 10 });
      await discardBody(object.first?.body);
      await readAll((await read(object, 10, 20)).body);
      await open("facts");
      expect(fake.seen).toHaveLength(4);
      expect(download.permits.asks).toHaveLength(4);
    });

  it.each([15.5, 60])(
    "are corrected after a refused HEAD too, which names no reason: %d minutes off",
    async (minutes) => {
      const { fake, open } = setUp({}, { now: () => Date.now() + minutes * 60_000 });
      expect((await open("facts")).facts.size).toBe(size);
      expect(fake.seen).toHaveLength(2);
    },
  );

  it("are corrected where the store calls the request expired", async () => {
    const sent: string[] = [];
    const fetch: FetchFunction = async (_url, { headers }) => {
      sent.push(headers["x-amz-date"] ?? "");
      const date = new Date(Date.now() - 3_600_000).toUTCString();
      const document = "<Error><Code>RequestExpired</Code></Error>";
      return new Response(document, { status: 400, headers: { date } });
    };
    const { open } = setUp({}, { fetch });
    await failure(open({ start: 0, end: 10 }));
    expect(new Set(sent).size).toBe(2);
  });

  it.each([{ start: 0, end: 10 }, "facts" as const])(
    "are right again when our clock is (%j)",
    async (want) => {
      let off = 0;
      const { fake, open } = setUp({}, { now: () => Date.now() + off });
      for (const hour of [3_600_000, 0]) {
        off = hour;
        const object = await open(want);
        await discardBody(object.first?.body);
      }
      expect(fake.seen).toHaveLength(4);
    },
  );

  it("are corrected once where the store's clock goes astray, and without credentials never", async () => {
    let asked = 0;
    const fetch = async () => {
      asked += 1;
      const date = new Date(Date.now() + asked * 3_600_000).toUTCString();
      const document = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
      return new Response(document, { status: 403, headers: { date } });
    };
    expect((await failure(setUp({}, { fetch }).open("facts"))).kind).toBe("denied");
    expect(asked).toBe(2);
    asked = 0;
    await failure(setUp({}, { fetch, credentials: undefined }).open("facts"));
    expect(asked).toBe(1);
  });

  it("are not sent a third time when the clock was not the trouble", async () => {
    const { fake, open } = setUp(
      {},
      {
        now: () => Date.now() + 3_600_000,
        credentials: { ...testCredentials, secretAccessKey: "wrong" },
      },
    );
    expect((await failure(open("facts"))).kind).toBe("denied");
    expect(fake.seen).toHaveLength(2);
  });
});

describe("a signature in use", () => {
  it("is made again after a refresh, which helps where it was not made just now", async () => {
    let now = Date.now();
    const { fake, open, read, download } = setUp({ now: () => now }, { now: () => now });
    const object = await open({ start: 0, end: 10 });
    await discardBody(object.first?.body);
    const piece = { kind: "stored", range: { start: 0, end: size } } as const;
    await readAll((await read(object, 0, 10)).body);
    expect(await object.refresh?.(piece, download)).toBe(false);
    await readAll((await read(object, 10, 20)).body);
    now += 2000;
    expect(await object.refresh?.(piece, download)).toBe(true);
    // The next part that was refused with it.
    expect(await object.refresh?.(piece, download)).toBe(true);
    await readAll((await read(object, 20, 30)).body);
    const dates = fake.seen.map(({ headers }) => headers.get("x-amz-date"));
    expect(dates[2]).toBe(dates[0]);
    expect(dates[3]).not.toBe(dates[0]);
    now -= 60_000;
    await readAll((await read(object, 30, 40)).body);
    expect(fake.seen.at(-1)?.headers.get("x-amz-date")).not.toBe(dates[3]);
  });
});

describe("addresses", () => {
  it.each([
    "plain.bin",
    "with blank",
    "a+b",
    "100%",
    "what?x=1&y",
    "a#b",
    "ü/日本/🙂",
    "/leading",
    "//two",
    "double//slash",
    "trailing/",
    "%20",
    "a%2Fb",
    "'(!)*~",
    "a\\b",
    "tab\there",
    "...",
    "a=b;c@d:$,&",
  ])("reach the key %j and no other", async (key) => {
    const { fake, open } = setUp();
    fake.space.store(key, { content: { kind: "counter", seed: 7 }, size: 16 });
    const { first } = await open({ start: 0, end: 16 }, {}, key);
    const bytes = first === undefined ? new Uint8Array() : await readAll(first.body);
    expect(firstDifference(bytes, contentBytes({ kind: "counter", seed: 7 }, 0, 16))).toBe(-1);
  });

  it.each(["..", "a/../key", "./key", "", "\ud800"])(
    "of %j are refused without a request",
    async (key) => {
      const { fake, open } = setUp();
      expect((await failure(open("facts", {}, key))).kind).toBe("not-found");
      expect(fake.seen).toHaveLength(0);
    },
  );

  it("may lead on within the host", async () => {
    const { fake } = setUp();
    const fetch: FetchFunction = async (url, init) =>
      url.startsWith("http:")
        ? new Response(null, {
            status: 307,
            headers: { location: url.replace("http:", "https:") },
          })
        : fake.fetch(url, init);
    const { open } = setUp({}, { endpoint: "http://s3.example", fetch });
    expect((await open("facts")).facts.size).toBe(size);
  });

  it("of the bucket itself are refused behind a prefix, too", async () => {
    const { fake, open } = setUp({}, { keyPrefix: "data/" });
    expect((await failure(open("facts", {}, ""))).kind).toBe("not-found");
    expect(fake.seen).toHaveLength(0);
  });

  it("put the bucket before the host where asked, and keep the endpoint's path", async () => {
    const seen: string[] = [];
    const fetch = async (url: string) => {
      seen.push(url.replace(/\?.*/, "?"));
      return new Response(null, { status: 404 });
    };
    for (const virtualHost of [true, false]) {
      const { open, made, download } = setUp(
        {},
        { virtualHost, endpoint: "https://s3.example:9000/base/", fetch },
      );
      await failure(open({ start: 0, end: 1 }));
      await failure(Promise.resolve(made.list?.("", { ...download, limit: 1 })));
    }
    expect(seen).toEqual([
      "https://bucket.s3.example:9000/base/key",
      "https://bucket.s3.example:9000/base/?",
      "https://s3.example:9000/base/bucket/key",
      "https://s3.example:9000/base/bucket?",
    ]);
  });

  it.each([
    { endpoint: "s3.example" },
    { endpoint: "ftp://s3.example" },
    { endpoint: "https://s3.example/?x" },
    { endpoint: "https://s3.example/#x" },
    { endpoint: "https://user@s3.example" },
    { endpoint: "https://:secret@s3.example" },
    { bucket: "" },
    { bucket: "a/b" },
    { bucket: undefined as never },
    { credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: undefined as never } },
    { via: {} as never },
  ])("that cannot work are refused at once: %j", (options) => {
    expect(() => setUp({}, options)).toThrow(TypeError);
  });
});

describe("headers that must be signed", () => {
  it("say that the requester pays", async () => {
    const { fake, open, made, download } = setUp({}, { requesterPays: true });
    await open("facts");
    await made.list?.("", { ...download, limit: 1 });
    expect(fake.seen).toHaveLength(2);
    for (const { headers } of fake.seen) {
      expect(headers.get("x-amz-request-payer")).toBe("requester");
      expect(headers.get("authorization")).toContain("x-amz-request-payer");
    }
  });

  it("hand the client's SSE-C key on, with every part", async () => {
    const { fake, open, read } = setUp();
    fake.encrypt("key", customerKey);
    const clientKeys = { algorithm: "AES256", key: customerKey, keyMd5: "md5" };
    const object = await open({ start: 0, end: 10 }, { clientKeys });
    await discardBody(object.first?.body);
    expect((await readAll((await read(object, 10, 20)).body)).length).toBe(10);
    expect((await failure(open({ start: 0, end: 10 }))).kind).toBe("key-missing");
    const wrong = { ...clientKeys, key: "AAAA" };
    expect((await failure(open({ start: 0, end: 10 }, { clientKeys: wrong }))).kind).toBe(
      "key-wrong",
    );
    expect((await failure(open("facts"))).kind).toBe("key-missing");
  });

  it("ask for checksums where the client did", async () => {
    const { fake, open } = setUp();
    await open("facts", { checksums: true });
    expect(fake.seen[0]?.headers.get("x-amz-checksum-mode")).toBe("ENABLED");
  });

  it("take a checksum from HEAD: beside a range there is none", async () => {
    const { fake, open } = setUp();
    const object = await open({ start: 0, end: 10 }, { checksums: true });
    expect(object.first).toBeUndefined();
    expect(fake.seen.map(({ method }) => method)).toEqual(["HEAD"]);
  });
});

describe("versions", () => {
  it("are compared where a store ignores If-Match", async () => {
    const { fake, open, read } = setUp();
    const store = (etag: string | null) =>
      fake.space.store("key", { content: ramp, size, etag, conditions: false });
    store('"a"');
    const object = await open({ start: 0, end: 10 });
    await discardBody(object.first?.body);
    store('"b"');
    expect((await failure(read(object, 10, 20))).kind).toBe("changed");
    // Of what has no tag nobody knows which version it is.
    store(null);
    expect((await failure(read(object, 10, 20))).kind).toBe("protocol");
  });

  it("are not taken from known facts that pin nothing", async () => {
    const { fake, open } = setUp();
    const { facts } = await open("facts");
    const known = { ...facts, unversioned: "no entity tag" };
    const object = await open({ start: 0, end: 10 }, { known });
    await discardBody(object.first?.body);
    expect(fake.seen.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
  });

  it("asked for by id are named in every read, and pin it", async () => {
    const { fake, open, read } = setUp();
    const object = await open({ start: 0, end: 10 }, { version: "v+1/=" });
    await discardBody(object.first?.body);
    await discardBody((await read(object, 10, 20)).body);
    expect(object.facts.pin).toEqual({ by: "version-id", value: "v+1/=" });
    fake.space.store("key", { content: ramp, size, etag: null, lastModified: null });
    expect((await open("facts", { version: "v+1/=" })).facts.unversioned).toBeUndefined();
    expect(fake.seen.every(({ url }) => url.endsWith("?versionId=v%2B1%2F%3D"))).toBe(true);
  });
});

describe("parts by number", () => {
  it("become byte ranges, and never meet If-Match", async () => {
    const { fake, open, read } = setUp();
    fake.setParts("key", [60_000, 40_003]);
    const object = await open({ start: 0, end: 10 }, { s3PartNumber: 2 });
    expect(object.s3Part).toEqual({ start: 60_000, end: size });
    expect(object.first).toBeUndefined();
    expect(object.facts).toMatchObject({ size, s3PartCount: 2 });
    const bytes = await readAll((await read(object, 60_000, size)).body);
    expect(firstDifference(bytes, contentBytes(ramp, 60_000, size))).toBe(-1);
    const [asked, ...reads] = fake.seen
      .map(({ url }) => new URL(url).search)
      .toReversed()
      .toReversed();
    expect(asked).toBe("?partNumber=2");
    expect(reads.at(-1)).toBe("");
  });

  it("of an object in one piece: its first is all of it", async () => {
    const { open } = setUp();
    const object = await open("facts", { s3PartNumber: 1 });
    expect(object.s3Part).toEqual({ start: 0, end: size });
    expect((await failure(open("facts", { s3PartNumber: 2 }))).kind).toBe("unsatisfiable");
  });

  it("that are not there are unsatisfiable", async () => {
    const { fake, open } = setUp();
    fake.setParts("key", [size]);
    expect((await failure(open("facts", { s3PartNumber: 3 }))).kind).toBe("unsatisfiable");
  });
});

/** A store that always answers with one error document. */
function answer(status: number, code: string, more = "", headers: Record<string, string> = {}) {
  const document = `<Error><Code>${code}</Code>${more}<Message>host secret</Message></Error>`;
  return { fetch: async () => new Response(document, { status, headers }) };
}

describe("error documents", () => {
  it.each([
    [404, "NoSuchBucket", "not-found"],
    [404, "NoSuchVersion", "not-found"],
    [405, "MethodNotAllowed", "not-found"],
    [403, "InvalidAccessKeyId", "denied"],
    [400, "ExpiredToken", "denied"],
    [503, "SlowDown", "throttled"],
    [503, "ServiceUnavailable", "unavailable"],
    [500, "InternalError", "unavailable"],
    [400, "RequestTimeout", "unavailable"],
    [403, "InvalidObjectState", "unsupported"],
    [409, "OperationAborted", "unavailable"],
    [501, "NotImplemented", "unsupported"],
    [418, "Teapot", "protocol"],
  ])("%i %s is %s", async (status, code, kind) => {
    const { open } = setUp({}, answer(status, code));
    const error = await failure(open({ start: 0, end: 10 }));
    expect(error).toMatchObject({ kind, status });
    expect(error.message).not.toContain("secret");
  });

  it.each([
    [301, "PermanentRedirect"],
    [307, "TemporaryRedirect"],
  ])("of a %i without a region mean another endpoint", async (status, code) => {
    for (const more of ["", "<Region>us-east-1</Region>"]) {
      const { open } = setUp({}, answer(status, code, more));
      const error = await failure(open({ start: 0, end: 10 }));
      expect(error).toMatchObject({ kind: "config", status });
      expect(error.message).toContain("the endpoint is another one");
    }
  });

  it.each([
    [301, "PermanentRedirect"],
    [307, "TemporaryRedirect"],
  ])("name the region of a %i with a Location, and go nowhere", async (status, code) => {
    const headers = {
      location: "https://bucket.s3.eu-west-1.example/key",
      "x-amz-bucket-region": "eu-west-1",
    };
    const { open, made, download } = setUp({}, answer(status, code, "", headers));
    const asked = [
      () => open({ start: 0, end: 10 }),
      () => open("facts"),
      () => Promise.resolve(made.list?.("", { ...download, limit: 1 })),
    ];
    for (const ask of asked) {
      const error = await failure(ask());
      expect(error).toMatchObject({ kind: "config", status });
      expect(error.message).toContain("eu-west-1");
      expect(error.message).not.toContain("example");
    }
    expect(download.permits.asks).toHaveLength(asked.length);
  });

  it.each([
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    "Bucket is configured for something else, at https://secret.example/",
    "",
  ])("InvalidRequest means a missing key only where it says so: %j", async (message) => {
    const document = `<Error><Code>InvalidRequest</Code><Message>${message}</Message></Error>`;
    const { open } = setUp({}, { fetch: async () => new Response(document, { status: 400 }) });
    const clientKeys = { algorithm: "AES256", key: customerKey, keyMd5: "md5" };
    for (const more of [{}, { clientKeys }]) {
      const error = await failure(open({ start: 0, end: 10 }, more));
      expect(error).toMatchObject({ kind: "protocol", status: 400 });
      expect(error.message).toContain("InvalidRequest");
      expect(error.message).not.toContain("secret");
    }
  });

  it("that name another cause are not about the key that was sent", async () => {
    const { open } = setUp({}, answer(403, "SignatureDoesNotMatch"));
    const clientKeys = { algorithm: "AES256", key: customerKey, keyMd5: "md5" };
    expect((await failure(open({ start: 0, end: 10 }, { clientKeys }))).kind).toBe("denied");
  });

  it("that speak of an argument mean the key, or the version that was asked for", async () => {
    const words = "Requests specifying Server Side Encryption must provide the customer key.";
    const clientKeys = { algorithm: "AES256", key: customerKey, keyMd5: "md5" };
    const kindOf = async (message: string, more: object) => {
      const document = `<Error><Code>InvalidArgument</Code><Message>${message}</Message></Error>`;
      const { open } = setUp({}, { fetch: async () => new Response(document, { status: 400 }) });
      return (await failure(open({ start: 0, end: 10 }, more))).kind;
    };
    expect(await kindOf(words, {})).toBe("key-missing");
    expect(await kindOf(words, { version: "v" })).toBe("key-missing");
    expect(await kindOf("Invalid Argument", {})).toBe("protocol");
    expect(await kindOf("Invalid Argument", { version: "abc" })).toBe("not-found");
    expect(await kindOf("Invalid Argument", { version: "abc", clientKeys })).toBe("not-found");
  });

  it("are none for a HEAD of a delete marker by its id", async () => {
    for (const headers of [{}, { "x-amz-delete-marker": "true" }]) {
      const { open } = setUp(
        {},
        { fetch: async () => new Response(null, { status: 405, headers }) },
      );
      expect((await failure(open("facts", { version: "v" }))).kind).toBe("not-found");
    }
  });

  it("keep Retry-After", async () => {
    for (const code of ["SlowDown", "ServiceUnavailable"]) {
      const { open } = setUp({}, answer(503, code, "", { "retry-after": "3" }));
      expect(await failure(open({ start: 0, end: 10 }))).toMatchObject({ retryAfterMs: 3000 });
    }
  });

  it("name the region that the mount should have named", async () => {
    const more = "<Region>eu-west-1</Region>";
    for (const [status, code] of [
      [400, "AuthorizationHeaderMalformed"],
      [301, "PermanentRedirect"],
    ] as const) {
      const { open } = setUp({}, answer(status, code, more));
      const error = await failure(open({ start: 0, end: 10 }));
      expect(error.kind).toBe("config");
      expect(error.message).toContain("eu-west-1");
    }
  });

  it("show no text of the store in the place of a region", async () => {
    for (const region of ["eu-west-1, http://secret.example/", "SECRET", "secret.example"]) {
      const { open } = setUp({}, answer(301, "PermanentRedirect", `<Region>${region}</Region>`));
      const error = await failure(open({ start: 0, end: 10 }));
      expect(error.kind).toBe("config");
      expect(error.message).not.toMatch(/secret/i);
    }
  });

  it("that are no XML, or too long, leave the status to say it", async () => {
    for (const body of [
      "<html><h1>403",
      "x".repeat(100_000),
      "",
      "<Error><Code>a b</Code></Error>",
    ]) {
      const { open } = setUp({}, { fetch: async () => new Response(body, { status: 503 }) });
      expect((await failure(open({ start: 0, end: 10 }))).kind).toBe("unavailable");
    }
  });
});
