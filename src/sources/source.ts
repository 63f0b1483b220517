/**
 * The contract between the engine and a store. A new store is one file that implements {@link Source}, and its settings
 * in `config`.
 *
 * Who does what: the source knows addresses, signatures, encodings and headers, and checks every answer's headers
 * against what was asked. The engine decides when to ask, counts the bytes, cancels, and decides whether to ask
 * again; the source decides which replica is next. Every body handed over is read to its end or cancelled by the engine.
 */

import type { ReadaheadError } from "../errors.ts";
import type { ByteRange } from "../readahead/byte-range.ts";
import type { Observe } from "../readahead/events.ts";
import type { Layout } from "../readahead/layout.ts";
import type { Permits } from "../readahead/permits.ts";
import type { Reserve } from "../readahead/reserve.ts";

/** A store that opens keys. One instance per mount and isolate; holds no I/O objects of any request. */
export interface Source {
  /**
   * Opens one version of the object and, unless only facts are wanted, starts reading it with the same request.
   *
   * @param key Decoded key, relative to the mount, without a leading slash added by us
   * @throws ReadaheadError `not-found`, `denied`, `unsatisfiable` (with `size`), `throttled`, `unavailable`, `protocol`,
   * `key-missing`, `key-wrong`, `unsupported`
   */
  open(key: string, request: OpenRequest): Promise<OpenObject>;
  /** One page of keys in byte order of their UTF-8. A source without it answers "not supported". */
  list?(prefix: string, request: ListRequest): Promise<ListPage>;
}

/** What open() should read along: nothing, a stretch, or the last bytes. `end` absent: to the end of the object. */
export type Want =
  | "facts"
  | { readonly start: number; readonly end?: number }
  | { readonly suffix: number };

/** What every call of a source carries. */
export interface CallContext {
  readonly permits: Permits;
  /** Ends when the download does. Requests use the narrower signal that `permits.request` hands out. */
  readonly signal: AbortSignal;
  readonly observe: Observe;
}

/** An SSE-C key as the client sent it (header values, unchecked). */
export interface ClientKeys {
  readonly algorithm: string;
  /** Base64 of 32 bytes. Never logged. */
  readonly key: string;
  readonly keyMd5: string;
}

/** What open() is asked for. A version, part or key that a source knows nothing of is refused (`unsupported`), never ignored. */
export interface OpenRequest extends CallContext {
  readonly want: Want;
  /** The key as it stood in the URL, percent-encoding kept; absent where there was no URL. For stores behind a URL. */
  readonly rawKey?: string | undefined;
  /** Query to pass on, with its question mark; only where the mount says so. */
  readonly query?: string | undefined;
  /** Version id asked for by the client. */
  readonly version?: string | undefined;
  /** S3 part number asked for by the client, from 1. */
  readonly s3PartNumber?: number | undefined;
  readonly clientKeys?: ClientKeys | undefined;
  /** Asks a store that keeps checksums (S3) to name them among the facts' headers. */
  readonly checksums?: boolean | undefined;
  /**
   * The client's If-Match, else If-Unmodified-Since, and its If-None-Match, else If-Modified-Since; no other field. A
   * store may judge them early.
   */
  readonly conditions?: Headers | undefined;
  /**
   * Facts seen moments ago in this isolate. A source returns at once then, without a request and without `first`; every
   * later read is pinned, so a changed object shows as `changed` before headers are sent.
   */
  readonly known?: PinnedFacts | undefined;
}

/** How reads are tied to one version, strongest first (RFC 9110 13.1, 15.3.7.3). */
export type Pin =
  | { readonly by: "version-id"; readonly value: string }
  | { readonly by: "etag"; readonly value: string }
  | { readonly by: "last-modified"; readonly value: string };

/** What is known of one version of an object. Plain data: may be kept for the next request of the isolate. */
export interface Facts {
  /** Bytes; `undefined` when the store does not say. */
  readonly size: number | undefined;
  /** Entity tag as it goes on the wire: quoted, `W/` kept. */
  readonly etag?: string | undefined;
  /** Milliseconds since the epoch, whole seconds. */
  readonly lastModified?: number | undefined;
  readonly pin?: Pin | undefined;
  /** Why this version cannot be pinned: then one stream, window 1, no resume. Absent means pinned. */
  readonly unversioned?: string | undefined;
  readonly versionId?: string | undefined;
  /** Response headers to pass on (lower-case names), already filtered by the source: no length, range, validator or hop-by-hop ones. */
  readonly headers: Readonly<Record<string, string>>;
  /** S3: number of parts of a multipart upload, when asked with `s3PartNumber`. */
  readonly s3PartCount?: number | undefined;
}

/** Facts by which the version can be read without asking for it again. */
export type PinnedFacts = Facts & { readonly size: number; readonly pin: Pin };

/** A body: a stream (a byte stream where the platform gives one) or bytes already in memory. */
export type Body = ReadableStream<Uint8Array> | Uint8Array;

