/**
 * Pages of keys, walked through the filer's directories in the order of the keys' UTF-8.
 *
 * A page asks the filer a bounded number of questions: where many directories are empty or small it ends early, and
 * says where the next one starts. Directories that a delimiter rolls up are not looked into, so an empty one is told as
 * a prefix, as the S3 gateway tells it.
 */
import { afterAll, compareUtf8 } from "../key-order.ts";
import type { ListEntry, ListPage, ListRequest } from "../source.ts";
import { Directory } from "./directory.ts";
import type { Entry } from "./entry.ts";
import {
  type Item,
  type ItemRules,
  isFolderMarker,
  isHidden,
  type Listed,
  markerOf,
} from "./listed-entry.ts";
import { bucketOfPath, isHiddenPath } from "./name.ts";
import type { ResolvedOptions } from "./options.ts";
import { type EntryReader, keepsVersions } from "./versions.ts";

/** Fits the 50 subrequests of the smallest plan, with some left for the answer's other needs. */
const questionsPerPage = 40;

/**
 * One page of keys that begin with the prefix.
 *
 * @param reader Asks the filer; every question is a permitted request
 * @throws ReadaheadError `denied` (the filer shows no directories), `unavailable`, `protocol`
 */
export function listKeys(
  options: ResolvedOptions,
  reader: EntryReader,
  prefix: string,
  request: ListRequest,
): Promise<ListPage> {
  request.signal.throwIfAborted();
  return new Walk(options, reader, prefix, request).page();
}

/** A directory on the way, and the keys' common beginning in it. */
interface Frame {
  readonly directory: Directory;
  readonly keyPrefix: string;
}

class Walk {
  readonly #options: ResolvedOptions;
  readonly #reader: EntryReader;
  readonly #prefix: string;
  readonly #request: ListRequest;
  readonly #after: string;
  readonly #stack: Frame[] = [];
  readonly #entries: ListEntry[] = [];
  readonly #prefixes: string[] = [];
  readonly #buckets = new Map<string, Entry | undefined>();
  /** Every key up to here was told, or is none. */
  #position: string;
  #advanced = false;
  #questions = 0;
  #full = false;

