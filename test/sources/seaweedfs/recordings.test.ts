/** Every recorded case of a running SeaweedFS 4.44, read through a fake cluster over HTTP: whole and at 20 ranges each. */
import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ErrorKind } from "../../../src/errors.ts";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import type { ClientKeys, Source } from "../../../src/sources/source.ts";
import { firstDifference } from "../../support/object-bytes.ts";
import { createTestDownload } from "../../support/permits.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { readRange } from "../../support/seaweedfs/read-object.ts";
import { cook } from "../../support/seaweedfs/recipe.ts";
import {
  addRecording,
  loadRecordings,
  type RecordedCase,
} from "../../support/seaweedfs/recordings.ts";
import { until } from "../../support/until.ts";

const cases = loadRecordings();

/** What must be refused, and how; everything else with `content` must be read. */
const refusals: Readonly<Record<string, ErrorKind>> = {
  "s3-kms": "unsupported",
  "s3-kms-multipart": "unsupported",
  "manifest-broken": "lost",
  "lost-chunk": "lost",
  "lost-volume": "unavailable",
  "delete-marker": "not-found",
  directory: "not-found",
  "s3-folder-marker": "not-found",
  "bucket-versioned": "not-found",
  "versions-dir": "not-found",
  "deleted-dir": "not-found",
  "suspended-dir": "not-found",
  "version-null-dir": "not-found",
  "remote-only": "not-found",
};

/** Objects that SeaweedFS itself answers wrongly or not at all: what a careful reader makes of them. */
const ours: Readonly<
  Record<string, readonly [start: number, end: number, base: number | "ramp" | "zeros"][]>
> = {
  // A[0,100) counts from 0x00, B[50,150) from 0x40, C[20,80) from 0x80; the later of equal times wins.
  "overlap-tie-1": [
    [0, 50, 0],
    [50, 150, 0x40 - 50],
  ],
  "overlap-tie-2": [
    [0, 50, 0],
    [50, 80, 0x40 - 50],
    [80, 100, 0],
  ],
  "overlap-tie-3": [
    [0, 50, 0x40],
    [50, 100, 0],
  ],
  // C is newer than A and B.
  "overlap-tie-4": [
    [0, 20, 0],
    [20, 80, 0x80 - 20],
    [80, 150, 0x40 - 50],
  ],
  // A copy older and shorter than what lies in the remote storage: as the filer tells it, to its new size.
  "remote-cached": [
    [0, 1000, "ramp"],
    [1000, 2000, "zeros"],
  ],
  // The filer has dropped B when it was written.
  "overlap-tie-flat": [
    [0, 100, 0],
    [100, 150, "zeros"],
  ],
};

it("every recording is read, refused or read in our own way", () => {
  const lists = [...cases.values()].map((one) => ({
    name: one.case,
    lists: [one.content !== undefined, one.case in refusals, one.case in ours].filter(Boolean)
      .length,
  }));
  expect(lists.filter((one) => one.lists !== 1)).toEqual([]);
  for (const name of [...Object.keys(refusals), ...Object.keys(ours)])
    expect(cases.has(name), name).toBe(true);
});