/** One answer with object bytes. Headers are checked; the engine counts the bytes. */
export interface Answer {
  readonly body: Body;
  readonly replica: string;
  /**
   * Trailing bytes not to be trusted until more has come or the read is whole: a store may end a broken body with the
   * text of its error (SeaweedFS: `not found`). Default 0.
   */
  readonly suspectTailBytes?: number | undefined;
  /**
   * Turns the body's bytes into the object's, in place and in order, as many as were read (decryption as a stream
   * cipher does it). Cheaper than a stream of the source's own: no second queue, no second copy (measured: half).
   */
  readonly decode?: ((bytes: Uint8Array<ArrayBuffer>) => Promise<void>) | undefined;
}

/** The answer that came with open(). It is part 0 whatever its length, and resumes through read(). */
export interface FirstAnswer extends Answer {
  /** Exactly the answer's Content-Range; `end` is `Infinity` when the length is unknown. */
  readonly range: ByteRange;
}

/** A stretch that the source stores as one. */
export interface StoredPiece {
  readonly kind: "stored";
  readonly range: ByteRange;
  /** Must be read in one go (cipher or gzip chunk): never cut into parts, resumed from its start inside the source. */
  readonly atomic?: boolean | undefined;
  /** Bytes the source holds in memory while it answers this piece; the engine takes them from the budget first. */
  readonly holdBytes?: number | undefined;
}

/** A stretch that needs no request: a hole, or bytes stored with the metadata. */
export type KnownPiece =
  | { readonly kind: "zeros"; readonly range: ByteRange }
  | { readonly kind: "literal"; readonly range: ByteRange; readonly bytes: Uint8Array };

/** A stretch of the object: one to be read, or one that needs no request. */
export type Piece = StoredPiece | KnownPiece;

/** One attempt at a part: what read() is told of the attempts before it. */
export interface ReadRequest extends CallContext {
  /** Replicas this part has tried in this pass: do not ask them again. */
  tried(replica: string): boolean;
  /** Replicas that were refused, reset or silent lately in this isolate: ask them last. */
  suspect(replica: string): boolean;
}

/** One version of an object, open for reading. */
export interface OpenObject<P extends StoredPiece = StoredPiece> {
  readonly facts: Facts;
  readonly first?: FirstAnswer | undefined;
  /** The store judged the client's conditions itself; then there is no `first`. */
  readonly verdict?: "not-modified" | "precondition-failed" | undefined;
  /**
   * Why no byte of it can be read with the key that the request brought (`key-missing`, `key-wrong`). Conditions and
   * ranges are judged first, as S3 does it; every read throws it too. A source may throw it from open() instead where the
   * request has no conditions.
   */
  readonly locked?: ReadaheadError | undefined;
  /** False: the store ignores Range, `first` is the whole object and the only stream. Default true. */
  readonly rangeable?: boolean | undefined;
  /** S3 part asked for by number, as a range of the object. */
  readonly s3Part?: ByteRange | undefined;
  /**
   * The largest `holdBytes` of any piece that the layout meets: taken before headers and kept to the end, so that the head
   * can always go on. `undefined`: no piece is held whole.
   */
  reserve?(layout: Layout): Reserve | undefined;
  /** The object's own stretches that meet `range`, in order, without gaps. Absent: the object is one piece. */
  pieces?(range: ByteRange, context: CallContext): AsyncIterable<P | KnownPiece>;
  /**
   * Upper bound of the requests that the pieces in `range` need: one for each piece, and what must be asked before it can
   * be read (lookups, manifests, keys). Asked for once for each range of an answer, before any part. May itself read what
   * the range needs anyway, where a guess is much of the `left` requests.
   */
  pieceCount?(range: ByteRange, left: number, context: CallContext): number | Promise<number>;
  /**
   * Reads `range`, which lies inside `piece`, from one replica.
   *
   * @throws ReadaheadError with `replica` and `alternatives`; `changed` when the version is gone
   */
  read(piece: P, range: ByteRange, request: ReadRequest): Promise<Answer>;
  /** Looks locations or tokens of the piece up again; resolves to whether anything changed. */
  refresh?(piece: P, context: CallContext): Promise<boolean>;
  /** Where the piece lies, for `?explain` (opaque replica names). */
  replicas?(piece: P, context: CallContext): Promise<readonly string[]>;
}

/** One page of keys. */
export interface ListRequest extends CallContext {
  /** Exclusive start key. */
  readonly after?: string | undefined;
  /** At most this many entries and prefixes together, 1 to 1000. */
  readonly limit: number;
  /** Keys are rolled up to the first occurrence after the prefix. */
  readonly delimiter?: string | undefined;
}

/** One key of a store, with what its listing tells. */
export interface ListEntry {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Entity tag, in quotes where the store's listing has them. */
  readonly etag?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly lastModified?: number | undefined;
  /** As S3 names it, `GLACIER` say; absent where the store has none. */
  readonly storageClass?: string | undefined;
}

/** A page of keys and of what was rolled up, each in byte order of UTF-8. May be empty although another one follows. */
export interface ListPage {
  readonly entries: readonly ListEntry[];
  /** Beginnings of keys up to their delimiter, which they end with; each stands for all keys that begin so. */
  readonly prefixes: readonly string[];
  /** The next request's `after`; absent on the last page. */
  readonly next?: string | undefined;
}