  constructor(options: ResolvedOptions, reader: EntryReader, prefix: string, request: ListRequest) {
    this.#options = options;
    this.#prefix = prefix;
    this.#request = request;
    this.#after = (request.after ?? "").toWellFormed();
    this.#position = this.#after;
    this.#reader = {
      entry: (...asked) => {
        this.#questions += 1;
        return reader.entry(...asked);
      },
      page: (...asked) => {
        this.#questions += 1;
        return reader.page(...asked);
      },
    };
  }

  async page(): Promise<ListPage> {
    await this.#begin();
    for (;;) {
      const frame = this.#stack.at(-1);
      if (
        this.#full ||
        (frame !== undefined && this.#questions >= questionsPerPage && this.#advanced)
      )
        return { entries: this.#entries, prefixes: this.#prefixes, next: this.#position };
      if (frame === undefined) return { entries: this.#entries, prefixes: this.#prefixes };
      const item = await frame.directory.next();
      if (item !== undefined) await this.#visit(frame, item);
      else {
        this.#stack.pop();
        if (frame.keyPrefix !== "") this.#reach(frame.keyPrefix + afterAll);
      }
    }
  }

  /** Goes to the directory that the prefix names, and on to where the page starts. */
  async #begin(): Promise<void> {
    const prefix = this.#prefix;
    const after = this.#after;
    if (prefix.includes("\0") || !prefix.isWellFormed()) return;
    const resumes = after.startsWith(prefix);
    if (!resumes && compareUtf8(after, prefix) > 0) return;
    const slash = prefix.lastIndexOf("/") + 1;
    const keyPrefix = prefix.slice(0, slash);
    const segments = keyPrefix.split("/").slice(0, -1);
    if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) return;
    const path = [this.#options.root, ...segments].join("/");
    if (keyPrefix !== "" && !(await this.#isVisible(path, segments))) return;
    const from = resumes ? after.slice(slash) : "";
    await this.#enter(path, keyPrefix, prefix.slice(slash), from);
    if (prefix === keyPrefix && keyPrefix !== "" && !resumes) await this.#addOwnMarker(path);
  }

  /** A file answers a listing with its bytes, so what a client names is looked at first. */
  async #isVisible(path: string, segments: readonly string[]): Promise<boolean> {
    let parent = this.#options.root;
    for (const segment of segments) {
      if (isHidden(segment, await this.#rulesOf(parent))) return false;
      parent += `/${segment}`;
    }
    return this.#isDirectory(path);
  }

  async #isDirectory(path: string): Promise<boolean> {
    return (await this.#reader.entry(path, this.#request))?.directory === true;
  }

  async #addOwnMarker(path: string): Promise<void> {
    const entry = await this.#reader.entry(path, this.#request);
    if (entry !== undefined && isFolderMarker(entry, this.#options))
      this.#add(this.#prefix, markerOf(entry, this.#options));
  }

  async #enter(path: string, keyPrefix: string, namePrefix: string, from: string): Promise<void> {
    const rules = await this.#rulesOf(path);
    const read = { path, namePrefix, from, rules };
    this.#stack.push({ directory: new Directory(read, this.#reader, this.#request), keyPrefix });
    const slash = from.indexOf("/");
    const child = from.slice(0, Math.max(0, slash));
    const rest = from.slice(slash + 1);
    if (/^\.{0,2}$|\0/.test(child) || rest.startsWith(afterAll) || isHidden(child, rules)) return;
    const directoryKey = `${keyPrefix}${child}/`;
    const rolled = this.#rolledUp(directoryKey);
    if (rolled !== undefined && this.#after.startsWith(rolled + afterAll)) return;
    if (!(await this.#isDirectory(`${path}/${child}`))) return;
    if (rolled !== undefined) this.#addPrefix(rolled);
    else await this.#enter(`${path}/${child}`, directoryKey, "", rest);
  }

  async #visit(frame: Frame, item: Item): Promise<void> {
    const key = frame.keyPrefix + item.sortKey;
    if (item.kind === "nothing") {
      this.#reach(key);
      return;
    }
    const rolled = this.#rolledUp(key);
    if (rolled !== undefined) {
      this.#addPrefix(rolled);
      return;
    }
    if (item.listed !== undefined) this.#add(key, item.listed);
    if (this.#full || item.kind !== "directory") return;
    await this.#enter(`${frame.directory.path}/${item.name}`, key, "", "");
  }

  /** The prefix that stands for the key where the delimiter occurs in it. Equal for all keys of a directory that has it. */
  #rolledUp(key: string): string | undefined {
    const { delimiter } = this.#request;
    if (delimiter === undefined || delimiter === "") return undefined;
    const at = key.indexOf(delimiter, this.#prefix.length);
    return at < 0 ? undefined : key.slice(0, at + delimiter.length);
  }

  #add(key: string, listed: Listed): void {
    if (!this.#hasRoom()) return;
    const { size, etag, lastModified } = listed;
    this.#entries.push({ key, size, etag, lastModified });
    this.#reach(key);
  }

  #addPrefix(prefix: string): void {
    if (this.#prefixes.at(-1) === prefix || !this.#hasRoom()) return;
    this.#prefixes.push(prefix);
    this.#reach(prefix + afterAll);
  }

  /** A page is full when there is one thing more than fits: so the last page is known to be the last. */
  #hasRoom(): boolean {
    this.#full ||= this.#entries.length + this.#prefixes.length >= this.#request.limit;
    return !this.#full;
  }

  #reach(position: string): void {
    if (compareUtf8(position, this.#position) <= 0) return;
    this.#position = position;
    this.#advanced = true;
  }

  async #rulesOf(path: string): Promise<ItemRules> {
    const { bucketsFolder, s3Names, versioned, etag, now } = this.#options;
    const bucket = s3Names && versioned ? bucketOfPath(bucketsFolder, `${path}/x`) : undefined;
    const entry = bucket === undefined ? undefined : await this.#bucket(bucket.bucket);
    const ofBuckets = s3Names && path === bucketsFolder;
    const hides = (name: string) => isHiddenPath(this.#options, `${path}/${name}`);
    return { s3Names, versioned: keepsVersions(entry), ofBuckets, hides, etag, now };
  }

  /** Asked for once a page, also where there is none. */
  async #bucket(path: string): Promise<Entry | undefined> {
    if (this.#buckets.has(path)) return this.#buckets.get(path);
    const entry = await this.#reader.entry(path, this.#request);
    this.#buckets.set(path, entry);
    return entry;
  }
}
