/** Path -> mount. The longest prefix wins; the rest of the path, still percent-encoded, is the raw key. Pure. */

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
 * @param mounts Their prefixes are compared as they stand in a URL
 * @returns For `/files` where `/files/` is mounted and no other mount has that path: the route with an empty key
 * @throws RangeError for a prefix that does not begin and end with a slash, and for one that two mounts have
 */
export function createRouter<M extends Routable>(
  mounts: readonly M[],
): (pathname: string) => Route<M> | undefined {
  for (const { prefix } of mounts)
    if (!/^\/(.*\/)?$/.test(prefix))
      throw new RangeError(`A mount's prefix begins and ends with a slash, not ${prefix}`);
  if (new Set(mounts.map(({ prefix }) => prefix)).size < mounts.length)
    throw new RangeError("Two mounts have the same prefix");
  const longestFirst = mounts.toSorted((a, b) => b.prefix.length - a.prefix.length);
  return (pathname) => {
    const mount = longestFirst.find(({ prefix }) => pathname.startsWith(prefix));
    if (mount !== undefined) return { mount, rawKey: pathname.slice(mount.prefix.length) };
    const folder = longestFirst.find(({ prefix }) => `${pathname}/` === prefix);
    return folder && { mount: folder, rawKey: "" };
  };
}
