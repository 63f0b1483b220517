/**
 * Path -> mount. The longest prefix wins; the rest of the path, still percent-encoded, is the raw key. Pure.
 *
 * Prefixes are compared segment by segment and decoded, so that another spelling of a mount's path (`%73ecret`; RFC 3986
 * 6.2.2) is no way past it to a mount above. Neither is what only a store takes for a slash (`secret%2Fx`, `//secret/x`),
 * or takes off a segment (`secret;v=1/x`, `;v=1/secret/x`: path parameters, RFC 3986 3.3; Tomcat drops them, then joins
 * slashes).
 */

/** What routing needs of a mount. */
export interface Routable {
  /** Starts and ends with a slash. */
  readonly prefix: string;
}

/** The mount a path belongs to. */
export interface Route<M> {
  readonly mount: M;
  /** Percent-encoding kept, no leading slash added or taken beyond the prefix. */
  readonly rawKey: string;
}

/**
 * Orders mounts once and answers paths.
 *
 * @param mounts Their prefixes are compared as they stand in a URL, whichever way they are percent-encoded
 * @returns For `/files` where `/files/` is mounted: the route with an empty key, whatever mount is above: an origin would
 * redirect to the folder. None for a path that a store may take for one of a mount below the one that it spells
 * @throws RangeError for a prefix that does not begin and end with a slash, and for one that two mounts have
 */
export function createRouter<M extends Routable>(
  mounts: readonly M[],
): (pathname: string) => Route<M> | undefined {
  for (const { prefix } of mounts)
    if (!/^\/(.*\/)?$/.test(prefix))
      throw new RangeError(`A mount's prefix begins and ends with a slash, not ${prefix}`);
  const places = mounts.map((mount) => ({ mount, folders: foldersOf(mount.prefix) }));
  if (new Set(mounts.map(({ prefix }) => placeOf(prefix))).size < mounts.length)
    throw new RangeError("Two mounts have the same prefix");
  const deepestFirst = places.toSorted((a, b) => b.folders.length - a.folders.length);
  const find = (path: readonly string[]) =>
    deepestFirst.find(({ folders }) => startsWith(path, folders));
  return (pathname) => {
    const raw = pathname.split("/");
    const path = raw.map(decodeSegment);
    const found = find(path);
    const depth = found?.folders.length ?? 0;
    if (readings(raw).some((taken) => (find(taken)?.folders.length ?? 0) > depth)) return undefined;
    if (found === undefined) return undefined;
    const { mount, folders } = found;
    return { mount, rawKey: raw.slice(folders.length).join("/") };
  };
}

/** The same text for every spelling of a prefix: two mounts cannot have one place. */
export function placeOf(prefix: string): string {
  return JSON.stringify(foldersOf(prefix));
}

function foldersOf(prefix: string): string[] {
  return prefix.split("/").slice(0, -1).map(decodeSegment);
}

/** A path's segment decoded; as it stands where it cannot be. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** What stores may take a path for: parameters end at a slash, for some before `%2F` is one, for others after. */
function readings(raw: readonly string[]): string[][] {
  const bare = raw.map((segment) => segment.split(";", 1)[0] ?? "");
  return [raw, bare].map((segments) =>
    segments
      .map(decodeSegment)
      .join("/")
      .replace(/;[^/\\]*/g, "")
      .split(/[/\\]+/),
  );
}

function startsWith(path: readonly string[], folders: readonly string[]): boolean {
  return folders.every((folder, i) => path[i] === folder);
}
