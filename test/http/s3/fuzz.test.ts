/**
 * Mutated requests against the front. S3_FUZZ_REQUESTS sets their number (4,000; CI sends 100,000 as well), S3_FUZZ_SEED the
 * random seed (CI: the day's). What must hold, for every request: no failure of ours (5xx, but for NotImplemented,
 * which is S3's word for a sub-resource), no question to a private store unless a second implementation of the signature
 * agrees that the request is signed with a key that may, and none for a request that is refused. Every 100th request is
 * sound and must bring the object, byte for byte.
 */
import { AwsV4Signer } from "aws4fetch";
import { describe, expect, it } from "vitest";
import { createHandler } from "../../../src/http/handler.ts";
import { createS3Front } from "../../../src/http/s3/front.ts";
import type { S3FrontMount } from "../../../src/http/s3/mount.ts";
import { createS3Source } from "../../../src/sources/s3.ts";
import { createFakeS3, type FakeS3 } from "../../sources/s3/fake-s3.ts";
import { contentBytes, firstDifference, ramp } from "../../support/object-bytes.ts";
import { createRandom, type Random } from "../../support/random.ts";
import { type Draft, draft, mutate, pick } from "./mutants.ts";
import { type Client, elsewhere, origin, reports, whole } from "./support.ts";

const requests = Number(process.env["S3_FUZZ_REQUESTS"] ?? 4000);
const seed = Number(process.env["S3_FUZZ_SEED"] ?? 20261123);
const size = 1000;
const clients = [whole, reports, elsewhere];

/** Codes that only somebody whose signature held, or a public bucket, gets to hear. */
const pastTheSignature = new Set([
  "InvalidRange",
  "InvalidPartNumber",
  "MethodNotAllowed",
  "NoSuchBucket",
  "NoSuchKey",
  "NoSuchVersion",
  "NotImplemented",
  "PreconditionFailed",
]);
/** Codes after which a store may have been asked. */
const ofTheStore = new Set([
  "InvalidRange",
  "InvalidPartNumber",
  "NoSuchKey",
  "NoSuchVersion",
  "PreconditionFailed",
]);

function store(): FakeS3 {
  const fake = createFakeS3({ public: true });
  for (const key of ["key", "reports/a", "a b+c"]) fake.space.store(key, { content: ramp, size });
  return fake;
}

function setUp() {
  const stores = { media: store(), open: store(), other: store() };
  const bucket = (name: keyof typeof stores, more: Partial<S3FrontMount>) => ({
    bucket: name,
    access: "signed" as const,
    listAccess: "signed" as const,
    regions: ["us-east-1", "auto"],
    hosts: [],
    credentials: [whole],
    mount: {
      name,
      prefix: `/${name}/`,
      source: createS3Source({
        endpoint: "https://s3.example",
        bucket: "bucket",
        fetch: stores[name].fetch,
      }),
    },
    ...more,
  });
  const front = createS3Front({
    buckets: [
      bucket("media", { credentials: [whole, { ...reports, prefixes: ["reports/"] }] }),
      bucket("open", { access: "public", listAccess: "public" }),
      bucket("other", { credentials: [elsewhere] }),
    ],
  });
  return { stores, handle: createHandler({ mounts: [], fronts: [front], factsMs: 0 }) };
}

async function sign(request: Draft, client: Client, presign: boolean, at: number): Promise<void> {
  const url = new URL(request.url);
  if (presign) url.searchParams.set("X-Amz-Expires", "600");
  const signer = new AwsV4Signer({
    url: url.href,
    method: request.method,
    headers: request.headers.filter(([name]) => name !== "host"),
    ...client,
    region: "us-east-1",
    service: "s3",
    datetime: amzDate(at),
    signQuery: presign,
    allHeaders: true,
  });
  const signed = await signer.sign();
  request.url = signed.url.href;
  request.headers = [...signed.headers, ["host", url.host]];
}

function amzDate(at: number): string {
  return new Date(at).toISOString().replace(/[:-]|\.\d{3}/g, "");
}

