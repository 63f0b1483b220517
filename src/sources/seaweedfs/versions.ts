/**
 * Which entry a bucket's key means: the plain entry, or one of the versions kept beside it in `<key>.versions/`.
 *
 * Only versioned buckets have such folders, so the bucket's own entry (kept for a while) saves everybody else the extra
 * request. In a versioned bucket the pointer on the folder names the latest version.
 */
import { ReadaheadError } from "../../errors.ts";
import { compareUtf8 } from "../key-order.ts";
import { type Entry, entryAt, entryFromJson, extendedText, isObject, nameOf } from "./entry.ts";
import type { Filer } from "./filer.ts";
import type { ClusterContext } from "./request.ts";

/** How entries are fetched: from the cache or the filer. */
export type EntryReader = Pick<Filer, "entry" | "page">;

/** On a bucket: its versioning state. Absent where it never had one. */
const versioningName = "Seaweed-X-Amz-Versioning";
/** On a bucket made for object locks, which cannot be without versions; the state need not be there beside it. */
const objectLockName = "Seaweed-X-Amz-Object-Lock-Enabled";
const latestFileName = "Seaweed-X-Amz-Latest-Version-File-Name";
export const versionIdName = "Seaweed-X-Amz-Version-Id";
/** On an entry: "true" for a delete marker. */
export const deleteMarkerName = "Seaweed-X-Amz-Delete-Marker";
/** A key's versions lie in a folder beside it. */
export const versionsSuffix = ".versions";
/** Scanned only when the pointer leads nowhere; more versions than fit so many pages are not looked through. */
const scanPages = 10;
const namesPerPage = 1000;

/** Whether keys of the bucket may have versions. @param bucket Its entry, where it has one */
export function keepsVersions(bucket: Entry | undefined): boolean {
  if (bucket === undefined) return false;
  if ((extendedText(bucket, versioningName) ?? "") !== "") return true;
  return ["enabled", "true"].includes((extendedText(bucket, objectLockName) ?? "").toLowerCase());
}

/**
 * @param bucket Path of the bucket's entry
 * @param path Path of the key's plain entry
 * @param version Version id asked for; `undefined` or "" for the latest
 * @returns `undefined` where there is nothing to read, a delete marker included
 */
export async function resolveVersion(
  bucket: string,
  path: string,
  version: string | undefined,
  reader: EntryReader,
  context: ClusterContext,
): Promise<Entry | undefined> {
  const [bucketEntry, found] = await both(reader, bucket, path, context);
  const latestWanted = version === undefined || version === "";
  // As 4.53 does it: 4.44 served the current bytes for any version.
  if (!keepsVersions(bucketEntry)) return latestWanted || version === "null" ? found : undefined;
  // A version is asked for by its id, where that is allowed; by its path it is not listed either. Other keys may lie there.
  if (found !== undefined && isVersion(found)) return undefined;
  if (version === "null") return asNullVersion(unlessDeleted(found));
  const folder = path + versionsSuffix;
  if (!latestWanted) {
    if (!/^[0-9A-Za-z_-]{1,128}$/.test(version)) return undefined;
    return unlessDeleted(await reader.entry(`${folder}/v_${version}`, context));
  }
  const pointer = await reader.entry(folder, context);
  // A file may be called so, too. Asked for a listing, it would answer with its bytes: those of whoever put it.
  const latest =
    pointer?.directory === true ? await latestVersion(pointer, found, reader, context) : found;
  return asNullVersion(unlessDeleted(latest));
}

/** Made once of an entry: facts are kept by its identity. */
const nullVersions = new WeakMap<Entry, Entry>();

/** What was put before the bucket kept versions is the version "null", and says so like the others. */
function asNullVersion(entry: Entry | undefined): Entry | undefined {
  if (entry === undefined || (extendedText(entry, versionIdName) ?? "") !== "") return entry;
  const known = nullVersions.get(entry);
  if (known !== undefined) return known;
  const named = { ...entry, extended: { ...entry.extended, [versionIdName]: btoa("null") } };
  nullVersions.set(entry, named);
  return named;
}

/**
 * What a key means that has a folder of versions.
 *
 * @param folder The folder's entry
 * @param plain Entry of the key's own path
 */
