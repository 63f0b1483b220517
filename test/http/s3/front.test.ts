import { createHash } from "node:crypto";
import { XMLParser, XMLValidator } from "fast-xml-parser";
import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../../src/errors.ts";
import { createHttpSource } from "../../../src/sources/http.ts";
import type { Source } from "../../../src/sources/source.ts";
import { ramp } from "../../support/object-bytes.ts";
import {
  codeOf,
  createEndpoint,
  elsewhere,
  expectBytes,
  origin,
  setUp,
  size,
  whole,
} from "./support.ts";

describe("GetObject", () => {
  it("brings the object with its headers and S3's ids", async () => {
    const response = await setUp().ask("/media/key");
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "x/y",
      "accept-ranges": "bytes",
      "content-length": String(size),
      etag: '"v1"',
    });
    expect(response.headers.get("x-amz-request-id")).toBe(response.headers.get("x-request-id"));
    expect(response.headers.get("x-amz-id-2")).toBeTruthy();
    await expectBytes(response, 0, size);
  });

  it.each([
    ["bytes=0-9", 0, 10],
    ["bytes=1000-", 1000, size],
    ["bytes=-7", size - 7, size],
  ])("answers %s with 206", async (range, start, end) => {
    const response = await setUp().ask("/media/key", { headers: { range } });
    expect(response.status).toBe(206);
    expect(response.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/${size}`);
    await expectBytes(response, start, end);
  });

  it("takes headers that SDKs move into a presigned URL", async () => {
    const query = "x-amz-request-payer=requester&x-amz-expected-bucket-owner=123456789012";
    const response = await setUp().ask(`/media/key?${query}`, { presign: 60 });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
  });

  it("calls an archived object what it is", async () => {
    const archived = new ReadaheadError("unsupported", "Store answered 403 InvalidObjectState", {
      status: 403,
    });
    const source: Source = { open: () => Promise.reject(archived) };
    const response = await createEndpoint({ source }).ask("/media/key");
    expect([response.status, await codeOf(response)]).toEqual([403, "InvalidObjectState"]);
  });

  it("of part 1 is the object, over an origin that knows no parts", async () => {
    const endpoint = setUp();
    const { fetch } = endpoint.fake;
    const source = createHttpSource({ url: "https://store.example/bucket/", fetch });
    const parts = createEndpoint({ source });
    endpoint.fake.space.store("key", { content: ramp, size: 99 });
    await expectBytes(await parts.ask("/media/key?partNumber=1"), 0, 99);
    expect((await parts.ask("/media/key?partNumber=2")).status).toBe(501);
  });

  it("names no checksum of the whole beside a part, and counts parts only where one was asked for", async () => {
    const endpoint = setUp();
    const headers = { "x-amz-checksum-sha256": "c3Vt" };
    endpoint.fake.space.store("key", { content: ramp, size: 99, headers });
    endpoint.fake.setParts("key", [60, 39]);
    const ask = (path: string) =>
      endpoint.ask(path, { headers: { "x-amz-checksum-mode": "ENABLED" } });
    const part = await ask("/media/key?partNumber=2");
    expect(part.headers.get("x-amz-mp-parts-count")).toBe("2");
    expect(part.headers.has("x-amz-checksum-sha256")).toBe(false);
    await expectBytes(part, 60, 99);
    const all = await ask("/media/key");
    expect(all.headers.has("x-amz-mp-parts-count")).toBe(false);
    expect(all.headers.get("x-amz-checksum-sha256")).toBe("c3Vt");
    await expectBytes(all, 0, 99);
  });

  it("answers a presigned URL, again and again", async () => {
    const endpoint = setUp();
    for (let i = 0; i < 3; i++) {
      const response = await endpoint.ask("/media/key", { presign: 60 });
      expect(response.status).toBe(200);
      await expectBytes(response, 0, size);
    }
  });

  it.each(["a b", "a+b", "%41", "ü", "a//b", "~'()*!", "q?x&y=z", "h#", "日本/🙂"])(
    "finds the key %j",
    async (key) => {
      const endpoint = setUp();
      endpoint.fake.space.store(key, { content: ramp, size: 99 });
      const path = `/media/${key.split("/").map(encodeURIComponent).join("/")}`;
      for (const presign of [undefined, 60]) {
        const response = await endpoint.ask(path, presign === undefined ? {} : { presign });
        expect(response.status).toBe(200);
        await expectBytes(response, 0, 99);
      }
    },
  );

  it("says 304 and 412 as conditions have it, after the signature", async () => {
    const endpoint = setUp();
    const ask = async (headers: Record<string, string>) => endpoint.ask("/media/key", { headers });
    expect((await ask({ "if-none-match": '"v1"' })).status).toBe(304);
    const failed = await ask({ "if-match": '"v2"' });
    expect([failed.status, await codeOf(failed)]).toEqual([412, "PreconditionFailed"]);
    const unsigned = await endpoint.fetch(
      new Request(`${origin}/media/key`, { headers: { "if-none-match": '"v1"' } }),
    );
    expect(unsigned.status).toBe(403);
  });

  it.each([
    [{ "if-match": "v1" }, 206],
    [{ "if-match": "v0, v1" }, 206],
    [{ "if-match": '"v0",v1' }, 206],
    [{ "if-match": "*" }, 206],
    [{ "if-match": "v2" }, 412],
    [{ "if-match": 'v1"' }, 412],
    [{ "if-match": "W/v1" }, 412],
    [{ "if-match": "*, v2" }, 412],
    [{ "if-none-match": "v1" }, 304],
    [{ "if-none-match": "v0, v1" }, 304],
    [{ "if-none-match": "*" }, 304],
    [{ "if-none-match": 'W/"v1"' }, 304],
    [{ "if-none-match": "v2" }, 206],
    [{ "if-none-match": '"v1' }, 206],
  ])("takes entity tags without quotes: %j is %i", async (headers, status) => {
    const endpoint = setUp();
    const response = await endpoint.ask("/media/key", {
      headers: { ...headers, range: "bytes=0-9" },
    });
    expect(response.status).toBe(status);
    if (status === 206) await expectBytes(response, 0, 10);
    else await response.body?.cancel();
    const sent = endpoint.fake.seen.flatMap((request) => [
      ...(request.headers.get("if-match")?.split(/, ?/) ?? []),
      ...(request.headers.get("if-none-match")?.split(/, ?/) ?? []),
    ]);
    expect(sent.every((one) => one === "*" || one.includes('"'))).toBe(true);
  });

  it("sets the response headers that a signed request asks for, and no others", async () => {
    const endpoint = setUp();
    const query =
      "response-content-type=text%2Fplain&response-content-disposition=attachment&response-cache-control=no-cache";
    const response = await endpoint.ask(`/media/key?${query}`);
    expect(response.headers.get("content-type")).toBe("text/plain");
    expect(response.headers.get("content-disposition")).toBe("attachment");
    expect(response.headers.get("cache-control")).toBe("no-cache");
    await response.body?.cancel();
    const anonymous = await endpoint.fetch(new Request(`${origin}/open/key?${query}`));
    expect([anonymous.status, await codeOf(anonymous)]).toEqual([400, "InvalidRequest"]);
    const split = await endpoint.ask("/media/key?response-content-type=a%0d%0ab:c");
    expect([split.status, await codeOf(split)]).toEqual([400, "InvalidArgument"]);
  });

  it("sets an asked for type in the parts of several ranges, and keeps their framing", async () => {
    const headers = { range: "bytes=0-1,1000-1001" };
    const response = await setUp().ask(
      "/media/key?response-content-type=text%2Fplain%0d%0a&response-content-language=nl",
      { presign: 60, headers },
    );
    expect(response.status).toBe(206);
    expect(response.headers.get("content-language")).toBe("nl");
    const type = response.headers.get("content-type") ?? "";
    const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(type)?.[1];
    expect(boundary).toBeDefined();
    const parts = (await response.text()).split(`--${boundary}`).slice(1, -1);
    expect(parts.map((part) => /^\r\nContent-Type: (.*)\r\nContent-R/.exec(part)?.[1])).toEqual([
      "text/plain",
      "text/plain",
    ]);
  });

  it("sends the whole object where a coding is asked for beside several ranges, as S3 does", async () => {
    const headers = { range: "bytes=0-1,1000-1001" };
    const response = await setUp().ask("/media/key?response-content-encoding=gzip", { headers });
    expect([response.status, response.headers.get("content-encoding")]).toEqual([200, "gzip"]);
    expect(response.headers.get("content-type")).toBe("x/y");
    await expectBytes(response, 0, size);
  });

  it.each([
    ["response-content-type=text/plain", "identity"],
    ["response-content-type=text/plain&response-content-encoding=", "identity"],
    // In capitals for a client that would rather have another: see response.ts.
    ["response-content-type=text/plain&response-content-encoding=br", "BR"],
    ["response-content-type=video/mp4", null],
    ["response-content-type=", null],
  ])("keeps a range with %s from being compressed on the way", async (query, coding) => {
    const headers = { range: "bytes=0-9", "accept-encoding": "gzip" };
    const front = { headers, cf: { colo: "FRA" } };
    const response = await setUp().ask(`/media/key?${query}`, front);
    expect(response.status).toBe(206);
    expect(response.headers.get("content-encoding")).toBe(coding);
    await expectBytes(response, 0, 10);
  });

  it("lets an asked for Cache-Control win over the mount's, but not in a 304", async () => {
    const endpoint = setUp({ mount: { cacheControl: "no-store" } });
    const path = "/media/key?response-cache-control=max-age%3D9&response-expires=0";
    const response = await endpoint.ask(path);
    expect(response.headers.get("cache-control")).toBe("max-age=9");
    await response.body?.cancel();
    const same = await endpoint.ask(path, { headers: { "if-none-match": '"v1"' } });
    expect([same.status, same.headers.get("expires")]).toEqual([304, null]);
    expect(same.headers.get("cache-control")).toBe("no-store");
    const plain = await endpoint.ask("/media/key");
    expect(plain.headers.get("cache-control")).toBe("no-store");
    await plain.body?.cancel();
  });

  it("answers a part by its number, with their count", async () => {
    const endpoint = setUp();
    endpoint.fake.setParts("key", [200_000, 100_007]);
    const response = await endpoint.ask("/media/key?partNumber=2");
    expect(response.status).toBe(206);
    expect(response.headers.get("x-amz-mp-parts-count")).toBe("2");
    await expectBytes(response, 200_000, size);
    const none = await endpoint.ask("/media/key?partNumber=3");
    expect([none.status, await codeOf(none)]).toEqual([416, "InvalidPartNumber"]);
    for (const number of ["0", "10001", "x", ""]) {
      const wrong = await endpoint.ask(`/media/key?partNumber=${number}`);
      expect([wrong.status, await codeOf(wrong)]).toEqual([400, "InvalidArgument"]);
    }
    const both = await endpoint.ask("/media/key?partNumber=1", { headers: { range: "bytes=0-1" } });
    expect([both.status, await codeOf(both)]).toEqual([400, "InvalidRequest"]);
  });

  it.each([
    [undefined, "a stranger", 501],
    [undefined, "a key of another bucket", 501],
    [undefined, "a key of the bucket", 200],
    [true, "a stranger", 200],
    [true, "a key of the bucket", 200],
    [false, "a stranger", 501],
    [false, "a key of the bucket", 501],
  ])("with versions = %s answers versionId of %s with %i", async (versions, who, status) => {
    const endpoint = setUp({ mount: { versions } });
    const path = "/open/key?versionId=v7";
    const response =
      who === "a stranger"
        ? await endpoint.fetch(new Request(origin + path))
        : await endpoint.ask(path, { client: who === "a key of the bucket" ? whole : elsewhere });
    expect(response.status).toBe(status);
    if (status === 200) return expectBytes(response, 0, size);
    expect(await codeOf(response)).toBe("NotImplemented");
    expect(endpoint.fake.seen).toHaveLength(0);
  });

  it("hands versions and SSE-C keys on to the store", async () => {
    const endpoint = setUp();
    const key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    endpoint.fake.encrypt("key", key);
    const headers = {
      "x-amz-server-side-encryption-customer-algorithm": "AES256",
      "x-amz-server-side-encryption-customer-key": key,
      "x-amz-server-side-encryption-customer-key-md5": createHash("md5")
        .update(key, "base64")
        .digest("base64"),
    };
    const response = await endpoint.ask("/media/key?versionId=v7", { headers });
    await expectBytes(response, 0, size);
    expect(endpoint.fake.seen.every(({ url }) => url.endsWith("?versionId=v7"))).toBe(true);
    const without = await endpoint.ask("/media/key");
    expect([without.status, await codeOf(without)]).toEqual([400, "InvalidRequest"]);
    const { "x-amz-server-side-encryption-customer-key-md5": _, ...two } = headers;
    const incomplete = await endpoint.ask("/media/key", { headers: two });
    expect([incomplete.status, await codeOf(incomplete)]).toEqual([400, "InvalidArgument"]);
  });

  it("refuses an SSE-C key beside the MD5 of another, whatever the store holds", async () => {
    const name = "x-amz-server-side-encryption-customer-";
    const headers = {
      [`${name}algorithm`]: "AES256",
      [`${name}key`]: Buffer.alloc(32, 9).toString("base64"),
      [`${name}key-md5`]: createHash("md5").update(Buffer.alloc(32, 7)).digest("base64"),
    };
    const endpoint = setUp();
    const get = await endpoint.ask("/media/key", { headers });
    expect([get.status, await codeOf(get)]).toEqual([400, "InvalidArgument"]);
    const head = await endpoint.ask("/media/key", { method: "HEAD", headers });
    expect(head.status).toBe(400);
    expect(endpoint.fake.seen).toHaveLength(0);
  });

  it("refuses an SSE-C key of another length, and a part beyond the last that can be", async () => {
    const name = "x-amz-server-side-encryption-customer-";
    const key = Buffer.alloc(16, 9);
    const headers = {
      [`${name}algorithm`]: "AES256",
      [`${name}key`]: key.toString("base64"),
      [`${name}key-md5`]: createHash("md5").update(key).digest("base64"),
    };
    const endpoint = setUp();
    const short = await endpoint.ask("/media/key", { headers });
    expect([short.status, await codeOf(short)]).toEqual([400, "InvalidArgument"]);
    expect(endpoint.fake.seen).toHaveLength(0);
    const codes = [10_000, 10_001].map(async (part) =>
      codeOf(await endpoint.ask(`/media/key?partNumber=${part}`)),
    );
    expect(await Promise.all(codes)).toEqual(["InvalidPartNumber", "InvalidArgument"]);
  });

  it("names checksums only where the client asked, and only beside the whole object", async () => {
    const endpoint = setUp();
    endpoint.fake.space.store("sum", {
      content: ramp,
      size: 10,
      headers: { "x-amz-checksum-sha256": "c3Vt", "x-amz-checksum-type": "FULL_OBJECT" },
    });
    const ask = async (headers: Record<string, string>) => {
      const response = await endpoint.ask("/media/sum", { headers });
      await response.arrayBuffer();
      return response.headers.get("x-amz-checksum-sha256");
    };
    const enabled = { "x-amz-checksum-mode": "ENABLED" };
    expect(await ask(enabled)).toBe("c3Vt");
    expect(await ask({})).toBeNull();
    const before = endpoint.fake.seen.length;
    expect(await ask({ ...enabled, range: "bytes=0-3" })).toBeNull();
    expect(endpoint.fake.seen.slice(before).map(({ method }) => method)).toEqual(["GET"]);
  });

  it("words errors as S3 does, with nothing of the store in them", async () => {
    const endpoint = setUp();
    const missing = await endpoint.ask("/media/no <&> such");
    const text = await missing.text();
    expect(missing.status).toBe(404);
    expect(missing.headers.get("content-type")).toBe("application/xml");
    expect(XMLValidator.validate(text)).toBe(true);
    const { Error: error } = new XMLParser().parse(text);
    expect(error).toMatchObject({
      Code: "NoSuchKey",
      Key: "no <&> such",
      Resource: "/media/no%20%3C&%3E%20such",
      RequestId: missing.headers.get("x-amz-request-id"),
      HostId: missing.headers.get("x-amz-id-2"),
    });
    expect(text).not.toContain("s3.example");
    const range = await endpoint.ask("/media/key", { headers: { range: "bytes=999999-" } });
    expect(range.status).toBe(416);
    expect(await range.text()).toContain(`<ActualObjectSize>${size}</ActualObjectSize>`);
    const version = await endpoint.ask("/media/nothing?versionId=1");
    expect(await codeOf(version)).toBe("NoSuchVersion");
    endpoint.fake.space.always("key", { kind: "status", status: 403 });
    expect(await codeOf(await endpoint.ask("/media/key"))).toBe("AccessDenied");
  });
});

describe("HeadObject", () => {
  it("says what GET would, without a body", async () => {
    const endpoint = setUp();
    const response = await endpoint.ask("/media/key", { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe(String(size));
    expect(response.body).toBeNull();
    for (const [range, status, length, contentRange] of [
      ["bytes=0-9", 206, "10", `bytes 0-9/${size}`],
      // AWS's CRT clients ask so before they read the end of an object.
      ["bytes=-10", 206, "10", `bytes ${size - 10}-${size - 1}/${size}`],
      [`bytes=${size}-`, 416, null, `bytes */${size}`],
    ] as const) {
      const ranged = await endpoint.ask("/media/key", { method: "HEAD", headers: { range } });
      expect([ranged.status, ranged.body]).toEqual([status, null]);
      if (status === 206) expect(ranged.headers.get("content-length")).toBe(length);
      expect(ranged.headers.get("content-range")).toBe(contentRange);
    }
    const missing = await endpoint.ask("/media/nothing", { method: "HEAD" });
    expect([missing.status, missing.body]).toEqual([404, null]);
    const service = await endpoint.ask("/", { method: "HEAD" });
    expect([service.status, service.body]).toEqual([200, null]);
  });
});

describe("buckets", () => {
  it("say where they are", async () => {
    const endpoint = setUp();
    const head = await endpoint.ask("/media", { method: "HEAD" });
    expect([head.status, head.headers.get("x-amz-bucket-region")]).toEqual([200, "us-east-1"]);
    const location = await endpoint.ask("/media?location");
    expect(await location.text()).toContain("<LocationConstraint xmlns=");
  });
});
