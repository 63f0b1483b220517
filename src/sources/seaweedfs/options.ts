/**
 * Options of the SeaweedFS source: what they mean, their defaults, and the one place where they are checked.
 * Secrets are values here; a mount's configuration names the bindings that hold them.
 */

import { createPassHeaders, type PassHeaders } from "../pass-headers.ts";
import { createHostCheck, type HostCheck } from "./allowed-hosts.ts";
import { type EtagStyle, isInternalName, seaweedfsPassHeaders } from "./facts.ts";
import { normalizeRoot } from "./name.ts";
import type { SeaweedfsFetch } from "./request.ts";
import { isHexKey } from "./sse/kek.ts";
import type { AwsKmsOptions } from "./sse/kms-aws.ts";
import type { VaultOptions } from "./sse/kms-vault.ts";

/** Options of {@link createSeaweedfsSource}. All but `filer` are optional. */
export interface SeaweedfsOptions {
  /** URL of the filer's HTTP interface, or several of one cluster; tried in turn, the last good one first. */
  readonly filer: string | readonly string[];
  /** URL of the master, or several. Without one, chunks are read through the filer. */
  readonly master?: string | readonly string[] | undefined;
  /** Filer path the mount starts at. `/buckets` or below: S3 names, versions and entity tags. Default: the filer's root. */
  readonly root?: string | undefined;
  /** Which address of a volume server to connect to: the one for outsiders, or the cluster's own. Default `public`. */
  readonly address?: "public" | "internal" | undefined;
  /**
   * `direct` reads volume servers, and asks the filer to proxy when none can be reached or no master answers. `filer` always does the
   * latter: one address for everything, at the filer's cost. Default `direct` with a master, else `filer`.
   */
  readonly volumeAccess?: "direct" | "filer" | undefined;
  /** In direct access: whether the filer may stand in. Default true. */
  readonly filerFallback?: boolean | undefined;
  /** Scheme of volume servers. Default: that of the master's URL. */
  readonly volumeProtocol?: "http" | "https" | undefined;
  /** Replicas in this data centre go first. */
  readonly dataCenter?: string | undefined;
  /**
   * Where the Worker may connect to for what a lookup returns: `host`, `host:port`, `*.domain`, `10.0.0.0/8`, `*`.
   * Default: the configured hosts themselves, and what is visibly of their private network (see allowed-hosts.ts).
   */
  readonly allowedHosts?: string | readonly string[] | undefined;
  /** Filer read key (`jwt.filer_signing.read.key`). */
  readonly filerTokenSecret?: string | undefined;
  /** Volume read key (`jwt.signing.read.key`). */
  readonly volumeTokenSecret?: string | undefined;
  /**
   * Take volume tokens from the master (`read=yes`) instead of signing them: one lookup for every chunk, and whoever
   * reaches the master can get write tokens too. Default false.
   */
  readonly volumeTokenFromMaster?: boolean | undefined;
  /** SSE-S3: 64 hex digits (`s3.sse.kek`). */
  readonly sseKekSecret?: string | undefined;
  /** SSE-S3: any text (`s3.sse.key`). */
  readonly sseKeySecret?: string | undefined;
  /** SSE-S3: opens the wrapped key file in the filer (`s3.sse.kek.passphrase`). */
  readonly sseKekPassphrase?: string | undefined;
  /** SSE: refuse records without a key commitment. Default false: old records have none. */
  readonly requireKeyCommitment?: boolean | undefined;
  /** SSE-KMS through AWS KMS. */
  readonly awsKms?: AwsKmsOptions | undefined;
  /** SSE-KMS through OpenBao or Vault. */
  readonly vault?: VaultOptions | undefined;
  /** How long metadata is believed, ms; an overwritten object may be served as it was for so long. 0 to 3,600,000, default 3,000. */
  readonly metadataTtlMs?: number | undefined;
  /** How long locations are believed, ms; failures look them up at once. 0 to 86,400,000, default 600,000. */
  readonly lookupTtlMs?: number | undefined;
  /** Longest metadata answer, bytes: a chunk costs 250 to 900. 64 KiB to 1 GiB, default 32 MiB. */
  readonly metadataBytes?: number | undefined;
  /**
   * Check CRC32C of chunks read whole that nothing else authenticates. Default false. Costs about 1.3 s of CPU a GiB, and
   * twice the largest chunk of `budgetBytes` for each download.
   */
  readonly verify?: boolean | undefined;
  /**
   * Whether buckets may keep versions: their entries are then asked for it. False reads keys as they lie, with one
   * request less, also from a filer that shows no directories (`-disableDirListing`). Default true.
   */
  readonly versioned?: boolean | undefined;
  /** Entity tags as the filer or the S3 gateway names them. Default: S3 with a `root` in the buckets folder. */
  readonly etag?: EtagStyle | undefined;
  /** Where buckets lie (`filer.options.buckets_folder`). Default `/buckets`. */
  readonly bucketsFolder?: string | undefined;
  /**
   * Stored headers that go to the client; `x-custom-*` for a prefix. Default: `content-type`, `-disposition`, `-language`
   * and `-encoding`, `cache-control`, `expires`, `x-amz-meta-*`, and what S3 tells of storage class, redirect and encryption.
   */
  readonly passHeaders?: readonly string[] | undefined;
  /** Instead of the global fetch, for everything in the cluster: a VPC, tunnel or mTLS binding. */
  readonly fetch?: SeaweedfsFetch | undefined;
  /** Instead of the global fetch, for key services. */
  readonly kmsFetch?: SeaweedfsFetch | undefined;
  /** In [0, 1), shuffles replicas; for tests. */
  readonly random?: (() => number) | undefined;
  /** Milliseconds since the epoch; for tests. */
  readonly now?: (() => number) | undefined;
}

