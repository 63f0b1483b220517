/** Answers of real stores that AWS does not give: of MinIO, of gateways, and of what stands before them. */
import { describe, expect, it, vi } from "vitest";
import type { FetchFunction, UpstreamInit } from "../../../src/sources/upstream.ts";
import { failure, setUp } from "./setup.ts";

type Script = (method: string, url: URL, headers: Record<string, string>) => Response;

/** A source over a script, and how often it was asked. */
function over(script: Script) {
  const asked: string[] = [];
  const fetch: FetchFunction = async (url: string, { method, headers }: UpstreamInit) => {
    asked.push(method);
    return script(method, new URL(url), headers);
  };
  return { ...setUp({}, { fetch }), asked };
}

/** Answers whose bodies never end by themselves; counts those that nobody ended. */
function endless() {
  const bodies = { open: 0 };
  const answer = (status: number, headers: Record<string, string> = {}) => {
    bodies.open += 1;
    const cancel = () => {
      bodies.open -= 1;
    };
    return new Response(new ReadableStream({ cancel }), { status, headers });
  };
  return { bodies, answer };
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
    expect((await failure(open("facts", { s3PartNumber: 2 }))).kind).toBe("unsupported");
  });
});

it("a part is not the whole object where only the HEAD counts the parts", async () => {
  const { open } = over((method) => {
    const counted = { "content-length": "100", "x-amz-mp-parts-count": "3" };
    return method === "HEAD"
      ? new Response(null, { headers: counted })
      : new Response("x", { headers: { "content-length": "100" } });
  });
  expect((await failure(open("facts", { s3PartNumber: 1 }))).kind).toBe("unsupported");
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

describe("a body that is of no use is ended", () => {
  const conditions = new Headers({ "if-match": '"b"' });

  it("of a 412", async () => {
    const { bodies, answer } = endless();
    const { open } = over(() => answer(412));
    const object = await open({ start: 0, end: 10 }, { conditions });
    expect(object.verdict).toBe("precondition-failed");
    expect(bodies.open).toBe(0);
  });

  it.each([
    ["another range", "bytes 5-14/100"],
    ["no size", "bytes 0-9/*"],
  ])("of a 206 with %s", async (_what, range) => {
    const { bodies, answer } = endless();
    const { open } = over(() => answer(206, { "content-range": range, etag: '"e"' }));
    expect((await failure(open({ start: 0, end: 10 }))).kind).toBe("protocol");
    expect(bodies.open).toBe(0);
  });

  it("of the part that tells where it lies", async () => {
    const { bodies, answer } = endless();
    const { open } = over((method) =>
      method === "HEAD"
        ? new Response(null, { headers: { "content-length": "10" } })
        : answer(206, { "content-range": "bytes 10-19/100" }),
    );
    expect((await open("facts", { s3PartNumber: 2 })).s3Part).toEqual({ start: 10, end: 20 });
    expect(bodies.open).toBe(0);
  });

  it("of the byte that tells the facts where HEAD names no length", async () => {
    const { bodies, answer } = endless();
    const { open } = over((method) =>
      method === "HEAD"
        ? new Response(null, { headers: { etag: '"e"' } })
        : answer(206, { "content-range": "bytes 0-0/100", etag: '"e"' }),
    );
    expect((await open("facts")).facts.size).toBe(100);
    expect(bodies.open).toBe(0);
  });

  it("of the refusal that tells that there is no byte", async () => {
    const { bodies, answer } = endless();
    const { open } = over((method) =>
      method === "HEAD" ? new Response(null, { headers: { etag: '"e"' } }) : answer(416),
    );
    expect((await open("facts")).facts.size).toBe(0);
    expect(bodies.open).toBe(0);
  });
});

describe("a refused range", () => {
  const size = "<ActualObjectSize>10</ActualObjectSize>";

  it.each([
    ["in Content-Range", { "content-range": "bytes */10" }, ""],
    ["in the document", {}, `<Error><Code>InvalidRange</Code>${size}</Error>`],
  ])("whose answer names the size %s needs no second request", async (_where, headers, text) => {
    const { open, asked } = over(() => new Response(text, { status: 416, headers }));
    expect(await failure(open({ start: 10 }))).toMatchObject({ kind: "unsatisfiable", size: 10 });
    expect(asked).toEqual(["GET"]);
    expect((await failure(open({ start: 9 }))).kind).toBe("protocol");
  });

  it("has its size asked for without the client's conditions", async () => {
    const { open } = over((method, _url, headers) => {
      if (method === "GET") return new Response(null, { status: 416 });
      if ("if-none-match" in headers) return new Response(null, { status: 304 });
      return new Response(null, { headers: { "content-length": "10" } });
    });
    const conditions = new Headers({ "if-none-match": '"e"' });
    expect(await failure(open({ start: 10 }, { conditions }))).toMatchObject({
      kind: "unsatisfiable",
      size: 10,
    });
  });

  it("says of a later read that the object got shorter", async () => {
    const { open, read } = over((_method, _url, { range }) =>
      range === "bytes=0-9"
        ? new Response("0123456789", {
            status: 206,
            headers: { "content-range": "bytes 0-9/100", etag: '"e"' },
          })
        : new Response(null, { status: 416, headers: { "content-range": "bytes */10" } }),
    );
    const object = await open({ start: 0, end: 10 });
    expect((await failure(read(object, 10, 20))).kind).toBe("changed");
  });

  it("from the start of an object that has bytes is a fault", async () => {
    const { open } = over((method) =>
      method === "GET"
        ? new Response(null, { status: 416 })
        : new Response(null, { headers: { "content-length": "10" } }),
    );
    expect((await failure(open({ start: 0 }))).kind).toBe("protocol");
  });
});

it("a store that ignores Range gives one stream, tied to nothing", async () => {
  const { open } = over(
    () => new Response("0123456789", { headers: { etag: '"e"', "content-length": "10" } }),
  );
  const object = await open({ start: 3, end: 5 });
  expect(object.rangeable).toBe(false);
  expect(object.facts.pin).toBeUndefined();
  expect(object.facts.unversioned).toBe("the store ignores Range");
  expect(object.first?.range).toEqual({ start: 0, end: 10 });
});

it("an answer without a validator is tied to nothing, but for the version that was asked for", async () => {
  const { open } = over(
    () =>
      new Response(null, {
        headers: { "content-length": "10", "x-amz-version-id": "v of a store" },
      }),
  );
  const { facts } = await open("facts");
  expect(facts).toMatchObject({
    versionId: "v of a store",
    unversioned: "no entity tag and no modification date",
  });
  expect(facts.pin).toBeUndefined();
  const asked = (await open("facts", { version: "v" })).facts;
  expect(asked.pin).toEqual({ by: "version-id", value: "v" });
  expect(asked.unversioned).toBeUndefined();
});

describe("an object that is stored encoded", () => {
  const encoded = () =>
    new Response(null, { headers: { "content-length": "10", "content-encoding": "gzip" } });

  it("is passed on as stored", async () => {
    const { open } = over(encoded);
    expect((await open("facts")).facts.headers["content-encoding"]).toBe("gzip");
  });

  it("is refused where the platform's fetch would decode it", async () => {
    vi.stubGlobal("fetch", async () => encoded());
    try {
      const { open } = setUp({}, { fetch: undefined });
      expect((await failure(open("facts"))).kind).toBe("protocol");
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
