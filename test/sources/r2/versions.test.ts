import { describe, expect, it } from "vitest";
import { createR2Source, type R2BucketBinding } from "../../../src/sources/r2.ts";
import { checkLeaks } from "../../support/leak-check.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { errorOf, piece, setup, size } from "./setup.ts";

checkLeaks();

describe("createR2Source: versions", () => {
  it("dates an object to the second, or a client's own date would not be that of its copy", async () => {
    const { open } = setup();
    expect((await open("facts")).facts.lastModified).toBe(Date.UTC(2026, 0, 1));
  });

  it("pins every read by tag, so that not even the first byte of another version is fetched", async () => {
    const { bucket, open, context } = setup();
    const object = await open("facts");
    const { etag } = object.facts;
    bucket.put("file", { bytes: contentBytes(ramp, 1, size + 1) });
    const error = await errorOf(object.read(piece, { start: 0, end: 10 }, context));
    expect(error.kind).toBe("changed");
    expect(bucket.calls.at(-1)?.options?.onlyIf).toEqual({ etagMatches: etag?.slice(1, -1) });
  });

  it("compares what is answered all the same, and cancels the body of another version", async () => {
    const { bucket, download, context } = setup();
    const careless: R2BucketBinding = {
      ...bucket,
      get: (key, { range, ssecKey } = {}) =>
        bucket.get(key, { ...(range && { range }), ...(ssecKey && { ssecKey }) }),
    };
    const source = createR2Source({ bucket: careless });
    const object = await source.open("file", { ...download, want: "facts" });
    bucket.put("file", { bytes: contentBytes(ramp, 1, size + 1) });
    const reading = object.read(piece, { start: 0, end: 10 }, context);
    expect((await errorOf(reading)).kind).toBe("changed");
    expect(bucket.openBodies).toBe(0);
  });
});
