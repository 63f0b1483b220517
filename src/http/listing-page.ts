/**
 * What is in a folder of a mount, as JSON: for scripts and people without an S3 client. Only where the mount says
 * `listing`, and its store can list.
 */
import { ReadaheadError } from "../errors.ts";
import type { Exchange } from "./exchange.ts";
import { listKeys } from "./list-keys.ts";
import { problemResponse, reasonOf, refuse } from "./problem.ts";

const mostKeys = 1000;

/**
 * One page: keys with size, entity tag and time, folders as prefixes, and `next` to be sent as `?after=`. A folder with
 * nothing in it is not found; the mount itself always is.
 *
 * @param folder Decoded key, "" or ending with a slash
 * @throws ReadaheadError `not-found`, and what the store refuses with
 */
export async function listingPage(exchange: Exchange, folder: string): Promise<Response> {
  const { mount, url, request, id } = exchange;
  const limit = readLimit(url.searchParams.get("limit"));
  if (limit === undefined) {
    const refusal = {
      ...refuse("bad-request"),
      detail: `limit must be a whole number from 1 to ${mostKeys}`,
    };
    exchange.noteRefusal(reasonOf(refusal));
    return problemResponse(refusal, id, request.method);
  }
  const after = url.searchParams.get("after") ?? undefined;
  const download = exchange.download();
  const page = await listKeys(mount.source, folder, { delimiter: "/", limit, after }, download);
  if (page === undefined) throw new ReadaheadError("not-found", "The store cannot list its keys");
  const { entries, prefixes, next } = page;
  const empty = entries.length === 0 && prefixes.length === 0 && next === undefined;
  if (empty && folder !== "" && after === undefined)
    throw new ReadaheadError("not-found", "There is no such folder");
  const keys = entries.map(({ key, size, etag, lastModified }) => ({
    key,
    size,
    etag,
    lastModified: lastModified === undefined ? undefined : new Date(lastModified).toISOString(),
  }));
  const text = `${JSON.stringify({ prefix: folder, keys, prefixes, next })}\n`;
  const headers = new Headers({
    "content-type": "application/json",
    "content-length": String(new TextEncoder().encode(text).byteLength),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": id,
  });
  return new Response(request.method === "HEAD" ? null : text, { headers });
}

/** From 1 to 1000, which is the default; `undefined` for anything else. */
function readLimit(text: string | null): number | undefined {
  if (text === null) return mostKeys;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= mostKeys ? limit : undefined;
}
