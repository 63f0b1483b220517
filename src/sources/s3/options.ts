/** Options of the S3 source. */

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
