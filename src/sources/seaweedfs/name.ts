/** Keys of a mount as paths of the filer, and as targets of its HTTP interface. Pure. */

/**
 * The filer path of a key, or `undefined` for one that no entry can have: segments `.` and `..`, NUL, a lone surrogate,
 * a trailing slash (a directory).
 *
 * @param root Path the mount starts at, without a trailing slash; "" for the filer's root
 */
export function pathOfKey(root: string, key: string): string | undefined {
  const segments = key.split("/").filter((segment) => segment !== "");
  if (segments.length === 0 || key.endsWith("/") || key.includes("\0")) return undefined;
  if (segments.some((segment) => segment === "." || segment === "..")) return undefined;
  if (!key.isWellFormed()) return undefined;
  return `${root}/${segments.join("/")}`;
}

/** An S3 key as the gateway stores it: backslashes are slashes. Before anything is decided by the key. */
export function normalizeS3Key(key: string): string {
  return key.replaceAll("\\", "/");
}

/** The path, percent-encoded for a request target. */
export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** A root as configured, normalised: "" or "/a/b". @throws TypeError for dot segments, with the name of the setting */
export function normalizeRoot(root: string, name: string): string {
  const segments = root.split("/").filter((segment) => segment !== "");
  if (segments.some((segment) => segment === "." || segment === ".."))
    throw new TypeError(`${name} cannot have dot segments`);
  return segments.map((segment) => `/${segment}`).join("");
}

/** The bucket and key of a path below the buckets folder. */
export function bucketOfPath(
  bucketsFolder: string,
  path: string,
): { readonly bucket: string; readonly key: string } | undefined {
  if (!path.startsWith(`${bucketsFolder}/`)) return undefined;
  const rest = path.slice(bucketsFolder.length + 1);
  const slash = rest.indexOf("/");
  if (slash <= 0 || rest.startsWith(".")) return undefined;
  return { bucket: `${bucketsFolder}/${rest.slice(0, slash)}`, key: rest.slice(slash + 1) };
}

/**
 * Where a filer keeps what is the cluster's own: the keys of S3 users and of SSE-S3, credentials of remote storages, and
 * a log of all metadata with the keys of ciphered chunks. A mount of the filer's root serves none of it.
 */
const systemFolders = ["/etc", "/topics/.system"];

/**
 * Paths that are no keys of a mount: the cluster's own folders, and where keys are S3's, dot-names beside the buckets and
 * a bucket's parts of uploads in progress. A mount whose root lies in one is meant so.
 */
export function isHiddenPath({ root, bucketsFolder, s3Names }: HidingRules, path: string): boolean {
  const hides = (folder: string) =>
    `${path}/`.startsWith(`${folder}/`) && !`${root}/`.startsWith(`${folder}/`);
  if (systemFolders.some(hides)) return true;
  if (!s3Names || !path.startsWith(`${bucketsFolder}/`)) return false;
  const [bucket = "", first = ""] = path.slice(bucketsFolder.length + 1).split("/", 2);
  if (bucket.startsWith(".")) return hides(`${bucketsFolder}/${bucket}`);
  return first === ".uploads" && hides(`${bucketsFolder}/${bucket}/${first}`);
}

/** What of a mount's options decides which paths are hidden. */
export interface HidingRules {
  readonly root: string;
  readonly bucketsFolder: string;
  readonly s3Names: boolean;
}
