/**
 * SeaweedFS, read where its bytes lie: the filer tells the chunk list once, the master where volumes are, and every
 * chunk comes from a volume server, past the filer and the S3 gateway.
 *
 * The way of a key: name -> entry (versions resolved) -> keys checked -> pieces (visible stretches of chunks, holes, bytes
 * stored with the entry) -> a replica -> its needle, ranged or whole -> volume cipher, gzip, server-side encryption undone.
 * Cold, the first byte is three round trips away: filer, master, volume server. With the volume known it is two, with the
 * metadata known one.
 *
 * What it does not do: retry, resume, count or order bytes (the engine's), write anything, speak gRPC.
 *
 * File ids never change what they name, so every object is pinned: an old chunk list reads old bytes or fails.
 */
import { ReadaheadError } from "../../errors.ts";
import type { Permits } from "../../readahead/permits.ts";
import type { ListPage, ListRequest, OpenObject, OpenRequest, Source, Want } from "../source.ts";
import { type Cluster, createCluster } from "./cluster.ts";
import { type Entry, isObject } from "./entry.ts";
import { isFolderMarker, markerSize } from "./listed-entry.ts";
import { listKeys } from "./listing.ts";
import { bucketOfPath, isHiddenPath, normalizeS3Key, pathOfKey } from "./name.ts";
import { openEntry } from "./open-object.ts";
import { resolveOptions, type SeaweedfsOptions } from "./options.ts";
import type { ClusterContext } from "./request.ts";
import { type EntryReader, keepsVersions, resolveVersion, unlessDeleted } from "./versions.ts";

export type { EtagStyle } from "./facts.ts";
export type { SeaweedfsOptions } from "./options.ts";
export type { SeaweedfsFetch } from "./request.ts";
export type { AwsKmsOptions } from "./sse/kms-aws.ts";
export type { VaultOptions } from "./sse/kms-vault.ts";

/**
 * A source over one SeaweedFS cluster. Keep one per mount and isolate: it remembers locations and recent metadata.
 *
 * @throws TypeError or RangeError for options that cannot work
 * @example
 * const source = createSeaweedfsSource({ filer: "http://filer:8888/", master: "http://master:9333/" });
 */
export function createSeaweedfsSource(options: SeaweedfsOptions): Source {
  return new SeaweedfsSource(createCluster(resolveOptions(options)));
}

