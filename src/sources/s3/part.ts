/** Which bytes an S3 part has, and of how many there are. The bytes themselves are read by range, never by number. */
import { ReadaheadError } from "../../errors.ts";
import type { ByteRange } from "../../readahead/byte-range.ts";
import { parseContentRange } from "../../readahead/content-range.ts";
import { parseLength } from "../../readahead/verify.ts";

/** A part's place in its object. */
export interface LocatedPart {
  readonly range: ByteRange;
  /** Of the whole object. */
  readonly size: number;
  /** Parts of the upload, where the store says it. */
  readonly count: number | undefined;
  /** Headers of the answer that told. */
  readonly headers: Headers;
}

/**
 * Asks by HEAD, whose Content-Range tells; else by a GET whose body is not read.
 *
 * @param ask Asks for the part; resolves to a 200 or 206 (to HEAD also a 400) whose body is taken care of
 * @throws ReadaheadError `unsatisfiable` past the last part, `unsupported` where the store does not say, or what `ask`
 * rejects with
 */
export async function locateS3Part(
  part: number,
  ask: (method: "GET" | "HEAD") => Promise<Response>,
): Promise<LocatedPart> {
  let count: number | undefined;
  for (const method of ["HEAD", "GET"] as const) {
    const { status, headers } = await ask(method);
    count = parseLength(headers.get("x-amz-mp-parts-count")) ?? count;
    const { range, size } = parseContentRange(headers.get("content-range") ?? "") ?? {};
    if (range !== undefined && size !== undefined) return { range, size, count, headers };
    // MinIO's answer for an empty object: a 206 of nothing.
    if (status === 206 && part === 1 && parseLength(headers.get("content-length")) === 0)
      return { range: { start: 0, end: 0 }, size: 0, count: count ?? 1, headers };
    // Stores answer a HEAD with 200 anyhow; a GET's 200 is the whole object, the one part there is unless they said so.
    if (method === "HEAD" || status !== 200 || (count ?? 1) > 1) continue;
    const whole = parseLength(headers.get("content-length"));
    if (part > 1)
      throw new ReadaheadError("unsatisfiable", "The object has one part", {
        status,
        size: whole,
      });
    if (whole !== undefined)
      return { range: { start: 0, end: whole }, size: whole, count: 1, headers };
  }
  throw new ReadaheadError("unsupported", "Store does not say which bytes the part has");
}
