/** Origins that say one thing and mean another, as a client of the handler sees them. */
import { expect, it } from "vitest";
import { createHandler, type Handler } from "../../../src/http/handler.ts";
import { createObserver } from "../../../src/observe/observer.ts";
import { createHttpSource } from "../../../src/sources/http.ts";
import type { UpstreamInit } from "../../../src/sources/upstream.ts";
import { checkLeaks } from "../../support/leak-check.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";

checkLeaks();

interface Told {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array<ArrayBuffer>;
}

/** An origin as a function of method, range asked for, and request headers. */
type Script = (method: string, range: string | undefined, headers: Headers) => Told;

const size = 600_000;
const bytes = new Uint8Array(contentBytes(ramp, 0, size));

function handlerOver(script: Script, seen: string[] = []): Handler {
  const fetch = async (_url: string, { method, headers }: UpstreamInit): Promise<Response> => {
    const fields = new Headers(headers);
    const range = fields.get("range") ?? undefined;
    seen.push(`${method} ${range ?? ""}`.trim());
    const { status, headers: told, body } = script(method, range, fields);
    const bodyless = method === "HEAD" || status === 304;
    return new Response(bodyless ? null : (body ?? new Uint8Array(0)), { status, headers: told });
  };
  const source = createHttpSource({ url: "https://origin.example/", fetch });
  return createHandler({ mounts: [{ name: "o", prefix: "/", source }] });
}

async function ask(handle: Handler, method: string, headers: Record<string, string> = {}) {
  const response = await handle(new Request("https://edge.example/file", { method, headers }));
  const body = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, body };
}

function ranged(range: string | undefined, told: Record<string, string>, of = bytes): Told {
  const [, start = "0", end = ""] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  const last = Math.min(of.byteLength - 1, end === "" ? Infinity : Number(end));
  if (range === undefined) return { status: 200, headers: lengthOf(told, of), body: of };
  const body = of.slice(Number(start), last + 1);
  const contentRange = `bytes ${start}-${last}/${of.byteLength}`;
  return { status: 206, headers: { ...told, "content-range": contentRange }, body };
}

function lengthOf(told: Record<string, string>, of: Uint8Array): Record<string, string> {
  return { ...told, "content-length": String(of.byteLength) };
}

const tag = { etag: '"1"' };

it("a HEAD that promises ranges which no GET gives spoils no GET after it", async () => {
  const handle = handlerOver((method) => ({
    status: 200,
    headers: lengthOf({ ...tag, ...(method === "HEAD" && { "accept-ranges": "bytes" }) }, bytes),
    body: bytes,
  }));
  expect((await ask(handle, "HEAD")).status).toBe(200);
  const { status, body } = await ask(handle, "GET");
  expect(status).toBe(200);
  expect(Buffer.compare(body, bytes)).toBe(0);
});

it.each(["0", "1", "2024-01-01", "2024-01-01T00:00:00Z", "yesterday", "Thu, 01 Jan 1970"])(
  "a Last-Modified of %s pins no version: never a splice of two",
  async (date) => {
    const seen: string[] = [];
    const other = new Uint8Array(size).fill(2);
    const handle = handlerOver(
      (_method, range) => ranged(range, { "last-modified": date }, seen.length > 1 ? other : bytes),
      seen,
    );
    const { headers, body } = await ask(handle, "GET");
    expect(headers.get("last-modified")).toBeNull();
    // One answer, of one version: the whole of the second.
    expect(new Set(body).size).toBe(1);
    expect(body.byteLength).toBe(size);
  },
);

it("takes no size from a HEAD of another version", async () => {
  const handle = handlerOver((method, range) => {
    if (method === "HEAD")
      return { status: 200, headers: lengthOf({ etag: '"2"' }, bytes.slice(9)) };
    const told = ranged(range, tag);
    const star = told.headers["content-range"]?.replace(/\d+$/, "*");
    return star === undefined ? told : { ...told, headers: { ...tag, "content-range": star } };
  });
  const { status, body } = await ask(handle, "GET");
  expect(status).toBe(200);
  expect(Buffer.compare(body, bytes)).toBe(0);
});

it("reads an origin that dates an object and never names its size as one stream", async () => {
  const date = { "last-modified": "Mon, 02 Nov 2020 10:00:00 GMT" };
  const seen: string[] = [];
  const handle = handlerOver((method, range) => {
    if (method === "HEAD") return { status: 200, headers: lengthOf(date, bytes) };
    const told = ranged(range, date);
    const star = told.headers["content-range"]?.replace(/\d+$/, "*");
    return star === undefined ? told : { ...told, headers: { ...date, "content-range": star } };
  }, seen);
  const { status, headers, body } = await ask(handle, "GET");
  expect(status).toBe(200);
  expect(headers.get("content-length")).toBe(String(size));
  expect(Buffer.compare(body, bytes)).toBe(0);
  expect(seen).toHaveLength(3);
});

