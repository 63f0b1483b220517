/**
 * The one schema of a mount table. Every name of wrangler.toml's `[vars.MOUNTS.x]` stands here once, in snake_case, with
 * what is allowed; what each means is explained in wrangler.toml. Values keep their names until `sources.ts` and
 * `mounts.ts` hand them to the rooms. Checks that need two fields or the environment are made there too.
 */
import * as v from "valibot";
import { factsMsBounds } from "../http/recent-facts.ts";
import { optionBounds } from "../sources/seaweedfs/options.ts";
import {
  bindingName,
  choice,
  choiceMessage,
  corsOrigin,
  count,
  flag,
  headerName,
  headerValue,
  hostName,
  indexName,
  listOf,
  passedHeader,
  prefixText,
  secretName,
  text,
  upstreamUrl,
} from "./fields.ts";
import { limitEntries } from "./limits.ts";
import { tableMessage } from "./wording.ts";

const remedies: Readonly<Record<string, string>> = {
  prefix: 'write the path that the mount answers, as in prefix = "/files/"',
  source: 'write one of "r2", "http", "s3", "seaweedfs"',
  bucket: 'write the bucket: for source = "r2" the name of the binding, as in bucket = "OBJECTS"',
  url: "write the URL that keys are appended to, ending with a slash",
  endpoint: "write the URL of the S3 endpoint",
  filer: "write the URL of the filer, or a list of them",
  master: "write the URL of the master, or a list of them",
  origins: 'write the origins that may read, as in origins = ["https://app.example"], or "*"',
  address: "write the URL of the key service",
  token_secret: "write the name of the secret binding that holds the token",
  credentials: "write the name of the secret binding that holds ACCESSKEY:SECRETKEY",
  secret: "write the name of the secret binding that holds ACCESSKEY:SECRETKEY",
};

/** A table that knows its keys: a slip in a name is a fault, never ignored. */
function table<const Entries extends v.ObjectEntries>(entries: Entries) {
  return v.strictObject(entries, tableMessage(Object.keys(entries), remedies));
}

const limitsTable = table(limitEntries);

/** `[vars.LIMITS]`: the limits, and how long facts of an object are believed. */
export const limitsSchema = table({
  ...limitEntries,
  facts_ms: v.optional(count("milliseconds", factsMsBounds)),
});

const corsTable = v.pipe(
  table({
    origins: listOf(corsOrigin),
    allow_headers: v.optional(listOf(headerName)),
    expose_headers: v.optional(listOf(headerName)),
    credentials: v.optional(flag),
    max_age_seconds: v.optional(
      v.pipe(
        v.number("must be a number of seconds"),
        v.integer("must be a whole number of seconds"),
        v.minValue(0, "must not be negative"),
      ),
    ),
  }),
  // Browsers refuse credentials with a star (Fetch standard, CORS protocol and credentials).
  v.check(
    ({ origins, credentials }) => credentials !== true || !origins.includes("*"),
    'cannot have credentials = true with origins = "*"; list the origins',
  ),
);

/** A list of origins alone is short for a table with `origins`. */
const cors = v.lazy((input) =>
  typeof input === "object" && input !== null && !Array.isArray(input)
    ? corsTable
    : v.pipe(
        listOf(corsOrigin),
        v.transform((origins): v.InferOutput<typeof corsTable> => ({ origins })),
      ),
);

const clientCredential = table({ secret: secretName, prefixes: v.optional(listOf(text)) });

/** A secret's name is short for a table with `secret`. */
const credentialEntry = v.lazy((input) =>
  typeof input === "object" && input !== null
    ? clientCredential
    : v.pipe(
        secretName,
        v.transform((secret): v.InferOutput<typeof clientCredential> => ({ secret })),
      ),
);

/** A string may mean the upstream's credentials, a list means the clients': `s3.ts` judges. */
const credentials = v.lazy((input) =>
  Array.isArray(input)
    ? v.pipe(v.array(credentialEntry), v.nonEmpty("must name at least one secret"))
    : secretName,
);

