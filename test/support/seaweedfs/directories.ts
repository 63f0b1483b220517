/** Directories of a fake filer: those that were stored, and those that follow from the paths below them. */
import type { FakeEntry } from "./cluster.ts";

const directoryMode = 0x80000000 + 0o660;

/** Metadata of a directory that no one stored, where something lies below the path. */
export function directoryMetadata(
  entries: ReadonlyMap<string, FakeEntry>,
  path: string,
): string | undefined {
  const below = path === "/" ? "/" : `${path}/`;
  for (const other of entries.keys()) if (other.startsWith(below)) return directoryJson(path);
  return undefined;
}

/** JSON of a directory's entry. @param mime Set for a folder marker of the S3 gateway */
export function directoryJson(
  path: string,
  { mime = "", extended = {} }: { mime?: string; extended?: Readonly<Record<string, string>> } = {},
): string {
  return JSON.stringify({
    FullPath: path,
    Mtime: "2026-11-23T06:01:12Z",
    Crtime: "2026-11-23T06:01:12Z",
    Mode: directoryMode,
    Mime: mime,
    TtlSec: 0,
    Md5: null,
    FileSize: 0,
    Extended: Object.fromEntries(
      Object.entries(extended).map(([name, text]) => [name, Buffer.from(text).toString("base64")]),
    ),
    Content: null,
    Remote: null,
  });
}

export function isDirectoryMetadata(metadata: string): boolean {
  const mode = /"Mode":(\d+)/.exec(metadata)?.[1] ?? "0";
  return Number(mode) >= 0x80000000;
}

/** The JSON listing, by name in byte order, as `limit` and `lastFileName` ask for it. */
export function listDirectory(
  entries: ReadonlyMap<string, FakeEntry>,
  path: string,
  query: URLSearchParams,
  mostListed: number,
): string {
  const below = path === "/" ? "/" : `${path}/`;
  const names = new Set<string>();
  for (const other of entries.keys())
    if (other.startsWith(below)) names.add(other.slice(below.length).split("/", 1)[0] ?? "");
  names.delete("");
  const limit = Math.min(mostListed, Number(query.get("limit") ?? 100_000));
  const last = Buffer.from(query.get("lastFileName") ?? "");
  const sorted = [...names]
    .filter((name) => last.length === 0 || Buffer.compare(Buffer.from(name), last) > 0)
    .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const shown = sorted.slice(0, limit);
  const texts = shown.map(
    (name) =>
      entries.get(below + name)?.metadata ?? directoryMetadata(entries, below + name) ?? "null",
  );
  const fields = {
    Limit: limit,
    LastFileName: shown.at(-1) ?? last.toString(),
    ShouldDisplayLoadMore: sorted.length > limit,
    EmptyFolder: shown.length === 0,
  };
  const head = `{"Version":"30GB 4.44 ","Path":${JSON.stringify(path === "/" ? "" : path)}`;
  const list = texts.length === 0 ? "null" : `[${texts.join(",")}]`;
  return `${head},"Entries":${list},${JSON.stringify(fields).slice(1)}`;
}