it("shows nobody what fields of an answer say that cannot be used", async () => {
  const secret = "http://db7.internal.corp:9000/p?token=topsecret";
  for (const told of [
    { "content-range": `bytes ${secret}` },
    { "content-range": `bytes 0-9/${size}`, "content-encoding": "db7.internal.corp" },
    { "content-range": `bytes 0-9/${size}`, "content-length": "db7.internal.corp" },
  ]) {
    const records: unknown[] = [];
    const fetch = async () =>
      new Response(bytes.slice(0, 10), { status: 206, headers: { ...tag, ...told } });
    const source = createHttpSource({ url: "https://origin.example/", fetch });
    const observer = createObserver({ write: (record) => records.push(record) });
    const handle = createHandler({ mounts: [{ name: "o", prefix: "/", source }], observer });
    const { status, body } = await ask(handle, "GET", { range: "bytes=0-9" });
    expect(status).toBe(502);
    const shown = new TextDecoder().decode(body) + JSON.stringify(records);
    expect(shown).toContain("protocol");
    expect(shown).not.toMatch(/db7|corp|topsecret/);
  }
});

it.each(["GET", "HEAD"])("passes no 304 or 412 on that %s did not ask for", async (method) => {
  for (const verdict of [304, 412]) {
    const handle = handlerOver(() => ({ status: verdict, headers: tag }));
    expect((await ask(handle, method)).status).toBe(502);
    const other = verdict === 304 ? { "if-match": "*" } : { "if-none-match": '"2"' };
    expect((await ask(handle, method, other)).status).toBe(502);
  }
});

it("lets the origin's verdict stand where it shows no validator", async () => {
  const both = { "if-unmodified-since": "Thu, 01 Jan 2026 00:00:00 GMT", "if-none-match": "*" };
  const failed = handlerOver(() => ({ status: 412, headers: {} }));
  expect((await ask(failed, "GET", both)).status).toBe(412);
  const unchanged = handlerOver(() => ({ status: 304, headers: {} }));
  const tags = { "if-match": '"1"', "if-none-match": '"1"' };
  expect((await ask(unchanged, "GET", tags)).status).toBe(304);
});

it.each([
  ["an end past its own", (_start: number, end: number) => end >= 1000],
  ["every range", () => true],
])("reads an origin that refuses %s as one stream", async (_what, refuses) => {
  const small = bytes.slice(0, 1000);
  for (const named of ["bytes */1000", undefined]) {
    for (const wanted of [undefined, "bytes=0-", "bytes=500-", "bytes=500-99999", "bytes=-100"]) {
      const handle = handlerOver((method, range) => {
        if (range === undefined || method === "HEAD")
          return { status: 200, headers: lengthOf(tag, small), body: small };
        const [, start = "", end = ""] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
        if (start !== "" && !refuses(Number(start), end === "" ? 0 : Number(end)))
          return ranged(range, tag, small);
        return { status: 416, headers: named === undefined ? {} : { "content-range": named } };
      });
      const { status, body } = await ask(
        handle,
        "GET",
        wanted === undefined ? {} : { range: wanted },
      );
      expect([wanted, named, status, body.byteLength]).toEqual([wanted, named, 200, 1000]);
    }
  }
});

it("still says 416 of a range that starts past the end", async () => {
  for (const named of ["bytes */1000", undefined]) {
    const small = bytes.slice(0, 1000);
    const handle = handlerOver((method, range) =>
      method === "HEAD"
        ? { status: 200, headers: lengthOf({ ...tag, "accept-ranges": "bytes" }, small) }
        : range === "bytes=0-1"
          ? ranged(range, tag, small)
          : { status: 416, headers: named === undefined ? {} : { "content-range": named } },
    );
    const { status, headers } = await ask(handle, "GET", { range: "bytes=1000-" });
    expect([status, headers.get("content-range")]).toEqual([416, "bytes */1000"]);
  }
});

it("reads what has an entity tag beyond ASCII as one stream", async () => {
  const seen: string[] = [];
  const handle = handlerOver((_method, range) => ranged(range, { etag: '"\xe9"' }), seen);
  const { status, body } = await ask(handle, "GET");
  expect(status).toBe(200);
  expect(Buffer.compare(body, bytes)).toBe(0);
  expect(seen).toEqual(["GET bytes=0-262143", "GET bytes=0-599999"]);
});
