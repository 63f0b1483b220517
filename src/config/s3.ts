/**
 * What a mount's S3 settings mean: whose credentials are whose, and the bucket that a mount with `protocol = "s3"` is.
 *
 * `credentials` as text are the store's (`source = "s3"`), as a list the clients' (`protocol = "s3"`); a mount that is
 * both says the store's in `upstream_credentials`.
 */
import type { S3ClientCredential, S3FrontMount } from "../http/s3/mount.ts";
import { isBucketName } from "../http/s3/mount.ts";
import { parseS3Credentials, type S3Credentials } from "../sources/s3/credentials.ts";
import type { Bindings } from "./env.ts";
import type { MountTable, S3Table } from "./schema.ts";

/** What only a mount without `protocol = "s3"` answers. */
const plainSettings: readonly string[] = ["index", "listing", "explain", "explain_empty"];

const secretForm = "names a secret that is not ACCESSKEY:SECRETKEY";

/** The store's credentials; `undefined` for unsigned requests, or with a fault. */
export function upstreamCredentials(
  variable: string,
  table: S3Table,
  bindings: Bindings,
): S3Credentials | undefined {
  const own = typeof table.credentials === "string" ? table.credentials : undefined;
  if (own !== undefined && table.protocol === "s3")
    return bindings.fault(
      `${variable}.credentials`,
      'is read as neither side\'s here; write credentials = ["..."] for the clients and upstream_credentials = "..." for the store',
    );
  if (Array.isArray(table.credentials) && table.protocol !== "s3")
    return bindings.fault(
      `${variable}.credentials`,
      'is a list, which means clients; write one name as text, or set protocol = "s3"',
    );
  const [field, name] =
    table.upstream_credentials === undefined
      ? ["credentials", own]
      : ["upstream_credentials", table.upstream_credentials];
  const text = bindings.secret(`${variable}.${field}`, name);
  if (text === undefined) return undefined;
  const credentials = parseS3Credentials(text);
  return credentials ?? bindings.fault(`${variable}.${field}`, `${secretForm}[:SESSIONTOKEN]`);
}

/** The bucket that the mount is to S3 clients; `undefined` for other mounts, or with a fault. */
export function frontBucket(
  variable: string,
  table: MountTable,
  bindings: Bindings,
): S3FrontMount | undefined {
  if (table.protocol !== "s3") return refuseFrontSettings(variable, table, bindings);
  const bucket = table.prefix.slice(1, -1);
  if (!isBucketName(bucket))
    return bindings.fault(
      `${variable}.prefix`,
      'must be one segment that can be a bucket\'s name with protocol = "s3": 3 to 63 of a-z, 0-9, - and ., as in "/media/"',
    );
  for (const [field, value] of Object.entries(table))
    if (plainSettings.includes(field) && value !== false)
      bindings.fault(
        `${variable}.${field}`,
        'is for plain mounts; take it out, or protocol = "s3"',
      );
  const access = table.access ?? "signed";
  const credentials = clientCredentials(variable, table, bindings);
  if (access === "signed" && credentials.length === 0) {
    // Otherwise what is there is faulty, and was told.
    if (table.credentials !== undefined) return undefined;
    return bindings.fault(
      `${variable}.credentials`,
      'is missing; name the secrets of the clients, as in credentials = ["S3_CLIENT_1"], or set access = "public"',
    );
  }
  return {
    bucket,
    access,
    listAccess: table.list_access ?? access,
    credentials,
    regions: table.signing_region ?? ["us-east-1", "auto"],
    hosts: (table.hosts ?? []).map((host) => host.toLowerCase()),
  };
}

function clientCredentials(
  variable: string,
  table: MountTable,
  bindings: Bindings,
): S3ClientCredential[] {
  // Text beside source = "s3" is refused where the store's credentials are read.
  if (
    table.credentials === undefined ||
    (table.source === "s3" && !Array.isArray(table.credentials))
  )
    return [];
  const entries = Array.isArray(table.credentials)
    ? table.credentials
    : [{ secret: table.credentials }];
  return entries.flatMap((entry, index) => {
    const place = `${variable}.credentials.${index}`;
    const text = bindings.secret(place, entry.secret);
    if (text === undefined) return [];
    const parsed = parseS3Credentials(text);
    if (parsed === undefined || parsed.sessionToken !== undefined) {
      bindings.fault(place, secretForm);
      return [];
    }
    const { accessKeyId, secretAccessKey } = parsed;
    return [{ accessKeyId, secretAccessKey, prefixes: entry.prefixes }];
  });
}

/** Settings of the front on a mount that is none: a forgotten `protocol` must not make a private bucket public. */
function refuseFrontSettings(variable: string, table: MountTable, bindings: Bindings): undefined {
  for (const field of ["signing_region", "hosts", "list_access"] as const)
    if (table[field] !== undefined)
      bindings.fault(
        `${variable}.${field}`,
        'is for S3 clients; add protocol = "s3", or take it out',
      );
  if (table.credentials !== undefined && table.source !== "s3")
    bindings.fault(
      `${variable}.credentials`,
      'are keys of S3 clients; add protocol = "s3", or take them out',
    );
}