describe.each(["main", "cipher", "jwt", "extra"] as const)("recordings of cluster %s", (name) => {
  let cluster: FakeCluster;
  let source: Source;
  const recorded = [...cases.values()].filter((one) => one.cluster === name);

  beforeAll(async () => {
    const keys = { volumeKey: "volume-read-key", filerKey: "filer-read-key" };
    cluster = await FakeCluster.start(name === "jwt" ? keys : {});
    source = createSeaweedfsSource({
      filer: cluster.filerUrl,
      master: cluster.masterUrl,
      filerTokenSecret: "filer-read-key",
      volumeTokenSecret: "volume-read-key",
      sseKeySecret: "my-secret",
      metadataTtlMs: 0,
    });
    for (const one of recorded) addRecording(cluster, one);
  });

  afterAll(() => cluster.close());

  afterEach(async () => {
    await until("no body is open", () => cluster.openBodies === 0);
  });

  const readable = recorded.filter((one) => one.content !== undefined && !(one.case in refusals));

  it.each(readable.map((one) => [one.case, one] as const))("reads %s", async (_name, one) => {
    addRecording(cluster, one);
    const { content } = one;
    if (content === undefined) return;
    const expected = cook(content.recipe);
    expect(createHash("sha256").update(expected).digest("hex")).toBe(content.sha256);
    const download = createTestDownload();
    const clientKeys = customerKeys(one);
    const object = await source.open(one.path.slice(1), {
      ...download,
      want: { start: 0 },
      clientKeys,
    });
    expect(object.facts.size).toBe(content.length);
    const whole = await readRange(object, { start: 0, end: content.length }, download);
    expect(Buffer.compare(whole, expected), "whole object").toBe(0);
    for (const range of rangesOf(one, content.length)) {
      const bytes = await readRange(object, range, download);
      const difference = firstDifference(bytes, expected.subarray(range.start, range.end));
      expect(difference, `[${range.start}, ${range.end})`).toBe(-1);
    }
    expect(download.permits.held).toBe(0);
  });

  it.each(recorded.filter((one) => one.case in refusals).map((one) => [one.case, one] as const))(
    "refuses %s",
    async (_name, one) => {
      addRecording(cluster, one);
      if (one.case === "remote-only")
        cluster.entries.set(one.path, { metadata: one.metadata, contentStatus: 404 });
      const download = createTestDownload();
      const reading = source
        .open(one.path.slice(1), { ...download, want: "facts" })
        .then((object) => readRange(object, { start: 0, end: object.facts.size ?? 0 }, download));
      await expect(reading).rejects.toMatchObject({ kind: refusals[one.case] });
    },
  );

  it.each(recorded.filter((one) => one.case in ours).map((one) => [one.case, one] as const))(
    "reads %s byte by byte, the later of equal times where chunks overlap",
    async (_name, one) => {
      const download = createTestDownload();
      const object = await source.open(one.path.slice(1), { ...download, want: "facts" });
      const size = object.facts.size ?? 0;
      const bytes = await readRange(object, { start: 0, end: size }, download);
      const byteAt = (base: number | "ramp" | "zeros", at: number) =>
        base === "zeros" ? 0 : base === "ramp" ? at % 251 : (base + at) & 255;
      const expected = (ours[one.case] ?? []).flatMap(([start, end, base]) =>
        Array.from({ length: end - start }, (_, i) => byteAt(base, start + i)),
      );
      expect([...bytes]).toEqual(expected);
    },
  );

  it.each(
    recorded
      .filter((one) => one.head?.headers["Content-Length"] !== undefined)
      .map((one) => [one.case, one] as const),
  )("names size, entity tag, time and type of %s as the filer does", async (_name, one) => {
    addRecording(cluster, one);
    const download = createTestDownload();
    const clientKeys = customerKeys(one);
    let facts: Awaited<ReturnType<Source["open"]>>["facts"];
    try {
      ({ facts } = await source.open(one.path.slice(1), {
        ...download,
        want: "facts",
        clientKeys,
      }));
    } catch (error) {
      if (one.case in refusals) return;
      throw error;
    }
    const head = one.head?.headers ?? {};
    expect(facts.size).toBe(Number(head["Content-Length"]));
    expect(facts.etag).toBe(head["Etag"]);
    expect(facts.headers["content-type"]).toBe(head["Content-Type"]);
    expect(facts.headers["cache-control"]).toBe(head["Cache-Control"]);
    expect(facts.headers["content-encoding"]).toBe(head["Content-Encoding"]);
    expect(facts.lastModified).toBe(Date.parse(String(head["Last-Modified"])));
    expect(
      Object.keys(facts.headers).filter((header) =>
        /seaweed|xattr|tagging-(?!count)/i.test(header),
      ),
    ).toEqual([]);
  });
});

function customerKeys(one: RecordedCase): ClientKeys | undefined {
  const secret = one.content?.secret;
  if (secret?.["sseCustomerKey"] === undefined) return undefined;
  const key = secret["sseCustomerKey"];
  return { algorithm: "AES256", key, keyMd5: secret["sseCustomerKeyMD5"] ?? "" };
}

/** 20 ranges: ends, single bytes, both sides of chunk borders, odd offsets. */
function rangesOf(one: RecordedCase, size: number): { start: number; end: number }[] {
  if (size === 0) return [];
  const borders = [...one.metadata.matchAll(/"offset":(\d+)/g)].map((match) => Number(match[1]));
  const ranges: { start: number; end: number }[] = [
    { start: 0, end: 1 },
    { start: size - 1, end: size },
    { start: Math.floor(size / 2), end: Math.floor(size / 2) + 1 },
    { start: 0, end: Math.min(size, 17) },
    { start: Math.max(0, size - 100), end: size },
  ];
  for (const border of borders.slice(0, 5)) {
    ranges.push({ start: border, end: border + 1 });
    ranges.push({ start: Math.max(0, border - 5), end: border + 7 });
  }
  for (let i = 0, seed = 7; ranges.length < 20; i++) {
    seed = (seed * 48_271) % 2_147_483_647;
    const start = seed % size;
    ranges.push({ start, end: Math.min(size, start + 1 + ((seed >> 5) % 5_000) * (i % 3) + i) });
  }
  return ranges
    .map(({ start, end }) => ({ start, end: Math.min(end, size) }))
    .filter(({ start, end }) => start < end);
}
