/**
 * What is asked of filers over HTTP: metadata of an entry, pages of a directory, bytes of remote-only entries, and
 * chunks by `proxyChunkId`. Several filers of one cluster answer alike; the next one is asked when one fails.
 */
import { ReadaheadError } from "../../errors.ts";
import type { ByteRange } from "../../readahead/byte-range.ts";
import { parseContentRange } from "../../readahead/content-range.ts";
import { parseHttpDate } from "../../readahead/http-date.ts";
import { statusError } from "../../readahead/verify.ts";
import { rangeHeader } from "../request-headers.ts";
import type { Facts, ReadRequest } from "../source.ts";
import { discard } from "../upstream.ts";
import type { Door } from "./door.ts";
import { type Entry, entryAt, parseEntry } from "./entry.ts";
import { type ListingPage, parseListingPage } from "./listing-page.ts";
import { encodePath } from "./name.ts";
import {
  type ClusterContext,
  ofReplica,
  type SeaweedfsFetch,
  send,
  sendForAll,
} from "./request.ts";
import { Servers, urlOf } from "./servers.ts";
import { askWithPass, credentials, filerPass, type Pass, type TokenSigner } from "./token.ts";

export interface FilerOptions {
  readonly urls: readonly URL[];
  readonly fetch: SeaweedfsFetch;
  readonly signer?: TokenSigner | undefined;
  /** Longest metadata answer, bytes. */
  readonly metadataBytes: number;
  readonly now: () => number;
}

export class Filer {
  readonly #options: FilerOptions;
  readonly #servers: Servers;
  readonly #pass: Pass;

  constructor(options: FilerOptions) {
    this.#options = options;
    this.#pass = filerPass(options.signer);
    this.#servers = new Servers(options.urls, options.now);
  }

  /**
   * The entry at a path; `undefined` where there is none.
   *
   * @throws ReadaheadError `denied`, `unavailable`, `protocol`, `unsupported` (a list too long for the isolate)
   */
  async entry(path: string, context: ClusterContext): Promise<Entry | undefined> {
    const text = await this.#text(`${encodePath(path)}?metadata=true`, "facts", context);
    return text === undefined ? undefined : entryAt(path, parseEntry(text));
  }

  /**
   * Up to so many entries of a directory, behind a name or ("") from the first; `undefined` where there is none.
   *
   * @param limitBytes Longer answers are refused with `unsupported`; default: as long as metadata may be
   */
  async page(
    path: string,
    names: number,
    after: string,
    context: ClusterContext,
    limitBytes?: number,
  ): Promise<ListingPage | undefined> {
    const last = after === "" ? "" : `&lastFileName=${encodeURIComponent(after)}`;
    const target = `${encodePath(path)}/?limit=${names}${last}`;
    const text = await this.#text(target, "list", context, limitBytes);
    return text === undefined ? undefined : parseListingPage(text);
  }

  /** The JSON text that a target answers with; `undefined` for 404. */
  #text(
    target: string,
    purpose: "facts" | "list",
    context: ClusterContext,
    limitBytes = this.#options.metadataBytes,
  ): Promise<string | undefined> {
    return this.#servers.ask(context, async (base, alternatives) => {
      const question = { url: urlOf(base, target), replica: base.host, purpose, alternatives };
      const answer = await askWithPass(this.#pass, (opening) => {
        const headers = { ...opening, accept: "application/json" };
        return sendForAll(this.#options.fetch, { ...question, headers }, context, limitBytes);
      });
      if (answer.status === 404) return undefined;
      if (answer.status === 200) return answer.text;
      throw statusError(answer, { replica: base.host });
    });
  }

  /**
   * Bytes of an entry through a filer that was not tried, for objects that only it can fetch.
   *
   * @throws ReadaheadError with `replica` and `alternatives`: `changed`, `unavailable`, `denied`, `protocol`
   */
  async read(
    path: string,
    range: ByteRange,
    facts: Pick<Facts, "size" | "lastModified">,
    request: ReadRequest,
  ): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly replica: string }> {
    const [base, ...others] = this.#servers
      .order(request)
      .filter(({ host }) => !request.tried(host));
    if (base === undefined)
      throw new ReadaheadError("unavailable", "Every filer was asked in vain");
    try {
      return await this.#readFrom(base, path, range, facts, request);
    } catch (error) {
      if (!(error instanceof ReadaheadError) || request.signal.aborted) throw error;
      throw ofReplica(error, base.host, others.length > 0);
    }
  }

  async #readFrom(
    base: URL,
    path: string,
    range: ByteRange,
    { size, lastModified }: Pick<Facts, "size" | "lastModified">,
    context: ClusterContext,
  ): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly replica: string }> {
    const replica = base.host;
    const response = await send(
      this.#options.fetch,
      {
        url: urlOf(base, encodePath(path)),
        replica,
        purpose: "read",
        // It may be fetching the object for up to 10 s: no sign of a hung server, and another filer would begin anew.
        alternatives: false,
        headers: {
          ...(await credentials(this.#pass)),
          range: rangeHeader(range),
          "accept-encoding": "identity",
        },
      },
      context,
    );
    try {
      if (response.status !== 206) throw statusError(response, { replica });
      const answered = parseContentRange(response.headers.get("content-range") ?? "");
      // The entity tag changes when the filer has cached the bytes; the time does not.
      const modified = parseHttpDate(response.headers.get("last-modified"));
      const same = answered?.size === size && (modified ?? lastModified) === lastModified;
      if (!same)
        throw new ReadaheadError("changed", "The object changed while it was read", { replica });
      const part = answered?.range;
      if (part?.start !== range.start || part.end !== range.end)
        throw new ReadaheadError("protocol", "The filer answered another range", { replica });
      if (response.body === null)
        throw new ReadaheadError("protocol", "The filer answered without a body", { replica });
      return { body: response.body, replica };
    } catch (error) {
      discard(response);
      throw error;
    }
  }

  /**
   * Doors of `?proxyChunkId=`, best first. The filer signs the volume server's token itself, and drops what it was sent;
   * 4.53 wants its own for that, 4.44 does not look at it.
   */
  chunkDoors(fid: string, context: ClusterContext): Door[] {
    const nameOf = (host: string) => `filer/${host}`;
    // A filer that is silent for a chunk may answer for metadata: the silence can be that of a volume server.
    const suspect = (host: string) =>
      context.suspect?.(host) === true || context.suspect?.(nameOf(host)) === true;
    return this.#servers.order({ suspect }).map((base) => ({
      replica: nameOf(base.host),
      url: urlOf(base, `/?proxyChunkId=${fid}&readDeleted=true`),
      direct: false,
      pass: this.#pass,
    }));
  }
}
