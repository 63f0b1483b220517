/** A validated SeaweedFS table -> the options of its source: names change here, secrets and bindings are looked up. */
import { parseS3Credentials } from "../sources/s3/credentials.ts";
import type { SeaweedfsOptions } from "../sources/seaweedfs/source.ts";
import type { Bindings } from "./env.ts";
import type { SeaweedfsTable } from "./schema.ts";

/** Options of the mount's source; what is missing is noted with `bindings`. */
export function seaweedfsOptions(
  variable: string,
  table: SeaweedfsTable,
  bindings: Bindings,
): SeaweedfsOptions {
  const secret = (field: SecretField) => bindings.secret(`${variable}.${field}`, table[field]);
  return {
    filer: table.filer,
    master: table.master,
    root: table.root,
    bucketsFolder: table.buckets_folder,
    address: table.address,
    volumeAccess: table.volume_access,
    volumeProtocol: table.volume_protocol,
    filerFallback: table.filer_fallback,
    dataCenter: table.data_center,
    allowedHosts: table.allowed_hosts,
    filerTokenSecret: secret("filer_token_secret"),
    volumeTokenSecret: secret("volume_token_secret"),
    volumeTokenFromMaster: table.volume_token_from_master,
    sseKekSecret: secret("sse_kek_secret"),
    sseKeySecret: secret("sse_key_secret"),
    sseKekPassphrase: secret("sse_kek_passphrase_secret"),
    requireKeyCommitment: table.require_key_commitment,
    awsKms: awsKms(variable, table, bindings),
    vault: vault(variable, table, bindings),
    metadataTtlMs: table.metadata_ttl_ms,
    lookupTtlMs: table.lookup_ttl_ms,
    metadataBytes: table.metadata_bytes,
    etag: table.etag,
    passHeaders: table.pass_headers,
    verify: table.verify,
    versioned: table.versioned,
    fetch: fetchThrough(variable, "via", table, bindings),
    kmsFetch: fetchThrough(variable, "kms_via", table, bindings),
  };
}

type SecretField =
  | "filer_token_secret"
  | "volume_token_secret"
  | "sse_kek_secret"
  | "sse_key_secret"
  | "sse_kek_passphrase_secret";

function awsKms(
  variable: string,
  { aws_kms: table }: SeaweedfsTable,
  bindings: Bindings,
): SeaweedfsOptions["awsKms"] {
  if (table === undefined) return undefined;
  const place = `${variable}.aws_kms.credentials`;
  const text = bindings.secret(place, table.credentials);
  if (text === undefined) return undefined;
  const credentials = parseS3Credentials(text);
  if (credentials === undefined)
    return bindings.fault(place, "names a secret that is not ACCESSKEY:SECRETKEY[:SESSIONTOKEN]");
  return { ...credentials, region: table.region, endpoint: table.endpoint };
}

function vault(
  variable: string,
  { vault: table }: SeaweedfsTable,
  bindings: Bindings,
): SeaweedfsOptions["vault"] {
  if (table === undefined) return undefined;
  const token = bindings.secret(`${variable}.vault.token_secret`, table.token_secret);
  if (token === undefined) return undefined;
  return { address: table.address, token, mount: table.mount, namespace: table.namespace };
}

function fetchThrough(
  variable: string,
  field: "via" | "kms_via",
  table: SeaweedfsTable,
  bindings: Bindings,
): SeaweedfsOptions["fetch"] {
  const fetcher = bindings.fetcher(`${variable}.${field}`, table[field]);
  return fetcher && ((url, init) => fetcher.fetch(url, init));
}
