/** A request, an object and a fault -> the answer to play. Pure; a server and an in-process store play it. */
import { gzipStored } from "./gzip-stored.ts";
import type { Content } from "./object-bytes.ts";
import { contentBytes } from "./object-bytes.ts";
import type { Fault, StoredObject } from "./store-script.ts";

export interface StoreRequest {
  readonly method: string;
  readonly key: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What to send, and where it breaks. */
export interface PlannedAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly content: Content;
  /** Stretch of `content` that the body carries. */
  readonly start: number;
  readonly end: number;
  /** Body bytes after which the connection is reset or falls silent; absent: ends cleanly. */
  readonly breaks?: { readonly kind: "reset" | "stall"; readonly after: number } | undefined;
  readonly beforeHeaders?: "reset" | "stall" | undefined;
  readonly lateMs?: number | undefined;
  readonly trickle?: { readonly bytes: number; readonly everyMs: number } | undefined;
}

const nothing: Content = { kind: "bytes", bytes: new Uint8Array(0) };

export function planAnswer(
  request: StoreRequest,
  object: StoredObject | undefined,
  fault: Fault | undefined,
  date: number,
): PlannedAnswer {
  const plan = withoutFault(request, object, fault?.kind === "ignore-range", date);
  return fault === undefined ? plan : withFault(plan, fault);
}

function empty(status: number, headers: Record<string, string> = {}): PlannedAnswer {
  return {
    status,
    headers: status === 304 || status === 204 ? headers : { "content-length": "0", ...headers },
    content: nothing,
    start: 0,
    end: 0,
  };
}

function withoutFault(
  request: StoreRequest,
  object: StoredObject | undefined,
  ignoreRange: boolean,
  date: number,
): PlannedAnswer {
  if (object === undefined) return empty(404);
  if (request.method === "HEAD" && object.headStatus !== undefined) return empty(object.headStatus);
  const headers: Record<string, string> = { date: new Date(date).toUTCString(), ...object.headers };
  if (typeof object.etag === "string") headers["etag"] = object.etag;
  if (typeof object.lastModified === "number")
    headers["last-modified"] = new Date(object.lastModified).toUTCString();
  if (object.conditions !== false) {
    const status = judge(request.headers, object);
    if (status !== undefined) return empty(status, headers);
  }
  const { content, size } = object;
  const ranges = object.ranges !== false && !ignoreRange;
  if (ranges) headers["accept-ranges"] = "bytes";
  const total = (object.lengths ?? true) === true ? String(size) : "*";
  const wanted =
    ranges && request.method === "GET" ? parseRange(request.headers["range"], size) : undefined;
  if (wanted === "unsatisfiable")
    return empty(416, { date: headers["date"] ?? "", "content-range": `bytes */${size}` });
  const { start, end } = wanted ?? { start: 0, end: size };
  if (object.lengths !== false) headers["content-length"] = String(end - start);
  if (request.method === "HEAD" && object.headLength !== undefined)
    headers["content-length"] = String(object.headLength);
  if (wanted === undefined) return { status: 200, headers, content, start, end };
  headers["content-range"] = `bytes ${start}-${end - 1}/${total}`;
  return { status: 206, headers, content, start, end };
}

function parseRange(
  text: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(text ?? "");
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const suffix = Number(last);
    if (suffix === 0 || size === 0) return "unsatisfiable";
    return { start: Math.max(0, size - suffix), end: size };
  }
  const start = Number(first);
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size : Math.min(size, Number(last) + 1) };
}

/** RFC 9110 13.2.2 for an existing object. */
function judge(
  headers: Readonly<Record<string, string>>,
  object: StoredObject,
): number | undefined {
  const { etag, lastModified } = object;
  const match = headers["if-match"];
  const tags = (text: string) => text.split(",").map((tag) => tag.trim());
  if (match !== undefined) {
    const strong = typeof etag === "string" && !etag.startsWith("W/") && tags(match).includes(etag);
    if (match !== "*" && !strong) return 412;
  } else {
    const until = Date.parse(headers["if-unmodified-since"] ?? "");
    if (typeof lastModified === "number" && lastModified > until) return 412;
  }
  const noneMatch = headers["if-none-match"];
  if (noneMatch !== undefined) {
    const opaque = (tag: string) => tag.replace(/^W\//, "");
    const known = typeof etag === "string" ? opaque(etag) : undefined;
    const met = noneMatch === "*" || tags(noneMatch).some((tag) => opaque(tag) === known);
    return met ? 304 : undefined;
  }
  const since = Date.parse(headers["if-modified-since"] ?? "");
  return typeof lastModified === "number" && lastModified <= since ? 304 : undefined;
}

function withFault(plan: PlannedAnswer, fault: Fault): PlannedAnswer {
  const length = plan.end - plan.start;
  const { "content-length": _, ...unframed } = plan.headers;
  switch (fault.kind) {
    case "status":
      return empty(fault.status, { ...fault.headers });
    case "ignore-range":
    case "changed":
      return plan;
    case "wrong-range": {
      if (plan.status !== 206) return plan;
      const start = Math.max(0, plan.start + fault.shift);
      const end = start + length;
      const size = plan.headers["content-range"]?.split("/")[1] ?? "*";
      const range = `bytes ${start}-${end - 1}/${size}`;
      return { ...plan, start, end, headers: { ...plan.headers, "content-range": range } };
    }
    case "no-content-range": {
      const { "content-range": __, ...headers } = plan.headers;
      return { ...plan, headers };
    }
    case "short":
      return { ...plan, headers: unframed, end: Math.max(plan.start, plan.end - fault.bytes) };
    case "long":
      return { ...plan, headers: unframed, end: plan.end + fault.bytes };
    case "gzip": {
      const bytes = gzipStored(contentBytes(plan.content, plan.start, plan.end));
      const headers = {
        ...plan.headers,
        "content-encoding": "gzip",
        "content-length": String(bytes.length),
      };
      return { ...plan, headers, content: { kind: "bytes", bytes }, start: 0, end: bytes.length };
    }
    case "multipart":
      return {
        ...plan,
        headers: { ...unframed, "content-type": "multipart/byteranges; boundary=b" },
      };
    case "reset":
      if (fault.after === "before-headers") return { ...plan, beforeHeaders: "reset" };
      return { ...plan, breaks: { kind: "reset", after: bounded(fault.after, length) } };
    case "stall":
      if (fault.after === "before-headers") return { ...plan, beforeHeaders: "stall" };
      return { ...plan, breaks: { kind: "stall", after: bounded(fault.after, length) } };
    case "trickle":
      return { ...plan, trickle: fault };
    case "late-headers":
      return { ...plan, lateMs: fault.ms };
    default:
      return fault satisfies never;
  }
}

/** A break leaves at least one byte owed: else it would be a clean answer. */
function bounded(after: number | "last-byte", length: number): number {
  const last = Math.max(0, length - 1);
  return after === "last-byte" ? last : Math.min(after, last);
}
