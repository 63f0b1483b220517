/** An S3 endpoint in this process: the handler with an S3 front over the fake store, and a client that signs. */
import { AwsV4Signer } from "aws4fetch";
import { expect } from "vitest";
import { createHandler } from "../../../src/http/handler.ts";
import type { Mount } from "../../../src/http/mount.ts";
import type { Observer } from "../../../src/http/observer.ts";
import { createS3Front, type S3Bucket } from "../../../src/http/s3/front.ts";
import { createS3Source } from "../../../src/sources/s3.ts";
import type { Source } from "../../../src/sources/source.ts";
import { createFakeS3, type FakeS3 } from "../../sources/s3/fake-s3.ts";
import { contentBytes, firstDifference, ramp } from "../../support/object-bytes.ts";

export const origin = "https://edge.example";
export const size = 300_007;

export interface Client {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export const whole: Client = { accessKeyId: "AKWHOLE", secretAccessKey: "secret-of-whole" };
export const reports: Client = { accessKeyId: "AKREPORTS", secretAccessKey: "secret-of-reports" };
export const elsewhere: Client = { accessKeyId: "AKELSE", secretAccessKey: "secret-of-else" };
const lister: Client = { accessKeyId: "AKLIST", secretAccessKey: "secret-of-list" };

export interface SignOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly client?: Client;
  readonly region?: string;
  readonly service?: string;
  /** `x-amz-date`'s moment; default now. */
  readonly at?: number;
  /** What a front between says of the request. */
  readonly cf?: object;
  /** Presigned URL that holds so many seconds. */
  readonly presign?: number;
  readonly body?: string;
}

/** Signs with aws4fetch, which knows nothing of the front. */
export async function signed(path: string, options: SignOptions = {}): Promise<Request> {
  const url = new URL(path, origin);
  if (options.presign !== undefined) url.searchParams.set("X-Amz-Expires", String(options.presign));
  const signer = new AwsV4Signer({
    url: url.href,
    method: options.method ?? "GET",
    headers: options.headers ?? {},
    ...(options.client ?? whole),
    region: options.region ?? "us-east-1",
    service: options.service ?? "s3",
    datetime: new Date(options.at ?? Date.now()).toISOString().replace(/[:-]|\.\d{3}/g, ""),
    signQuery: options.presign !== undefined,
    allHeaders: true,
    ...(options.body !== undefined && { body: options.body }),
  });
  const { method, url: to, headers } = await signer.sign();
  return new Request(to, {
    method,
    headers: [...headers, ["host", url.host]],
    ...(options.body !== undefined && { body: options.body }),
  });
}

export interface Endpoint {
  readonly fake: FakeS3;
  fetch(request: Request): Promise<Response>;
  /** Signs and sends. */
  ask(path: string, options?: SignOptions): Promise<Response>;
}

export interface EndpointOptions {
  readonly now?: () => number;
  readonly source?: Source;
  readonly hosts?: readonly string[];
  readonly plain?: readonly Mount[];
  readonly observer?: Observer;
  /** Of every bucket's mount. */
  readonly mount?: Partial<Mount>;
}

/** Buckets: `media` (signed; one key for all of it, one for `reports/`), `open` (public), `open-quiet` (no public list), `listed` (a public list alone), `other`. */
export function createEndpoint(options: EndpointOptions = {}): Endpoint {
  const fake = createFakeS3({ public: true });
  const source =
    options.source ??
    createS3Source({ endpoint: "https://s3.example", bucket: "bucket", fetch: fake.fetch });
  const bucket = (name: string, more: Partial<S3Bucket>): S3Bucket => ({
    bucket: name,
    access: "signed",
    listAccess: "signed",
    regions: ["us-east-1", "auto"],
    hosts: [],
    credentials: [whole],
    mount: { name, prefix: `/${name}/`, source, ...options.mount },
    ...more,
  });
  const front = createS3Front({
    buckets: [
      bucket("media", {
        credentials: [whole, { ...reports, prefixes: ["reports/"] }],
        hosts: options.hosts ?? [],
      }),
      bucket("open", { access: "public", listAccess: "public" }),
      bucket("open-quiet", { access: "public" }),
      bucket("listed", { listAccess: "public", credentials: [lister] }),
      bucket("other", { credentials: [elsewhere] }),
    ],
    now: options.now,
  });
  const { plain: mounts = [], observer } = options;
  const handle = createHandler({ mounts, fronts: [front], observer });
  return {
    fake,
    fetch: (request) => handle(request),
    ask: async (path, sign) => handle(Object.assign(await signed(path, sign), { cf: sign?.cf })),
  };
}

/** An endpoint with objects `key` and `reports/a`. */
export function setUp(options: EndpointOptions = {}): Endpoint {
  const endpoint = createEndpoint(options);
  endpoint.fake.space.store("key", { content: ramp, size, headers: { "content-type": "x/y" } });
  endpoint.fake.space.store("reports/a", { content: ramp, size: 10 });
  return endpoint;
}

/** The answer has these bytes of the ramp. */
export async function expectBytes(response: Response, start: number, end: number): Promise<void> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect(firstDifference(bytes, contentBytes(ramp, start, end))).toBe(-1);
}

/** The error code of an XML answer. */
export async function codeOf(response: Response): Promise<string | undefined> {
  return /<Code>(\w+)<\/Code>/.exec(await response.text())?.[1];
}
