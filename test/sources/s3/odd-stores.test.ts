/** Answers of real stores that AWS does not give: of MinIO, of gateways, and of what stands before them. */
import { describe, expect, it } from "vitest";
import type { FetchFunction, UpstreamInit } from "../../../src/sources/upstream.ts";
import { failure, setUp } from "./setup.ts";

type Script = (method: string, url: URL) => Response;

/** A source over a script, and how often it was asked. */
function over(script: Script) {
  const asked: string[] = [];
  const fetch: FetchFunction = async (url: string, { method }: UpstreamInit) => {
    asked.push(method);
    return script(method, new URL(url));
  };
  return { ...setUp({}, { fetch }), asked };
}

const clientKeys = {
  algorithm: "AES256",
  key: Buffer.alloc(32).toString("base64"),
  keyMd5: "md5",
};
const errorDocument = (code: string, message = "") =>
  `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;

describe("an empty object", () => {
  it("whose HEAD has no length is found to be empty, and asked for no further", async () => {
    const { open, asked } = over((method) =>
      method === "HEAD"
        ? new Response(null, { headers: { etag: '"e"' } })
        : new Response(errorDocument("InvalidRange"), { status: 416 }),
    );
    expect((await open("facts")).facts).toMatchObject({ size: 0, etag: '"e"' });
    expect(asked).toEqual(["HEAD", "GET"]);
    expect((await open({ start: 0, end: 10 })).facts.size).toBe(0);
    expect(asked.length).toBeLessThanOrEqual(5);
  });

  it("under SSE-C needs its key, as others do", async () => {
    const { open, asked } = over((method) =>
      method === "HEAD"
        ? new Response(null, { status: 400 })
        : new Response(errorDocument("InvalidRange"), { status: 416 }),
    );
    for (const want of ["facts", { start: 0, end: 10 }] as const)
      expect((await failure(open(want))).kind).toBe("key-missing");
    expect(asked.length).toBeLessThanOrEqual(5);
    expect((await failure(open("facts", { clientKeys }))).kind).toBe("key-wrong");
  });

  it("has a suffix that begins before it", async () => {
    const headers = { "content-range": "bytes 0--1/0", "content-length": "0", etag: '"e"' };
    const { open } = over(() => new Response(null, { status: 206, headers }));
    const object = await open({ suffix: 5 });
    expect(object.facts).toMatchObject({ size: 0, etag: '"e"' });
    expect(object.first).toBeUndefined();
  });

  it("is one part, whose 206 names no range", async () => {
    const headers = { "content-length": "0", etag: '"e"' };
    const { open } = over(() => new Response(null, { status: 206, headers }));
    const object = await open("facts", { s3PartNumber: 1 });
    expect(object.s3Part).toEqual({ start: 0, end: 0 });
    expect(object.facts).toMatchObject({ size: 0, s3PartCount: 1 });
  });
});

describe("a refusal", () => {
  it.each([
    ["KeyTooLongError", "not-found"],
    ["InvalidObjectName", "not-found"],
    ["XMinioInvalidObjectName", "not-found"],
  ])("of a key that the store can have none of is %s: %s", async (code, kind) => {
    const { open } = over(() => new Response(errorDocument(code), { status: 400 }));
    expect((await failure(open({ start: 0, end: 10 }))).kind).toBe(kind);
  });

  it("of a HEAD with a part's number is explained by a GET", async () => {
    const { open, asked } = over((method) =>
      method === "HEAD"
        ? new Response(null, { status: 400 })
        : new Response(errorDocument("InvalidArgument", "Invalid version id"), { status: 400 }),
    );
    const error = await failure(open("facts", { s3PartNumber: 1, version: "bogus" }));
    expect(error.kind).toBe("not-found");
    expect(asked).toEqual(["HEAD", "GET"]);
  });

  it("of a key for an object that takes none is no denial", async () => {
    const words = "The encryption parameters are not applicable to this object.";
    const { open } = over(
      () => new Response(errorDocument("InvalidRequest", words), { status: 400 }),
    );
    const error = await failure(open({ start: 0, end: 10 }, { clientKeys }));
    expect(error).toMatchObject({ kind: "key-missing", status: 400 });
  });
});

it("an archived object says how far it is restored", async () => {
  const headers = {
    "content-length": "10",
    "x-amz-storage-class": "GLACIER",
    "x-amz-restore": 'ongoing-request="false"',
    "x-amz-object-lock-mode": "COMPLIANCE",
  };
  const { open } = over(() => new Response(null, { headers }));
  expect((await open("facts")).facts.headers).toMatchObject({
    "x-amz-storage-class": "GLACIER",
    "x-amz-restore": 'ongoing-request="false"',
    "x-amz-object-lock-mode": "COMPLIANCE",
  });
});
