/**
 * The library's front door. Sources have paths of their own (`edge-readahead/http`, `/r2`, `/s3`, `/seaweedfs`), so that
 * a user of one never ships another.
 */
export type { ErrorKind, ReadaheadErrorOptions } from "./errors.ts";
export { ReadaheadError } from "./errors.ts";
export type { CorsPolicy } from "./http/cors.ts";
export type { Exchange } from "./http/exchange.ts";
export type { ExplainContext, Handler, HandlerContext, HandlerOptions } from "./http/handler.ts";
export { createHandler } from "./http/handler.ts";
export type { Authorise, AuthoriseRequest, Claim, Front, Mount } from "./http/mount.ts";
export type { Finish, Observation, Observer, RequestFacts } from "./http/observer.ts";
export type { S3Bucket, S3FrontOptions } from "./http/s3/front.ts";
export { createS3Front } from "./http/s3/front.ts";
export type { S3ClientCredential, S3FrontMount } from "./http/s3/mount.ts";
export type { SignLinkOptions } from "./http/signed-link.ts";
export { createLinkAuthorise, signLink } from "./http/signed-link.ts";
export type { Ceilings, Lease } from "./readahead/budget.ts";
export { Budget } from "./readahead/budget.ts";
export type { ByteRange } from "./readahead/byte-range.ts";
export type { Download, DownloadOptions } from "./readahead/download.ts";
export { createDownload } from "./readahead/download.ts";
export type { AttemptEnd, EndedBy, Observe, ReadaheadEvent, Totals } from "./readahead/events.ts";
export type { Layout, Segment } from "./readahead/layout.ts";
export type { Limits } from "./readahead/limits.ts";
export { defaultLimits } from "./readahead/limits.ts";
export type { ObjectName, ReadaheadOptions } from "./readahead/object-stream.ts";
export { readahead } from "./readahead/object-stream.ts";
export type { Ask, Permits } from "./readahead/permits.ts";
export { Reserve } from "./readahead/reserve.ts";
export type {
  Answer,
  Body,
  CallContext,
  ClientKeys,
  Facts,
  FirstAnswer,
  KnownPiece,
  ListEntry,
  ListPage,
  ListRequest,
  OpenObject,
  OpenRequest,
  Piece,
  Pin,
  PinnedFacts,
  ReadRequest,
  Source,
  StoredPiece,
  Want,
} from "./sources/source.ts";