const commonEntries = {
  prefix: prefixText,
  protocol: v.optional(choice(["http", "s3"])),
  access: v.optional(choice(["public", "signed"])),
  credentials: v.optional(credentials),
  link_secret: v.optional(listOf(secretName)),
  signing_region: v.optional(listOf(text)),
  hosts: v.optional(listOf(hostName)),
  list_access: v.optional(choice(["public", "signed"])),
  cors: v.optional(cors),
  cache_control: v.optional(headerValue),
  index: v.optional(indexName),
  download: v.optional(flag),
  explain: v.optional(flag),
  explain_empty: v.optional(flag),
  show_replicas: v.optional(flag),
  versions: v.optional(flag),
  limits: v.optional(limitsTable),
  ...limitEntries,
};

/** Stores that can tell their keys. */
const listingEntries = { listing: v.optional(flag) };

const r2Schema = table({
  ...commonEntries,
  ...listingEntries,
  source: v.literal("r2"),
  bucket: bindingName,
});

const httpSchema = table({
  ...commonEntries,
  source: v.literal("http"),
  url: upstreamUrl,
  query: v.optional(flag),
  via: v.optional(bindingName),
  authorization_secret: v.optional(secretName),
  query_secret: v.optional(secretName),
  pass_headers: v.optional(listOf(passedHeader)),
  unversioned: v.optional(choice(["single-stream", "trust"])),
  stored_encoding: v.optional(choice(["refuse", "pass"])),
});

const s3Schema = table({
  ...commonEntries,
  ...listingEntries,
  source: v.literal("s3"),
  endpoint: upstreamUrl,
  region: v.optional(text),
  bucket: text,
  upstream_credentials: v.optional(secretName),
  virtual_host: v.optional(flag),
  requester_pays: v.optional(flag),
  key_prefix: v.optional(v.string("must be text")),
  via: v.optional(bindingName),
});

const awsKmsTable = table({
  credentials: secretName,
  region: v.optional(text),
  endpoint: v.optional(upstreamUrl),
});

const vaultTable = table({
  address: upstreamUrl,
  token_secret: secretName,
  mount: v.optional(text),
  namespace: v.optional(text),
});

const seaweedfsSchema = table({
  ...commonEntries,
  ...listingEntries,
  source: v.literal("seaweedfs"),
  filer: listOf(upstreamUrl),
  master: v.optional(listOf(upstreamUrl)),
  root: v.optional(v.string("must be text")),
  buckets_folder: v.optional(text),
  address: v.optional(choice(["public", "internal"])),
  volume_access: v.optional(choice(["direct", "filer"])),
  volume_protocol: v.optional(choice(["http", "https"])),
  filer_fallback: v.optional(flag),
  data_center: v.optional(text),
  allowed_hosts: v.optional(listOf(text)),
  filer_token_secret: v.optional(secretName),
  volume_token_secret: v.optional(secretName),
  volume_token_from_master: v.optional(flag),
  sse_kek_secret: v.optional(secretName),
  sse_key_secret: v.optional(secretName),
  sse_kek_passphrase_secret: v.optional(secretName),
  require_key_commitment: v.optional(flag),
  aws_kms: v.optional(awsKmsTable),
  vault: v.optional(vaultTable),
  metadata_ttl_ms: v.optional(count("milliseconds", optionBounds.metadataTtlMs)),
  lookup_ttl_ms: v.optional(count("milliseconds", optionBounds.lookupTtlMs)),
  metadata_bytes: v.optional(count("bytes", optionBounds.metadataBytes)),
  etag: v.optional(choice(["s3", "filer"])),
  pass_headers: v.optional(listOf(passedHeader)),
  verify: v.optional(flag),
  versioned: v.optional(flag),
  via: v.optional(bindingName),
  kms_via: v.optional(bindingName),
});

const kinds = ["r2", "http", "s3", "seaweedfs"] as const;

/** One mount, told apart by `source`. */
export const mountSchema = v.variant(
  "source",
  [r2Schema, httpSchema, s3Schema, seaweedfsSchema],
  (issue) => {
    if (issue.path === undefined) return "must be a table of settings";
    return issue.received === "undefined"
      ? `is missing; ${remedies["source"]}`
      : choiceMessage(kinds, issue.input);
  },
);

export type MountTable = v.InferOutput<typeof mountSchema>;
export type HttpTable = v.InferOutput<typeof httpSchema>;
export type S3Table = v.InferOutput<typeof s3Schema>;
export type SeaweedfsTable = v.InferOutput<typeof seaweedfsSchema>;
export type R2Table = v.InferOutput<typeof r2Schema>;