/** Whether aws4fetch would sign the request as it stands with the signature that it carries; and for whom. */
async function senderOf(request: Request): Promise<Client | undefined> {
  const url = new URL(request.url);
  const header = request.headers.get("authorization");
  const claim = (name: string) =>
    header === null
      ? url.searchParams.get(`X-Amz-${name}`)
      : new RegExp(`${name}=([^,\\s]*)`).exec(header)?.[1];
  const client = clients.find(({ accessKeyId }) =>
    claim("Credential")?.startsWith(`${accessKeyId}/`),
  );
  const signature = claim("Signature");
  if (client === undefined || !signature) return undefined;
  const scope = claim("Credential")?.split("/") ?? [];
  const names = claim("SignedHeaders")?.split(";") ?? [];
  const datetime =
    (header === null ? url.searchParams.get("X-Amz-Date") : request.headers.get("x-amz-date")) ??
    "";
  const host = request.headers.get("host");
  if (host !== null) url.host = host;
  url.searchParams.delete("X-Amz-Signature");
  const again = await new AwsV4Signer({
    url: url.href,
    method: request.method,
    headers: [...request.headers].filter(([name]) => names.includes(name) && name !== "host"),
    ...client,
    region: scope[2] ?? "",
    service: "s3",
    datetime,
    signQuery: header === null,
    allHeaders: true,
  }).sign();
  const same =
    header === null
      ? again.url.searchParams.get("X-Amz-Signature")
      : /Signature=(.*)/.exec(again.headers.get("authorization") ?? "")?.[1];
  return same === signature ? client : undefined;
}

/** Whether a key may ask the media store this. */
function mayAsk(client: Client | undefined, url: string): boolean {
  if (client === whole) return true;
  const { pathname, searchParams } = new URL(url);
  return (
    client === reports &&
    (pathname.startsWith("/bucket/reports/") ||
      searchParams.get("prefix")?.startsWith("reports/") === true)
  );
}

async function makeMutant(random: Random): Promise<{ request: Draft; signedAfter: boolean }> {
  const request = draft(random);
  const count = 1 + Math.floor(random() * 3);
  const signedAfter = random() < 0.6;
  const client = random() < 0.75 ? whole : pick(random, clients);
  const presign = random() < 0.3;
  const mutateAll = () => {
    for (let i = 0; i < count; i++) mutate(request, random);
  };
  if (signedAfter) mutateAll();
  // Some are never signed: strangers.
  if (signedAfter || random() < 0.8) await sign(request, client, presign, Date.now());
  if (!signedAfter) mutateAll();
  return { request, signedAfter };
}

describe("the S3 front", () => {
  it(`stands ${requests} mutated requests (random seed ${seed})`, async () => {
    const random = createRandom(seed);
    const { stores, handle } = setUp();
    const seen = () => [...stores.media.seen, ...stores.open.seen, ...stores.other.seen].length;
    let mutants = 0;
    let past = 0;
    let unsendable = 0;
    for (let i = 0; i < requests; i++) {
      if (i % 100 === 99) {
        const sound: Draft = { method: "GET", url: `${origin}/media/key`, headers: [] };
        await sign(sound, whole, random() < 0.5, Date.now());
        const response = await handle(new Request(sound.url, sound));
        expect(response.status, `request ${i}`).toBe(200);
        const bytes = new Uint8Array(await response.arrayBuffer());
        expect(firstDifference(bytes, contentBytes(ramp, 0, size)), `request ${i}`).toBe(-1);
        continue;
      }
      let request: Request;
      let signedAfter: boolean;
      try {
        const mutant = await makeMutant(random);
        signedAfter = mutant.signedAfter;
        request = new Request(mutant.request.url, mutant.request);
      } catch (error) {
        // No client could send it: not a URL, not a header. The platform refuses it before we would.
        if (!(error instanceof TypeError || error instanceof URIError)) throw error;
        unsendable++;
        continue;
      }
      mutants++;
      const before = {
        all: seen(),
        media: stores.media.seen.length,
        other: stores.other.seen.length,
      };
      const response = await handle(request);
      const text = await response.text();
      const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1];
      const where = `request ${i}: ${request.method} ${request.url} ${JSON.stringify([...request.headers])} -> ${response.status} ${code}`;
      if (response.status >= 500) expect(response.status, where).toBe(501);
      expect(text, where).not.toContain("s3.example");
      const asked = seen() - before.all;
      const answered = response.status < 400;
      if (asked > 0 && !answered && request.method !== "HEAD")
        expect(ofTheStore.has(code ?? ""), where).toBe(true);
      const media = stores.media.seen.slice(before.media);
      const other = stores.other.seen.slice(before.other);
      if (media.length > 0 || other.length > 0) {
        const client = await senderOf(request);
        expect(client, where).toBeDefined();
        for (const { url } of media) expect(mayAsk(client, url), where).toBe(true);
        if (other.length > 0) expect(client, where).toBe(elsewhere);
      }
      if (signedAfter && (answered || pastTheSignature.has(code ?? ""))) past++;
    }
    console.log(
      `${mutants} mutants, ${unsendable} unsendable, ${past} signed after mutation and past the signature check`,
    );
    expect(past / mutants).toBeGreaterThan(0.2);
    expect(mutants / requests).toBeGreaterThan(0.8);
    for (const fake of Object.values(stores)) expect(fake.space.stats().openBodies).toBe(0);
  }, 1_200_000);
});
