/** What the tests of the S3 source share. */
import type { ReadaheadError } from "../../../src/errors.ts";
import { createS3Source, type S3SourceOptions } from "../../../src/sources/s3.ts";
import type { OpenRequest, Want } from "../../../src/sources/source.ts";
import { ramp } from "../../support/object-bytes.ts";
import { createTestDownload } from "../../support/permits.ts";
import { createFakeS3, type FakeS3Options, testCredentials } from "./fake-s3.ts";

export const size = 100_003;

/** Of SSE-C, in base64. */
export const customerKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/** A source over a fake store with one object, `key`. */
export function setUp(store: FakeS3Options = {}, source: Partial<S3SourceOptions> = {}) {
  const fake = createFakeS3(store);
  fake.space.store("key", { content: ramp, size });
  const made = createS3Source({
    endpoint: "https://s3.example",
    bucket: "bucket",
    credentials: testCredentials,
    fetch: fake.fetch,
    ...source,
  });
  const download = createTestDownload();
  const open = (want: Want, more: Partial<OpenRequest> = {}, key = "key") =>
    made.open(key, { ...download, want, ...more });
  const read = (object: Awaited<ReturnType<typeof open>>, start: number, end: number) =>
    object.read(
      { kind: "stored", range: { start: 0, end: size } },
      { start, end },
      {
        ...download,
        tried: () => false,
        suspect: () => false,
      },
    );
  return { fake, made, open, read, download };
}

/** What it rejects with. */
export async function failure(promise: Promise<unknown>): Promise<ReadaheadError> {
  try {
    await promise;
  } catch (error) {
    return error as ReadaheadError;
  }
  throw new Error("Expected a rejection");
}
