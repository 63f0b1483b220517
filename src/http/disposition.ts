/** Content-Disposition for `?download` and `?download=name` (RFC 6266, names as RFC 8187). Pure. */
import { encodeUri } from "../encoding/percent.ts";

/**
 * Writes `attachment` with a name: an ASCII one for old clients, and the exact one where they differ.
 *
 * @param name Wanted by the client, or ""
 * @param key Gives its last segment where no name is wanted
 */
export function formatAttachment(name: string, key: string): string {
  const wanted = clean(name) || clean(key.slice(key.lastIndexOf("/") + 1));
  if (wanted === "") return "attachment";
  const ascii = wanted.replace(/[^\x20-\x7e]+/g, "_").replace(/["\\%]/g, "_");
  const exact = ascii === wanted ? "" : `; filename*=UTF-8''${encodeUri(wanted)}`;
  return `attachment; filename="${ascii}"${exact}`;
}

/** A name is no path: slashes of either kind and control characters go, and so do lone surrogates. */
function clean(name: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  const bare = name.toWellFormed().replace(/[\u0000-\u001f\u007f]/g, "");
  return bare.replace(/[/\\]/g, "_").trim();
}
