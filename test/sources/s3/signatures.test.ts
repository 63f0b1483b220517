/** What is signed, how long a signature serves, and when it is made again. */
import { describe, expect, it } from "vitest";
import type { FetchFunction } from "../../../src/sources/s3.ts";
import { discardBody, readAll } from "../../support/bodies.ts";
import { testCredentials } from "./fake-s3.ts";
import { customerKey, failure, setUp, size } from "./setup.ts";

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
