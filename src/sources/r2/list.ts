/** One page of an R2 bucket's keys. */

import { orDisowned } from "../disown.ts";
import { afterAll, compareUtf8 } from "../key-order.ts";
import type { ListPage, ListRequest } from "../source.ts";
import type { R2BucketBinding } from "./binding.ts";
import { r2Error, r2Replica } from "./errors.ts";

/**
 * Lists by start key, not by cursor: a page can then be asked for by anyone who knows the last key of the page before.
 *
 * @throws ReadaheadError as R2's errors say
 */
export async function listR2(
  bucket: R2BucketBinding,
  prefix: string,
  request: ListRequest,
): Promise<ListPage> {
  request.signal.throwIfAborted();
  const page = await request.permits.request(
    { replica: r2Replica, purpose: "list" },
    async (signal) => {
      const listing = bucket.list({
        prefix,
        limit: request.limit,
        ...(request.after === undefined ? {} : { startAfter: request.after }),
        ...(request.delimiter === undefined ? {} : { delimiter: request.delimiter }),
      });
      try {
        return await orDisowned(listing, signal, () => undefined);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        throw r2Error(error);
      }
    },
  );
  const entries = page.objects.map((object) => ({
    key: object.key,
    size: object.size,
    etag: object.httpEtag,
    lastModified: Math.floor(object.uploaded.getTime() / 1000) * 1000,
  }));
  const next = page.truncated
    ? nextStart(page.objects.at(-1)?.key, page.delimitedPrefixes.at(-1))
    : undefined;
  return { entries, prefixes: page.delimitedPrefixes, ...(next === undefined ? {} : { next }) };
}

/**
 * The key after which the next page starts. After a rolled-up prefix that is past every key under it; a key that goes on
 * with U+10FFFF is the one thing this would skip.
 */
function nextStart(key: string | undefined, prefix: string | undefined): string | undefined {
  if (prefix === undefined) return key;
  const beyond = prefix + afterAll;
  return key === undefined || compareUtf8(key, beyond) < 0 ? beyond : key;
}
