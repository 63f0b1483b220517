/** One page of an R2 bucket's keys. */

import { ReadaheadError } from "../../errors.ts";
import { afterAll, compareUtf8 } from "../key-order.ts";
import type { ListPage, ListRequest } from "../source.ts";
import { type R2BucketBinding, type R2ObjectList, uploadedAt } from "./binding.ts";
import { call } from "./call.ts";

/**
 * Lists by start key, so that a page can be asked for by anyone who knows the last key of the page before. R2's cursor is
 * used only to get past empty pages, within one call.
 *
 * @throws ReadaheadError as R2's errors say; `protocol` for an empty page that does not lead on
 */
export async function listR2(
  bucket: R2BucketBinding,
  prefix: string,
  request: ListRequest,
): Promise<ListPage> {
  request.signal.throwIfAborted();
  let page = await onePage(bucket, prefix, request);
  // Truncated says whether there is more, not whether anything is here (R2's reference of list()).
  while (page.truncated && page.objects.length + page.delimitedPrefixes.length === 0) {
    const { cursor } = page;
    if (cursor !== undefined) page = await onePage(bucket, prefix, request, cursor);
    if (cursor === undefined || page.cursor === cursor)
      throw new ReadaheadError("protocol", "R2 cut its list of keys short of the first one");
  }
  const entries = page.objects.map((object) => ({
    key: object.key,
    size: object.size,
    etag: object.httpEtag,
    lastModified: uploadedAt(object),
  }));
  const next = page.truncated
    ? nextStart(page.objects.at(-1)?.key, page.delimitedPrefixes.at(-1))
    : undefined;
  return { entries, prefixes: page.delimitedPrefixes, next };
}

function onePage(
  bucket: R2BucketBinding,
  prefix: string,
  request: ListRequest,
  cursor?: string,
): Promise<R2ObjectList> {
  const { after, limit, delimiter } = request;
  const options = {
    prefix,
    limit,
    ...(after !== undefined && cursor === undefined && { startAfter: after }),
    ...(cursor !== undefined && { cursor }),
    ...(delimiter !== undefined && { delimiter }),
  };
  return call(
    request,
    "list",
    () => bucket.list(options),
    () => undefined,
  );
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
