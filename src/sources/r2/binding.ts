/** As much of an R2 bucket binding as is used, so that the library's declarations need no platform types. */

/** `R2Bucket` of the platform fits. */
export interface R2BucketBinding {
  head(key: string): Promise<R2ObjectHead | null>;
  /** An object without `body`: `onlyIf` failed. */
  get(key: string, options?: R2GetRequest): Promise<R2ObjectHead | R2ObjectWithBody | null>;
  list(options?: R2ListRequest): Promise<R2ObjectList>;
}

export type R2Stretch =
  | { offset: number; length?: number }
  | { offset?: number; length: number }
  | { suffix: number };

/** What an answer says it holds. workerd sets the fields that do not apply to `undefined`, so `in` tells nothing. */
export interface R2AnsweredRange {
  readonly offset?: number | undefined;
  readonly length?: number | undefined;
  readonly suffix?: number | undefined;
}

export interface R2GetRequest {
  range?: R2Stretch;
  onlyIf?: { etagMatches: string } | Headers;
  ssecKey?: ArrayBuffer;
}

export interface R2ListRequest {
  prefix?: string;
  startAfter?: string;
  cursor?: string;
  delimiter?: string;
  limit?: number;
}

export interface R2ObjectHead {
  readonly key: string;
  readonly size: number;
  /** Without quotes; {@link httpEtag} with them. */
  readonly etag: string;
  readonly httpEtag: string;
  readonly uploaded: Date;
  readonly range?: R2AnsweredRange;
  readonly httpMetadata?: {
    readonly contentType?: string;
    readonly contentLanguage?: string;
    readonly contentDisposition?: string;
    readonly contentEncoding?: string;
    readonly cacheControl?: string;
    readonly cacheExpiry?: Date;
  };
  readonly customMetadata?: Readonly<Record<string, string>>;
  /** Of the whole object, as given at upload. */
  readonly checksums?: {
    readonly sha1?: ArrayBuffer | undefined;
    readonly sha256?: ArrayBuffer | undefined;
  };
  /** Hex, present on objects stored with a client's key. */
  readonly ssecKeyMd5?: string;
}

export interface R2ObjectWithBody extends R2ObjectHead {
  readonly body: ReadableStream<Uint8Array>;
}

export interface R2ObjectList {
  readonly objects: readonly R2ObjectHead[];
  readonly delimitedPrefixes: readonly string[];
  readonly truncated: boolean;
  /** Where to go on, if truncated. */
  readonly cursor?: string;
}

/** Milliseconds since the epoch, whole seconds: what Last-Modified can say. */
export function uploadedAt({ uploaded }: R2ObjectHead): number {
  return Math.floor(uploaded.getTime() / 1000) * 1000;
}

export function hasBody(object: R2ObjectHead | R2ObjectWithBody): object is R2ObjectWithBody {
  return "body" in object && object.body instanceof ReadableStream;
}
