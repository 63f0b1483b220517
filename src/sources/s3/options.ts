/** Options of the S3 source, and the headers that it passes on. */

import { defaultPassHeaders } from "../pass-headers.ts";
import type { Fetcher, FetchFunction } from "../upstream.ts";
import type { S3Credentials } from "./credentials.ts";

/** Options of {@link createS3Source}; all but `endpoint` and `bucket` are optional. Never changed. */
export interface S3SourceOptions {
  /** http or https URL of the store, `https://s3.eu-west-1.amazonaws.com` say; may carry a path. */
  readonly endpoint: string;
  readonly bucket: string;
  /** Of the signature's scope. Default `us-east-1`; R2 wants `auto`. */
  readonly region?: string | undefined;
  /** Absent: unsigned requests, for public buckets. */
  readonly credentials?: S3Credentials | undefined;
  /** Bucket before the host name instead of in the path. Default false. */
  readonly virtualHost?: boolean | undefined;
  /** Says that we pay for requests and transfer (`x-amz-request-payer`). Default false. */
  readonly requesterPays?: boolean | undefined;
  /** Put before every key. Default "". */
  readonly keyPrefix?: string | undefined;
  /** Binding to fetch through (service, VPC network, mTLS). Default: `fetch`. */
  readonly via?: Fetcher | undefined;
  /** Default: the global `fetch` of the moment. */
  readonly fetch?: FetchFunction | undefined;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** Passed on beside what every store passes on: what S3 clients look at and every store of the kind may have. */
export const s3PassHeaders: readonly string[] = [
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
];
