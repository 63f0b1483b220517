/** A validated mount table and its source -> the handler's mount: names change here, meanings do not. */
import type { CorsPolicy } from "../http/cors.ts";
import type { Authorise, Mount } from "../http/mount.ts";
import type { Source } from "../sources/source.ts";
import { toLimits } from "./limits.ts";
import type { MountTable } from "./schema.ts";

/** The mount as the handler takes it. */
export function toMount(
  name: string,
  table: MountTable,
  source: Source,
  authorise: Authorise | undefined,
): Mount {
  return {
    name,
    prefix: table.prefix,
    source,
    // A mount may set a limit beside its other settings or in a table of their own; the former is nearer.
    limits: { ...toLimits(table.limits ?? {}), ...toLimits(table) },
    cors: table.cors && toCors(table.cors),
    cacheControl: table.cache_control,
    index: table.index,
    root: table.source === "http",
    download: table.download,
    explain: table.explain,
    explainEmpty: table.explain_empty,
    listing: "listing" in table ? table.listing : undefined,
    versions: table.versions,
    passQuery: "query" in table ? table.query : undefined,
    authorise,
  };
}

function toCors(table: NonNullable<MountTable["cors"]>): CorsPolicy {
  return {
    origins: table.origins.includes("*") ? "*" : table.origins,
    allowHeaders: table.allow_headers,
    exposeHeaders: table.expose_headers,
    credentials: table.credentials,
    maxAgeSeconds: table.max_age_seconds,
  };
}
