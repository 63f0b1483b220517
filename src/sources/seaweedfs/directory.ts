/**
 * One directory of the filer as a stream of keys in byte order, read page by page.
 *
 * The filer lists by name, S3 by key: `a/` stands behind `a-b` and `a.txt`, and a folder `a.versions` before all of
 * them, as `a`. So things are held back until nothing that could go first is left to be seen. Directories wait for
 * names that begin with theirs, a chain no longer than a name; versions would have names wait without end, so past a
 * bound they are asked for one by one.
 */
import { ReadaheadError } from "../../errors.ts";
import { afterAll, compareUtf8 } from "../key-order.ts";
import { nameOf } from "./entry.ts";
import {
  type Item,
  type ItemRules,
  itemsOf,
  listedEntry,
  listedOf,
  pointedTo,
} from "./listed-entry.ts";
import type { ListingPage } from "./listing-page.ts";
import type { ClusterContext } from "./request.ts";
import { type EntryReader, latestVersion, versionsSuffix } from "./versions.ts";

/** A listing brings every chunk of every object; a page of it is kept to about this. */
const answerBytes = 4 * 1024 * 1024;
const firstNames = 256;
const mostNames = 1000;
/** Items held back before versions are asked for by name. */
const mostHeld = 2000;
/** Longest name that a filer stores, bytes. */
const longestName = 255;

export interface DirectoryRead {
  readonly path: string;
  /** Only names that begin so. */
  readonly namePrefix: string;
  /** Exclusive start, relative to the directory; "" for its beginning. May lie below one of its directories. */
  readonly from: string;
  readonly rules: ItemRules;
}

export class Directory {
  readonly path: string;
  readonly rules: ItemRules;
  readonly #read: DirectoryRead;
  readonly #reader: EntryReader;
  readonly #context: ClusterContext;
  /** Last first. */
  #held: Item[] = [];
  /** Everything up to here was handed out. */
  #position: string;
  /** Every name up to here was seen. */
  #scanned: string;
  #finished = false;
  #started = false;
  #names = firstNames;
  readonly #asked = new Set<string>();

  constructor(read: DirectoryRead, reader: EntryReader, context: ClusterContext) {
    this.#read = read;
    this.path = read.path;
    this.rules = read.rules;
    this.#reader = reader;
    this.#context = context;
    this.#position = read.from;
    const [name = ""] = read.from.split(/[/\0]/, 1);
    // Below a directory, every name that begins with its name and goes on with a lower character is behind us, too.
    const start = read.from.startsWith(`${name}/`) && name !== "" ? `${name}.${afterAll}` : name;
    this.#scanned = compareUtf8(start, read.namePrefix) < 0 ? read.namePrefix : start;
    this.#hold(this.#unscanned());
  }

