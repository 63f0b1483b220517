/** How a volume server of SeaweedFS 4.44 answers for one needle: ranges, encodings and conditions as recorded. */
import { gunzipSync } from "node:zlib";
import { crc32c } from "../../../src/sources/seaweedfs/crc32c.ts";
import type { Reply } from "./http-server.ts";

/** A stored needle. */
export interface FakeNeedle {
  /** Bytes as they lie, made when they are needed. */
  stored(): Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers of the stored gzip form, for a needle that is kept compressed. */
  readonly gzipHeaders?: Readonly<Record<string, string>> | undefined;
  /** Soft-deleted: only `readDeleted=true` brings it. */
  readonly deleted?: boolean;
}

/** Answers a GET. `range` and `acceptEncoding` are the request's headers. */
export function replyForNeedle(
  needle: FakeNeedle,
  range: string | undefined,
  acceptEncoding: string,
): Reply {
  const checksum = needle.headers === undefined ? checksumOf(needle) : {};
  const headers = withoutLength(needle.headers ?? checksum);
  const gzip = needle.gzipHeaders !== undefined;
  const raw = gzip && acceptEncoding.includes("gzip");
  const body = gzip && !raw ? gunzipSync(needle.stored()) : needle.stored();
  const shown = raw
    ? { ...checksum, ...withoutLength(needle.gzipHeaders ?? {}), "Content-Encoding": "gzip" }
    : headers;
  if (range === undefined) return { status: 200, headers: shown, body };
  return ranged(body, range, shown);
}

/** The ETag that every needle has: of its bytes as they lie, in both encodings. Larger ones go without: it costs CPU. */
function checksumOf(needle: FakeNeedle): Readonly<Record<string, string>> {
  const known = checksums.get(needle);
  if (known !== undefined) return known;
  const stored = needle.stored();
  const sum = () => crc32c(stored).toString(16).padStart(8, "0");
  const headers = stored.length > mostSummed ? {} : { Etag: `"${sum()}"` };
  checksums.set(needle, headers);
  return headers;
}

const checksums = new WeakMap<FakeNeedle, Readonly<Record<string, string>>>();
const mostSummed = 1024 * 1024;

/** A Range as the shared helper of filer and volume server takes it: its quirks included. */
function ranged(body: Buffer, range: string, headers: Readonly<Record<string, string>>): Reply {
  const total = body.length;
  const invalid: Reply = { status: 416, headers, body: "invalid range\n" };
  if (!range.startsWith("bytes=")) return invalid;
  const specs = range.slice(6).split(",");
  if (specs.length > 1) throw new Error("The fake cluster answers single ranges only");
  const match = /^(\d*)-(\d*)$/.exec(specs[0] ?? "");
  if (match === null) return invalid;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return invalid;
  const start = first === "" ? Math.max(0, total - Number(last)) : Number(first);
  const end = first === "" || last === "" ? total : Math.min(total, Number(last) + 1);
  if (start > total || (first !== "" && last !== "" && start > Number(last))) return invalid;
  return {
    status: 206,
    headers: { ...headers, "Content-Range": `bytes ${start}-${Math.max(start, end) - 1}/${total}` },
    body: body.subarray(start, end),
  };
}

function withoutLength(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept = { ...headers };
  for (const name of Object.keys(kept))
    if (/^(content-length|date|content-encoding|transfer-encoding)$/i.test(name)) delete kept[name];
  return kept;
}
