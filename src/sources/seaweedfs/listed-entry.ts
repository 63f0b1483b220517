/**
 * Elements of a filer's directory listing, cut down to what a page of keys tells of them: chunk lists are dropped as
 * soon as the entity tag is made of them. Pure.
 */
import { ReadaheadError } from "../../errors.ts";
import { type Entry, entryFromJson, extendedText, hasData, nameOf } from "./entry.ts";
import { type EtagStyle, etagOf, quoteTag } from "./facts.ts";
import { asFields } from "./field.ts";
import { deleteMarkerName, versionsSuffix } from "./versions.ts";

/** What a key is listed with. */
export interface Listed {
  readonly size: number;
  readonly etag: string | undefined;
  readonly lastModified: number | undefined;
}

/** Something in a directory, at its place among the keys. */
export interface Item {
  /** Of a folder of versions: that of the key they are versions of. */
  readonly name: string;
  /** Where its first key stands in the directory: `name`, or `name/` for a directory. */
  readonly sortKey: string;
  /** `unasked`: a directory that may be here; `nothing`: a place where there was none. */
  readonly kind: "file" | "directory" | "versions" | "unasked" | "nothing";
  /** Absent for a directory that is no key itself. */
  readonly listed?: Listed | undefined;
  /** The folder's own entry: it points to the latest version. */
  readonly folder?: Entry | undefined;
}

export interface ItemRules {
  /** Names are S3's: folder markers are keys, uploads in progress are none. */
  readonly s3Names: boolean;
  /** `<key>.versions` folders stand for their key. */
  readonly versioned: boolean;
  /** The directory is the one that holds the buckets. */
  readonly ofBuckets: boolean;
  /** Whether a name in the directory is that of a folder outside of the keys. */
  readonly hides: (name: string) => boolean;
  readonly etag: EtagStyle;
  readonly now: () => number;
}

/** Folders that are no part of the keys, by name. */
export function isHidden(name: string, rules: ItemRules): boolean {
  // The gateway lists no folder of that name, at whatever depth.
  if (rules.hides(name) || (rules.s3Names && name === ".uploads")) return true;
  return rules.versioned && name.endsWith(versionsSuffix);
}

/**
 * The entry of one element. An object whose chunk list cannot be understood still has a name: it is listed without an
 * entity tag, and refused when it is read.
 */
export function listedEntry(value: unknown): Entry {
  try {
    return entryFromJson(value);
  } catch (error) {
    if (!(error instanceof ReadaheadError)) throw error;
    return { ...entryFromJson({ ...asFields(value, "filer's entry"), chunks: null }), md5: "" };
  }
}

/** What the entry is among the keys of its directory; nothing, one thing, or a directory that has data too. */
export function itemsOf(entry: Entry, rules: ItemRules): Item[] {
  const name = nameOf(entry);
  if (name === "" || (!entry.directory && (entry.expires ?? Infinity) <= rules.now())) return [];
  if (!entry.directory) {
    const gone = rules.ofBuckets || extendedText(entry, deleteMarkerName) === "true";
    return gone ? [] : [{ name, sortKey: name, kind: "file", listed: listedOf(entry, rules.etag) }];
  }
  if (rules.versioned && name.endsWith(versionsSuffix) && name !== versionsSuffix) {
    const base = name.slice(0, -versionsSuffix.length);
    return [{ name: base, sortKey: base, kind: "versions", folder: withoutChunks(entry) }];
  }
  if (isHidden(name, rules)) return [];
  const directory: Item = { name, sortKey: `${name}/`, kind: "directory" };
  if (hasData(entry))
    return [{ name, sortKey: name, kind: "file", listed: listedOf(entry, rules.etag) }, directory];
  return [
    isFolderMarker(entry, rules) ? { ...directory, listed: markerOf(entry, rules) } : directory,
  ];
}

/** A directory with a type was put as a key that ends with a slash. */
export function isFolderMarker(entry: Entry, rules: Pick<ItemRules, "s3Names">): boolean {
  return rules.s3Names && entry.directory && !hasData(entry) && entry.mime !== "";
}

/** A marker holds what was put with its key (4.53; 4.44 kept the bytes, and served none). Its entry may name no size. */
export function markerSize({ content }: Entry): number {
  return content?.byteLength ?? 0;
}

export function markerOf(entry: Entry, rules: Pick<ItemRules, "etag">): Listed {
  return { ...listedOf(entry, rules.etag), size: markerSize(entry) };
}

export function listedOf(entry: Entry, style: EtagStyle): Listed {
  const { size, modified } = entry;
  return {
    size,
    etag: etagOf(entry, style),
    lastModified: modified === undefined ? undefined : Math.floor(modified / 1000) * 1000,
  };
}

/** What the folder of versions says of the latest one: a delete marker, its facts, or (older gateways) too little. */
export function pointedTo(folder: Entry): Listed | "deleted" | undefined {
  const text = (what: string) => extendedText(folder, `Seaweed-X-Amz-Latest-Version-${what}`) ?? "";
  if (text("File-Name") === "") return undefined;
  if (text("Is-Delete-Marker") === "true") return "deleted";
  const size = text("Size");
  const mtime = text("Mtime");
  if (!/^\d{1,15}$/.test(size) || !/^\d{1,12}$/.test(mtime) || text("ETag") === "")
    return undefined;
  return { size: Number(size), etag: quoteTag(text("ETag")), lastModified: Number(mtime) * 1000 };
}

function withoutChunks(entry: Entry): Entry {
  return { ...entry, chunks: [], content: undefined };
}