/** Those that have no default: absent means that there is no such thing. */
type WithoutDefault =
  | "dataCenter"
  | "filerTokenSecret"
  | "volumeTokenSecret"
  | "sseKekSecret"
  | "sseKeySecret"
  | "sseKekPassphrase"
  | "awsKms"
  | "vault";

/** Options with their defaults, checked. */
export interface ResolvedOptions extends Pick<SeaweedfsOptions, WithoutDefault> {
  readonly filers: readonly URL[];
  readonly masters: readonly URL[];
  readonly root: string;
  readonly bucketsFolder: string;
  /** Keys are S3 keys: the latest version is meant. */
  readonly s3Names: boolean;
  /** Buckets are asked whether they keep versions. */
  readonly versioned: boolean;
  readonly access: "direct" | "filer";
  readonly filerFallback: boolean;
  readonly address: "public" | "internal";
  readonly protocol: "http:" | "https:";
  readonly allows: HostCheck;
  /** Volume tokens come from the master: there is no secret to sign them with. */
  readonly tokensFromMaster: boolean;
  readonly requireKeyCommitment: boolean;
  readonly verify: boolean;
  readonly etag: EtagStyle;
  readonly pass: PassHeaders;
  readonly metadataTtlMs: number;
  readonly lookupTtlMs: number;
  readonly metadataBytes: number;
  readonly fetch: SeaweedfsFetch;
  readonly kmsFetch: SeaweedfsFetch;
  readonly random: () => number;
  readonly now: () => number;
}

/** Least and most of every option that is a number: whole ones. */
export const optionBounds = {
  metadataTtlMs: [0, 3_600_000],
  lookupTtlMs: [0, 86_400_000],
  metadataBytes: [64 * 1024, 1024 ** 3],
} as const;

/**
 * @throws TypeError for a URL, path or host list that cannot be
 * @throws RangeError for a time or size out of its bounds
 */
export function resolveOptions(given: SeaweedfsOptions): ResolvedOptions {
  const filers = urls(given.filer, "filer");
  const masters = urls(given.master ?? [], "master");
  if (filers.length === 0) throw new TypeError("filer needs a URL");
  if (given.sseKekSecret !== undefined && !isHexKey(given.sseKekSecret))
    throw new TypeError("sseKekSecret must have 64 hex digits");
  const access = given.volumeAccess ?? (masters.length > 0 ? "direct" : "filer");
  if (access === "direct" && masters.length === 0)
    throw new TypeError('volumeAccess "direct" needs a master');
  if (given.volumeTokenFromMaster === true && masters.length === 0)
    throw new TypeError("volumeTokenFromMaster needs a master");
  const unpassable = given.passHeaders?.find((name) => isInternalName(name.toLowerCase()));
  if (unpassable !== undefined)
    throw new TypeError(`passHeaders: ${unpassable} is the cluster's own and never passed on`);
  const root = normalizeRoot(given.root ?? "", "root");
  const bucketsFolder = normalizeRoot(given.bucketsFolder ?? "/buckets", "bucketsFolder");
  const inBuckets = root === bucketsFolder || root.startsWith(`${bucketsFolder}/`);
  const scheme = given.volumeProtocol === undefined ? undefined : `${given.volumeProtocol}:`;
  const protocol = scheme ?? (masters[0] ?? filers[0])?.protocol;
  const global: SeaweedfsFetch = (url, init) => fetch(url, init);
  return {
    filers,
    masters,
    root,
    bucketsFolder,
    s3Names: inBuckets,
    versioned: given.versioned ?? true,
    access,
    filerFallback: given.filerFallback ?? true,
    address: given.address ?? "public",
    dataCenter: given.dataCenter,
    protocol: protocol === "https:" ? "https:" : "http:",
    allows: createHostCheck(
      given.allowedHosts === undefined ? undefined : listOf(given.allowedHosts),
      [...filers, ...masters],
    ),
    filerTokenSecret: given.filerTokenSecret,
    volumeTokenSecret: given.volumeTokenSecret,
    tokensFromMaster: given.volumeTokenFromMaster === true && given.volumeTokenSecret === undefined,
    sseKekSecret: given.sseKekSecret,
    sseKeySecret: given.sseKeySecret,
    sseKekPassphrase: given.sseKekPassphrase,
    requireKeyCommitment: given.requireKeyCommitment ?? false,
    awsKms: given.awsKms,
    vault: given.vault,
    verify: given.verify ?? false,
    etag: given.etag ?? (inBuckets ? "s3" : "filer"),
    pass: createPassHeaders(given.passHeaders ?? seaweedfsPassHeaders),
    metadataTtlMs: within(given.metadataTtlMs ?? 3_000, "metadataTtlMs"),
    lookupTtlMs: within(given.lookupTtlMs ?? 600_000, "lookupTtlMs"),
    metadataBytes: within(given.metadataBytes ?? 2 ** 25, "metadataBytes"),
    fetch: given.fetch ?? global,
    kmsFetch: given.kmsFetch ?? global,
    random: given.random ?? Math.random,
    now: given.now ?? Date.now,
  };
}

function urls(value: string | readonly string[], name: string): URL[] {
  return listOf(value).map((text) => {
    const url = URL.parse(text);
    const more = url && url.username + url.password + url.search + url.hash;
    if (url === null || !/^https?:$/.test(url.protocol) || more !== "")
      throw new TypeError(`${name} needs an http or https URL without user, query and fragment`);
    return url;
  });
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  return typeof value === "string" ? [value] : (value ?? []);
}

function within(value: number, option: keyof typeof optionBounds): number {
  const [least, most] = optionBounds[option];
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${option} must be from ${least} to ${most}, not ${value}`);
}
