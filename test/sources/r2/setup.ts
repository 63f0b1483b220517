/** A bucket in memory with one object, and the source over it. */
import { ReadaheadError } from "../../../src/errors.ts";
import { createR2Source } from "../../../src/sources/r2.ts";
import type { OpenRequest, ReadRequest, StoredPiece } from "../../../src/sources/source.ts";
import type { FakeBucket } from "../../support/fake-bucket.ts";
import { createFakeBucket } from "../../support/fake-bucket.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { createTestDownload } from "../../support/permits.ts";

export const size = 1000;
export const piece: StoredPiece = { kind: "stored", range: { start: 0, end: size } };

export function setup(behaviour: "production" | "simulator" = "production") {
  const bucket = createFakeBucket(behaviour);
  bucket.put("file", { bytes: contentBytes(ramp, 0, size) });
  const source = createR2Source({ bucket });
  const download = createTestDownload();
  const context: ReadRequest = { ...download, tried: () => false, suspect: () => false };
  const open = (want: OpenRequest["want"], more: Partial<OpenRequest> = {}) =>
    source.open("file", { ...download, want, ...more });
  return { bucket, source, download, context, open };
}

export async function errorOf(promise: Promise<unknown>): Promise<ReadaheadError> {
  const error = await promise.catch((e: unknown) => e);
  if (error instanceof ReadaheadError) return error;
  throw error instanceof Error ? error : new Error("Expected a rejection");
}

export const callsOf = (bucket: FakeBucket) => bucket.calls.map(({ call }) => call);