export async function latestVersion(
  folder: Entry,
  plain: Entry | undefined,
  reader: EntryReader,
  context: ClusterContext,
): Promise<Entry | undefined> {
  const file = extendedText(folder, latestFileName) ?? "";
  // Versioning was suspended and the object overwritten: the plain entry is the latest.
  if (file === "" && plain !== undefined && isObject(plain)) return plain;
  if (isVersionFile(file)) {
    const latest = await reader.entry(`${folder.path}/${file}`, context);
    if (latest !== undefined) return unlessDeleted(latest);
  }
  return unlessDeleted(await newest(folder.path, reader, context));
}

/** The plain entry and its bucket's at once: the second request costs no round trip. */
async function both(
  reader: EntryReader,
  bucket: string,
  path: string,
  context: ClusterContext,
): Promise<[Entry | undefined, Entry | undefined]> {
  const results = await Promise.allSettled([
    reader.entry(bucket, context),
    reader.entry(path, context),
  ]);
  const [bucketEntry, plain] = results;
  if (bucketEntry.status === "rejected") throw bucketFailure(bucketEntry.reason);
  if (plain.status === "rejected") throw plain.reason;
  return [bucketEntry.value, plain.value];
}

/** Every key of the bucket fails then, so the message names the remedy. */
function bucketFailure(error: unknown): unknown {
  if (!(error instanceof ReadaheadError) || error.status !== 403) return error;
  return new ReadaheadError(
    "denied",
    "The filer does not show the bucket (-disableDirListing?), so whether it keeps versions is not known: set versioned = false if it does not",
    { cause: error, replica: error.replica, status: error.status },
  );
}

/** A delete marker is an entry like any other, and means that there is nothing. */
export function unlessDeleted(entry: Entry | undefined): Entry | undefined {
  if (entry === undefined || extendedText(entry, deleteMarkerName) === "true") return undefined;
  return entry;
}

/** @throws ReadaheadError `unsupported` where there are too many to say */
async function newest(
  folder: string,
  reader: EntryReader,
  context: ClusterContext,
): Promise<Entry | undefined> {
  let best: Entry | undefined;
  let bestTime = -1n;
  let after = "";
  for (let page = 0; page < scanPages; page++) {
    const found = await reader.page(folder, namesPerPage, after, context);
    if (found === undefined) return best;
    const { values, last, more } = found;
    for (const item of values) {
      const entry = versionIn(folder, item);
      if (entry === undefined) continue;
      const time = timeOf(extendedText(entry, versionIdName) ?? "");
      if (time > bestTime) {
        best = entry;
        bestTime = time;
      }
    }
    if (!more) return best;
    // Names come in the order of their bytes; one that is no text comes back changed.
    if (compareUtf8(last, after) <= 0) break;
    after = last;
  }
  // The newest may be among those not seen: ids of the older format sort last.
  throw new ReadaheadError(
    "unsupported",
    "The key has more versions than are looked through for the latest, and nothing says which it is",
  );
}

/** The element of a folder's listing, where it is a version: other things can be put there by their own key. */
function versionIn(folder: string, item: unknown): Entry | undefined {
  const entry = entryFromJson(item);
  if (entry.directory || !isVersion(entry)) return undefined;
  const path = `${folder}/${nameOf(entry)}`;
  return entry.path.endsWith(path) ? entryAt(path, entry) : undefined;
}

/** What the gateway has put into a folder of versions. */
function isVersion(entry: Entry): boolean {
  const [folder = "", name = ""] = entry.path.split("/").slice(-2);
  const id = extendedText(entry, versionIdName) ?? "";
  return folder.endsWith(versionsSuffix) && isVersionFile(name) && id !== "";
}

/** A version's name in the folder: nothing that leads out of it. */
function isVersionFile(name: string): boolean {
  return /^v_[^/]+$/.test(name);
}

/** Nanoseconds from a version id: 16 hex digits of time, counted down from the largest int64 in the newer format. */
function timeOf(id: string): bigint {
  if (!/^[0-9a-f]{16}/.test(id)) return 0n;
  const value = BigInt(`0x${id.slice(0, 16)}`);
  return value > 0x4000000000000000n ? 0x7fffffffffffffffn - value : value;
}