class SeaweedfsSource implements Source {
  readonly #cluster: Cluster;
  readonly #entries: EntryReader;
  /** What each download has opened, by its permits. */
  readonly #opened = new WeakMap<Permits, Opened>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#entries = {
      entry: (path, context) => this.#entry(path, context),
      page: (...asked) => cluster.filer.page(...asked),
    };
  }

  async open(name: string, request: OpenRequest): Promise<OpenObject> {
    request.signal.throwIfAborted();
    const key = this.#cluster.options.s3Names ? normalizeS3Key(name) : name;
    if (key === name || this.#visiblePath(key) === undefined) return this.#open(key, request);
    try {
      // A gateway with -allowBackslashInKey stores backslashes as they are.
      return await this.#open(name, request);
    } catch (error) {
      if (!(error instanceof ReadaheadError) || error.kind !== "not-found") throw error;
      return this.#open(key, request);
    }
  }

  async #open(key: string, request: OpenRequest): Promise<OpenObject> {
    if (this.#cluster.options.s3Names && key.endsWith("/"))
      return this.#openMarker(key.split("/").filter(Boolean).join("/"), request);
    const before = this.#opened.get(request.permits);
    if (before !== undefined && isSame(before, key, request)) {
      checkStart(request.want, before.object.facts.size ?? 0);
      return before.object;
    }
    const path = this.#visiblePath(key);
    if (path === undefined) throw notFound();
    const entry = await this.#resolve(path, request);
    if (entry === undefined || !isObject(entry)) throw notFound();
    checkStart(request.want, entry.size);
    const object = await openEntry(entry, this.#cluster, request);
    const { version, s3PartNumber, clientKeys } = request;
    if (request.want !== "facts") {
      const start = startOf(request.want, entry.size);
      this.#opened.set(request.permits, { key, version, s3PartNumber, clientKeys, start, object });
    }
    return object;
  }

  /** A page is walked from the filer's directories: see listing.ts. */
  list(prefix: string, request: ListRequest): Promise<ListPage> {
    return listKeys(this.#cluster.options, this.#entries, prefix, request);
  }

  /** A folder that was put as a key: an object of the bytes put with it, most often none. */
  async #openMarker(folder: string, request: OpenRequest): Promise<OpenObject> {
    const path = this.#visiblePath(folder);
    if (path === undefined) throw notFound();
    // As for other keys: a bucket without versions has none by an id.
    if ((request.version ?? "null") !== "null" && !(await this.#keepsVersions(path, request)))
      throw notFound();
    const entry = await this.#entry(path, request);
    if (entry === undefined || !isFolderMarker(entry, this.#cluster.options)) throw notFound();
    const marker = { ...entry, size: markerSize(entry) };
    checkStart(request.want, marker.size);
    return openEntry(marker, this.#cluster, request);
  }

  async #keepsVersions(path: string, context: ClusterContext): Promise<boolean> {
    const { bucketsFolder, versioned } = this.#cluster.options;
    const bucket = versioned ? bucketOfPath(bucketsFolder, path)?.bucket : undefined;
    return bucket !== undefined && keepsVersions(await this.#entry(bucket, context));
  }

  /** The filer path of a key, where it can be one of this mount. */
  #visiblePath(key: string): string | undefined {
    const { options } = this.#cluster;
    const path = pathOfKey(options.root, key);
    return path === undefined || isHiddenPath(options, path) ? undefined : path;
  }

  /**
   * Below a bucket the key means its latest version. A mount of the filer's own paths names entries, so there the entry
   * of that very path goes first.
   */
  async #resolve(path: string, request: OpenRequest): Promise<Entry | undefined> {
    const { bucketsFolder, s3Names, versioned } = this.#cluster.options;
    const bucket = bucketOfPath(bucketsFolder, path);
    if (!versioned || bucket === undefined || bucket.key === "") return this.#entry(path, request);
    if (!s3Names && request.version === undefined) {
      const plain = await this.#entry(path, request);
      if (plain !== undefined && isObject(plain)) return unlessDeleted(plain);
    }
    return resolveVersion(bucket.bucket, path, request.version, this.#entries, request);
  }

  async #entry(path: string, context: ClusterContext): Promise<Entry | undefined> {
    const { entries, filer, lists } = this.#cluster;
    const kept = entries.get(path);
    if (kept !== undefined) return kept.entry;
    const found = await filer.entry(path, context);
    // What is not there may be there in a moment; only buckets and objects that exist are remembered.
    if (found === undefined) return undefined;
    const entry = { ...found, chunks: lists.share(path, found.chunks) };
    entries.set(path, entry);
    return entry;
  }
}

/**
 * An object that a download opened. Opening answers without bytes here, and then the handler asks once more, with the
 * range it decided on: where that starts at the same byte, it costs no request and no parsing. One download reads one
 * version, so what it opened stays what it is for it.
 */
interface Opened extends Pick<OpenRequest, "version" | "s3PartNumber" | "clientKeys"> {
  readonly key: string;
  /** The memory to reserve was found for reading from here on. */
  readonly start: number;
  readonly object: OpenObject;
}

function isSame(opened: Opened, key: string, request: OpenRequest): boolean {
  return (
    opened.key === key &&
    opened.version === request.version &&
    opened.s3PartNumber === request.s3PartNumber &&
    opened.clientKeys === request.clientKeys &&
    opened.start === startOf(request.want, opened.object.facts.size ?? 0)
  );
}

function startOf(want: Want, size: number): number {
  if (want === "facts") return 0;
  return "suffix" in want ? Math.max(0, size - want.suffix) : want.start;
}

function checkStart(want: Want, size: number): void {
  if (want === "facts" || "suffix" in want || want.start < size || want.start === 0) return;
  throw new ReadaheadError("unsatisfiable", "The range starts past the object's end", {
    size,
  });
}

function notFound(): ReadaheadError {
  return new ReadaheadError("not-found", "There is no such object");
}
