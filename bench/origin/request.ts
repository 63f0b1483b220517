/**
 * The part of HTTP/1.1 that the benchmark origin needs: a request head, and what it asks of a ramp object.
 *
 * Objects exist by their name: `/p/<profile>/ramp/<bytes>/<anything>` is that many bytes of the ramp of period 251, with
 * a strong ETag. Only what Workers, nginx, Traffic Server and curl send is understood; no bodies, no transfer codings.
 */

/** One request head. Header names are lower case. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
}

/** Parses the head without its final empty line; `undefined` when it is not HTTP/1. */
export function parseRequestHead(text: string): RequestHead | undefined {
  const lines = text.split("\r\n");
  const [method, target, version] = (lines[0] ?? "").split(" ");
  if (method === undefined || target === undefined || !version?.startsWith("HTTP/1."))
    return undefined;
  const headers = new Map<string, string>();
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const path = target.startsWith("/") ? target : new URL(target).pathname;
  return { method, path, headers };
}

/** What conditions and ranges are judged by. */
export interface SizedObject {
  readonly size: number;
  readonly etag: string;
}

/** The object a path names. */
export interface RampObject extends SizedObject {
  readonly profile: string;
}

export function parsePath(path: string): RampObject | undefined {
  const match = /^\/p\/([^/]+)\/ramp\/(\d+)(?:[/?].*)?$/.exec(path);
  const profile = match?.[1];
  const digits = match?.[2];
  if (profile === undefined || digits === undefined) return undefined;
  return { profile, size: Number(digits), etag: `"ramp-${digits}"` };
}

/** What to answer: status and, for 200 and 206, the bytes `start` up to `end`. */
export interface Decision {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly start: number;
  readonly end: number;
}

/** RFC 9110: conditions first (13.2.2), then one range; several ranges are answered with the whole, as 14.2 allows. */
export function decide(head: RequestHead, object: SizedObject): Decision {
  const { size, etag } = object;
  const whole: Decision = { status: 200, start: 0, end: size };
  const ifMatch = head.headers.get("if-match");
  if (ifMatch !== undefined && ifMatch !== "*" && !ifMatch.split(/,\s*/).includes(etag))
    return { status: 412, start: 0, end: 0 };
  const ifNoneMatch = head.headers.get("if-none-match");
  if (ifNoneMatch !== undefined && (ifNoneMatch === "*" || ifNoneMatch.includes(etag)))
    return { status: 304, start: 0, end: 0 };
  const range = head.headers.get("range");
  if (range === undefined || head.method !== "GET") return whole;
  const ifRange = head.headers.get("if-range");
  if (ifRange !== undefined && ifRange !== etag) return whole;
  const match = /^bytes=(\d*)-(\d*)$/.exec(range);
  if (match === null || (match[1] === "" && match[2] === "")) return whole;
  const start = match[1] === "" ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === "" || match[2] === "" ? size : Math.min(size, Number(match[2]) + 1);
  if (start >= size || start >= end) return { status: 416, start: 0, end: 0 };
  return { status: 206, start, end };
}

const reasons: Readonly<Record<number, string>> = {
  200: "OK",
  206: "Partial Content",
  304: "Not Modified",
  404: "Not Found",
  405: "Method Not Allowed",
  412: "Precondition Failed",
  416: "Range Not Satisfiable",
  503: "Service Unavailable",
};

/** The response head. max-age lets the caching peers cache, which Traffic Server's prefetch needs. */
export function formatResponseHead(decision: Decision, object: SizedObject): string {
  const { status, start, end } = decision;
  let head = `HTTP/1.1 ${status} ${reasons[status]}\r\nETag: ${object.etag}\r\n`;
  if (status === 206) head += `Content-Range: bytes ${start}-${end - 1}/${object.size}\r\n`;
  if (status === 416) head += `Content-Range: bytes */${object.size}\r\n`;
  if (status !== 304) head += `Content-Length: ${end - start}\r\n`;
  return `${head}Content-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\nCache-Control: public, max-age=3600\r\nLast-Modified: Thu, 01 Oct 2026 00:00:00 GMT\r\n\r\n`;
}

/** A response without a body worth reading. */
export function formatRefusal(status: number, extra = ""): string {
  return `HTTP/1.1 ${status} ${reasons[status] ?? "Refused"}\r\nContent-Length: 0\r\n${extra}\r\n`;
}

/** A small answer in one piece. */
export function formatDocument(json: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`;
}
