/** What the handler knows of a mount, and the seams that other rooms fill: types only. */
import type { ReadaheadError } from "../errors.ts";
import type { Limits } from "../readahead/limits.ts";
import type { Source } from "../sources/source.ts";
import type { CorsPolicy } from "./cors.ts";
import type { Exchange } from "./exchange.ts";

/** What is decided on: whether a request may have a key of a mount. */
export interface AuthoriseRequest {
  readonly request: Request;
  readonly url: URL;
  readonly mount: Mount;
  /** Decoded key, the index object's name not yet added. */
  readonly key: string;
}

/** Says `undefined` for yes, or the error to answer with (`denied`, or `not-found` to reveal nothing). */
export type Authorise = (
  request: AuthoriseRequest,
) => ReadaheadError | undefined | Promise<ReadaheadError | undefined>;

/** A URL prefix tied to a source. */
export interface Mount {
  /** Shown on the front page and in records. */
  readonly name: string;
  /** Starts and ends with a slash, percent-encoded as in a URL. */
  readonly prefix: string;
  readonly source: Source;
  /** Overrides of the handler's limits. */
  readonly limits?: Partial<Limits> | undefined;
  /** Absent: no CORS headers. */
  readonly cors?: CorsPolicy | undefined;
  /** Replaces the store's Cache-Control on 200, 206 and 304. */
  readonly cacheControl?: string | undefined;
  /** Object answered for the mount itself and for keys that end with a slash, `index.html` say. */
  readonly index?: string | undefined;
  /**
   * Whether the mount's own path is asked of the source where there is no index object. Default false: an HTTP origin
   * has an answer to it, in other stores it would name no object, or a listing.
   */
  readonly root?: boolean | undefined;
  /**
   * Whether the mount itself and keys that end with a slash are answered with what is in them, as JSON. Needs a source
   * that lists; an index object goes first, where there is one. Default false.
   */
  readonly listing?: boolean | undefined;
  /** Whether `?download` sets Content-Disposition. Default true. */
  readonly download?: boolean | undefined;
  /** Whether `?explain` is answered, where the handler has an `explain`. Default false. */
  readonly explain?: boolean | undefined;
  /**
   * Whether `?versionId=` reaches the source. Default false: such a request is refused, never served another version. An
   * S3 front's default is true for whoever signed with a key of the bucket, false for strangers.
   */
  readonly versions?: boolean | undefined;
  /** Whether the query, without the names we reserve, reaches the source. Default false. */
  readonly passQuery?: boolean | undefined;
  /** Whether a 404 from a store with nothing at all in it says so (local buckets). Needs a source that lists. */
  readonly explainEmpty?: boolean | undefined;
  /** Absent: everything is public. */
  readonly authorise?: Authorise | undefined;
}

/** What a {@link Front} answers: for a mount, with everything an exchange gives, or by itself. */
export type Claim =
  | {
      readonly mount: Mount;
      /** The key's spelling in the URL; decoded by the front if it has rules of its own. */
      readonly rawKey: string;
      readonly answer: (exchange: Exchange) => Promise<Response>;
    }
  | { readonly mount?: undefined; readonly answer: (requestId: string) => Promise<Response> };

/**
 * A protocol that answers for its mounts in its own words (S3). Asked before any routing by path, so it may claim
 * hosts, and `/` for its list of buckets. Its mounts need not stand among the handler's.
 */
export interface Front {
  /**
   * Path prefixes that are the front's own; each begins and ends with a slash. A path below one, in whatever spelling a
   * store may know it, that the front did not claim is 404, unless a mount of the handler has that prefix, too. Read once,
   * by `createHandler`. Default: none.
   */
  readonly prefixes?: readonly string[] | undefined;
  /** @param prefixOf The prefix, of a mount of the handler or of a front, that a path lies below */
  claim(
    request: Request,
    url: URL,
    prefixOf: (path: string) => string | undefined,
  ): Claim | undefined;
}
