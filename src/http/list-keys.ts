/** A page of a store's keys, asked for as patiently as an object. */
import type { Download } from "../readahead/download.ts";
import { patiently } from "../readahead/open.ts";
import type { CallContext, ListPage, ListRequest, Source } from "../sources/source.ts";

/**
 * @returns `undefined` where the source cannot list
 * @throws ReadaheadError the last failure; the download is over then
 */
export async function listKeys(
  source: Source,
  prefix: string,
  wish: Omit<ListRequest, keyof CallContext>,
  download: Download,
): Promise<ListPage | undefined> {
  const { permits, signal, observe } = download;
  try {
    return await patiently(
      async () => source.list?.(prefix, { ...wish, permits, signal, observe }),
      download,
    );
  } catch (error) {
    download.fail(error);
    throw error;
  }
}
