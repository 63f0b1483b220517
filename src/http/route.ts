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
 * @param mounts Prefixes are distinct (the configuration sees to it); they are compared as they stand in a URL
 * @returns For `/files` where `/files/` is mounted: the route with an empty key, as for `/files/`
 */
export function createRouter<M extends Routable>(
  mounts: readonly M[],
): (pathname: string) => Route<M> | undefined {
  const longestFirst = mounts.toSorted((a, b) => b.prefix.length - a.prefix.length);
  return (pathname) => {
    for (const mount of longestFirst) {
      if (pathname.startsWith(mount.prefix)) {
        return { mount, rawKey: pathname.slice(mount.prefix.length) };
      }
      if (`${pathname}/` === mount.prefix) return { mount, rawKey: "" };
    }
    return undefined;
  };
}
