/** What an S3 answer's headers tell of an object: how later reads are tied to it, and what reaches the client. Pure. */
import { createPassHeaders, defaultPassHeaders } from "../pass-headers.ts";
import type { Facts } from "../source.ts";
import { versionFacts } from "../version-facts.ts";

/** Beside what every store passes on: what S3 clients look at and every store of the kind may have. */
const passHeaders = createPassHeaders([
  ...defaultPassHeaders,
  "x-amz-checksum-*",
  "x-amz-expiration",
  "x-amz-missing-meta",
  "x-amz-object-lock-legal-hold",
  "x-amz-object-lock-mode",
  "x-amz-object-lock-retain-until-date",
  "x-amz-restore",
  "x-amz-server-side-encryption",
  "x-amz-server-side-encryption-aws-kms-key-id",
  "x-amz-server-side-encryption-bucket-key-enabled",
  "x-amz-server-side-encryption-customer-algorithm",
  "x-amz-server-side-encryption-customer-key-md5",
  "x-amz-storage-class",
  "x-amz-tagging-count",
  "x-amz-website-redirect-location",
]);

/**
 * @param size Of the whole object, bytes; `undefined` where the answer does not say
 * @param version Id that the client asked for: it pins, whatever validators the answer has
 * @param now Milliseconds since the epoch, used where the answer has no Date
 */
export function s3Facts(
  headers: Headers,
  size: number | undefined,
  version: string | undefined,
  now: number,
): Facts {
  const { unversioned, ...named } = versionFacts(headers, size, "single-stream", now);
  return {
    size,
    ...named,
    ...(version === undefined
      ? unversioned !== undefined && { unversioned }
      : { pin: { by: "version-id", value: version } }),
    versionId: headers.get("x-amz-version-id") ?? undefined,
    headers: passHeaders.pick(headers),
  };
}
