/** What a store says in its error document decides the kind of the error. */
import { describe, expect, it } from "vitest";
import { customerKey, failure, setUp } from "./setup.ts";

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
