/**
 * Pages of keys by ListObjectsV2. Each page starts after a key, never from the store's token: so a page can be asked for
 * by any isolate, and a token given to a client says nothing about the store.
 */
import { ReadaheadError } from "../../errors.ts";
import { afterAll, compareUtf8 } from "../key-order.ts";
import type { ListPage, ListRequest } from "../source.ts";
import { readBoundedText } from "./bounded-text.ts";
import { parseS3Listing } from "./xml-answer.ts";

/** A page has at most 1,000 keys of at most 1,024 bytes, which percent-encoding may triple. */
const pageBytes = 8 * 1024 * 1024;
/** From its headers to its end. Stores make the page before its headers; what is left is a few hundred KiB to send. */
const pageMs = 10_000;

/** What listing needs of the store. */
export interface S3ListSeam {
  readonly keyPrefix: string;
  /** Sends GET on the bucket; resolves to a 200 or rejects. */
  send(query: readonly (readonly [string, string])[]): Promise<Response>;
}

/**
 * One page, in the order of the keys' UTF-8. Holds nothing up to `after`, and always gets past it: so paging ends.
 *
 * @throws ReadaheadError `protocol` when the answer is no page, `unavailable` when it does not come whole and in time, or
 * what the sender rejects with
 */
export async function listS3(
  prefix: string,
  request: ListRequest,
  seam: S3ListSeam,
): Promise<ListPage> {
  request.signal.throwIfAborted();
  const query: (readonly [string, string])[] = [
    ["list-type", "2"],
    ["encoding-type", "url"],
    ["max-keys", String(request.limit)],
    ["prefix", seam.keyPrefix + prefix],
  ];
  if (request.delimiter !== undefined) query.push(["delimiter", request.delimiter]);
  if (request.after !== undefined) query.push(["start-after", seam.keyPrefix + request.after]);
  const { body } = await seam.send(query);
  const bounds = { limitBytes: pageBytes, deadlineMs: pageMs, signal: request.signal };
  const text = body === null ? "" : await readBoundedText(body, bounds);
  if (text === undefined)
    throw new ReadaheadError("protocol", `Upstream's list of keys is over ${pageBytes} bytes`);
  const listing = parseS3Listing(text);
  const strip = (key: string): string => {
    if (!key.startsWith(seam.keyPrefix))
      throw new ReadaheadError("protocol", "Upstream listed a key outside of the prefix asked for");
    return key.slice(seam.keyPrefix.length);
  };
  // A store may ignore start-after, or take it to be included.
  const isNew = (end: string) => request.after === undefined || compareUtf8(end, request.after) > 0;
  const entries = listing.entries
    .map((entry) => ({ ...entry, key: strip(entry.key) }))
    .filter(({ key }) => isNew(key));
  const prefixes = listing.prefixes.map(strip).filter((rolled) => isNew(rolled + afterAll));
  // SeaweedFS 4.53 lists keys beside a prefix that begins or ends with two slashes; access may hang on the prefix.
  const isBelow = (key: string) => key.startsWith(prefix);
  const page = {
    entries: entries.filter(({ key }) => isBelow(key)),
    prefixes: prefixes.filter(isBelow),
  };
  if (!listing.truncated) return page;
  const ends = [
    entries.at(-1)?.key,
    prefixes.length > 0 ? `${prefixes.at(-1)}${afterAll}` : undefined,
  ];
  const next = ends
    .filter((end) => end !== undefined)
    .toSorted(compareUtf8)
    .at(-1);
  if (next === undefined)
    throw new ReadaheadError(
      "protocol",
      request.after === undefined
        ? "Upstream cut its list of keys short of the first one"
        : "Upstream's list of keys does not go on behind the key it was asked to start after",
    );
  return { ...page, next };
}