  /** The next thing in key order; `undefined` at the end. */
  async next(): Promise<Item | undefined> {
    if (!this.#started) await this.#start();
    for (;;) {
      const least = this.#held.at(-1);
      if (least === undefined && this.#finished) return undefined;
      if (least === undefined || !this.#mayGo(least)) {
        await this.#more();
        continue;
      }
      if (least.kind === "unasked") {
        this.#held.pop();
        await this.#ask([least.name]);
        if (this.#held.at(-1)?.sortKey === least.sortKey) continue;
        this.#position = least.sortKey;
        return { ...least, kind: "nothing" };
      }
      const missing = this.#unseenVersions(least);
      if (missing.length > 0) {
        if (this.#held.length < mostHeld) await this.#more();
        else await this.#ask(missing.map((name) => name + versionsSuffix));
        continue;
      }
      const same: Item[] = [];
      while (this.#held.at(-1)?.sortKey === least.sortKey) {
        const item = this.#held.pop();
        if (item !== undefined) same.push(item);
      }
      this.#position = least.sortKey;
      const item = await this.#choose(same);
      if (item !== undefined) return item;
    }
  }

  /** What the scan begins behind, and is a key of the page all the same: what is called like the prefix. */
  async #start(): Promise<void> {
    this.#started = true;
    const { from, namePrefix } = this.#read;
    if (from === "" && isName(namePrefix)) await this.#ask([namePrefix]);
  }

  /**
   * Directories that the scan does not come by: one called like its start, and those that its first keys stand before.
   * Each is asked for at its place among the keys, so that a page whose start has many costs no more than others.
   */
  #unscanned(): Item[] {
    const { from, namePrefix } = this.#read;
    const [start = ""] = from.split(/[/\0]/, 1);
    const names: string[] = [];
    const longest = Math.min(start.length, longestName + 1);
    for (let end = Math.max(1, namePrefix.length); end < longest; end++)
      if (start.charCodeAt(end) < 0x2f) names.push(start.slice(0, end));
    if (!start.endsWith(afterAll) && !from.startsWith(`${start}/`)) names.push(start);
    return names.filter(isName).map((name) => ({ name, sortKey: `${name}/`, kind: "unasked" }));
  }

  async #ask(names: readonly string[]): Promise<void> {
    const entries = await Promise.all(
      names.map((name) => this.#reader.entry(`${this.path}/${name}`, this.#context)),
    );
    for (const name of names) this.#asked.add(name);
    this.#hold(entries.flatMap((entry) => (entry === undefined ? [] : itemsOf(entry, this.rules))));
  }

  #mayGo(item: Item): boolean {
    return this.#finished || compareUtf8(item.sortKey, this.#scanned) <= 0;
  }

  /** Keys before this one whose versions may still come. */
  #unseenVersions({ name }: Item): string[] {
    if (!this.rules.versioned || this.#finished) return [];
    const missing: string[] = [];
    const least = Math.max(1, this.#read.namePrefix.length);
    // A longer name has no folder of versions, and to walk through one of 200 KB takes a minute.
    for (let end = Math.min(name.length, longestName); end >= least; end--) {
      if (end < name.length && name.charCodeAt(end) > 0x2e) continue;
      const folder = name.slice(0, end) + versionsSuffix;
      if (compareUtf8(folder, this.#scanned) > 0 && !this.#asked.has(folder))
        missing.push(name.slice(0, end));
    }
    return missing;
  }

  async #more(): Promise<void> {
    const { namePrefix } = this.#read;
    const page = await this.#page();
    if (page === "too long") return;
    if (page === undefined) {
      this.#finished = true;
      return;
    }
    const { values, last, more, characters } = page;
    const items: Item[] = [];
    for (const value of values) {
      const entry = listedEntry(value);
      const name = nameOf(entry);
      if (!name.startsWith(namePrefix)) {
        this.#finished ||= compareUtf8(name, namePrefix) > 0;
        continue;
      }
      items.push(...itemsOf(entry, this.rules));
    }
    this.#hold(items);
    // A name that is no text comes back changed; where it leads nowhere, the rest cannot be named.
    if (!more || compareUtf8(last, this.#scanned) <= 0) this.#finished = true;
    else this.#scanned = last;
    const average = Math.max(1, characters / Math.max(1, values.length));
    this.#names = Math.max(1, Math.min(mostNames, Math.floor(answerBytes / 2 / average)));
  }

  /** Asks for fewer names where objects have long chunk lists; a single one may be as long as metadata may. */
  async #page(): Promise<ListingPage | "too long" | undefined> {
    const names = this.#names;
    const limitBytes = names === 1 ? undefined : answerBytes;
    try {
      return await this.#reader.page(this.path, names, this.#scanned, this.#context, limitBytes);
    } catch (error) {
      const tooLong = error instanceof ReadaheadError && error.kind === "unsupported";
      if (!tooLong || limitBytes === undefined) throw error;
      this.#names = Math.max(1, this.#names >> 3);
      return "too long";
    }
  }

  #hold(items: readonly Item[]): void {
    // A folder of versions has a longer name than the key it stands for.
    const fresh = items.filter(
      ({ name, sortKey }) =>
        name.startsWith(this.#read.namePrefix) && compareUtf8(sortKey, this.#position) > 0,
    );
    if (fresh.length === 0) return;
    this.#held = [...this.#held, ...fresh].toSorted((a, b) => compareUtf8(b.sortKey, a.sortKey));
  }

  /** Of a key's plain entry and its versions, what the key means. */
  async #choose(same: readonly Item[]): Promise<Item | undefined> {
    const versions = same.find((item) => item.kind === "versions");
    const plain = same.find((item) => item.kind !== "versions");
    if (versions?.folder === undefined) return plain;
    const pointed = pointedTo(versions.folder);
    if (pointed === "deleted") return undefined;
    const { name, sortKey } = versions;
    if (pointed !== undefined) return { name, sortKey, kind: "file", listed: pointed };
    if (plain !== undefined && !hasLatest(versions)) return plain;
    const entry = await latestVersion(versions.folder, undefined, this.#reader, this.#context);
    if (entry === undefined) return undefined;
    return { name, sortKey, kind: "file", listed: listedOf(entry, this.rules.etag) };
  }
}

/** What an entry can be called. */
function isName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && name.isWellFormed();
}

function hasLatest({ folder }: Item): boolean {
  return folder?.extended["Seaweed-X-Amz-Latest-Version-File-Name"] !== undefined;
}
