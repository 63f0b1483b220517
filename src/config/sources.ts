/**
 * A validated mount table -> its source: the one place that knows both the configuration's names and the options of
 * each store. A new store is one case here, one schema in `schema.ts`, and its file.
 */
import { createHttpSource } from "../sources/http.ts";
import { createR2Source } from "../sources/r2.ts";
import { createS3Source } from "../sources/s3.ts";
import { createSeaweedfsSource } from "../sources/seaweedfs/source.ts";
import type { Source } from "../sources/source.ts";
import type { Bindings } from "./env.ts";
import { upstreamCredentials } from "./s3.ts";
import type { HttpTable, MountTable, R2Table, S3Table } from "./schema.ts";
import { seaweedfsOptions } from "./seaweedfs.ts";

/**
 * Makes the source of a mount. `undefined` when something is missing or refused; the fault is noted with `bindings` then.
 *
 * @param variable `MOUNTS.name`, for faults
 */
export function createSource(
  variable: string,
  table: MountTable,
  bindings: Bindings,
): Source | undefined {
  try {
    return sourceOf(variable, table, bindings);
  } catch (error) {
    // What only the source itself can judge (TypeError, RangeError); its messages name options, not values.
    const message = error instanceof Error ? error.message : "its options cannot work";
    const reason = message.replace(/\b[a-z]+(?:[A-Z][a-z]+)+\b/g, settingOf);
    return bindings.fault(variable, `cannot be used: ${reason}`);
  }
}

/** An option of the library as the configuration spells it. */
function settingOf(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function sourceOf(variable: string, table: MountTable, bindings: Bindings): Source | undefined {
  switch (table.source) {
    case "r2":
      return r2Source(variable, table, bindings);
    case "http":
      return httpSource(variable, table, bindings);
    case "s3":
      return s3Source(variable, table, bindings);
    case "seaweedfs":
      return createSeaweedfsSource(seaweedfsOptions(variable, table, bindings));
  }
}

function r2Source(variable: string, table: R2Table, bindings: Bindings): Source | undefined {
  const bucket = bindings.bucket(`${variable}.bucket`, table.bucket);
  return bucket && createR2Source({ bucket });
}

function httpSource(variable: string, table: HttpTable, bindings: Bindings): Source | undefined {
  const authorization = bindings.secret(
    `${variable}.authorization_secret`,
    table.authorization_secret,
  );
  if (authorization !== undefined && !/^[ -~]+$/.test(authorization))
    return bindings.fault(
      `${variable}.authorization_secret`,
      "names a secret that is no header's value; set it again as one line of printable ASCII",
    );
  const query = bindings.secret(`${variable}.query_secret`, table.query_secret);
  if (query !== undefined && !/^\??[!-"$->@-~]+$/.test(query))
    return bindings.fault(
      `${variable}.query_secret`,
      "names a secret that is no query; set it again as it stands in a URL behind the question mark",
    );
  return createHttpSource({
    url: query === undefined ? table.url : `${table.url}?${query.replace(/^\?/, "")}`,
    via: bindings.fetcher(`${variable}.via`, table.via),
    headers: authorization === undefined ? undefined : { authorization },
    passHeaders: table.pass_headers,
    query: table.query,
    unversioned: table.unversioned,
    storedEncoding: table.stored_encoding,
  });
}

function s3Source(variable: string, table: S3Table, bindings: Bindings): Source {
  return createS3Source({
    endpoint: table.endpoint,
    region: table.region,
    bucket: table.bucket,
    credentials: upstreamCredentials(variable, table, bindings),
    virtualHost: table.virtual_host,
    requesterPays: table.requester_pays,
    keyPrefix: table.key_prefix,
    via: bindings.fetcher(`${variable}.via`, table.via),
  });
}
