/** Objects that lie in a mounted remote storage: only filers can fetch them, and may take a while. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { delay } from "../../../src/readahead/delay.ts";
import { parseEntry } from "../../../src/sources/seaweedfs/entry.ts";
import { etagOf } from "../../../src/sources/seaweedfs/facts.ts";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import type { Reply } from "../../support/seaweedfs/http-server.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { readKey } from "../../support/seaweedfs/read-object.ts";

const size = 100_000;
const content = Buffer.from(contentBytes(ramp, 0, size));
let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start({ filers: 2 });
  const metadata = JSON.stringify({
    FullPath: "/o",
    FileSize: size,
    Remote: { remote_e_tag: "t", remote_size: size },
  });
  cluster.entries.set("/o", { metadata, content });
});
afterEach(() => endCluster(cluster));

function sourceOf(options: Partial<SeaweedfsOptions> = {}): Source {
  return createSeaweedfsSource({
    filer: cluster.filers.map((server) => server.url),
    master: cluster.masterUrl,
    ...options,
  });
}

function contentReads(index: number): number {
  return cluster.filers[index]?.seen.filter((seen) => seen.target === "/o").length ?? 0;
}

it("is read from the other filer at once where one fails", async () => {
  const [first] = cluster.filers;
  if (first !== undefined)
    first.fault = (seen) =>
      seen.target === "/o" ? { do: "reply", reply: { status: 500 } } : undefined;
  const { bytes, totals } = await downloadKey(sourceOf(), "o");
  expect(Buffer.compare(bytes, content)).toBe(0);
  expect(totals.retries).toBe(1);
  expect([contentReads(0), contentReads(1)]).toEqual([1, 1]);
});

it("is waited for while a filer fetches it, whatever other filers there are", async () => {
  const source = sourceOf({
    fetch: async (url, init) => {
      if (url.endsWith("/o")) await delay(3_500, init.signal);
      return fetch(url, init);
    },
  });
  const { bytes, totals } = await downloadKey(source, "o");
  expect(Buffer.compare(bytes, content)).toBe(0);
  expect(totals.retries).toBe(0);
}, 20_000);

it.each([
  ["a shorter range", `bytes 0-9/${size}`, "protocol"],
  ["another range", `bytes 1-${size}/${size + 1}`, "changed"],
  ["another size", `bytes 0-${size - 1}/${size + 1}`, "changed"],
  ["a size that is not told", `bytes 0-${size - 1}/*`, "changed"],
  ["no range", "", "changed"],
])("is refused where a filer answers %s", async (_what, contentRange, kind) => {
  const headers = { "Content-Range": contentRange };
  for (const filer of cluster.filers)
    filer.fault = (seen) =>
      seen.target === "/o"
        ? { do: "reply", reply: { status: 206, headers, body: content } }
        : undefined;
  await expect(downloadKey(sourceOf(), "o")).rejects.toMatchObject({ kind });
});

it("is refused where a filer answers with another part of it, or with all of it", async () => {
  const [first] = cluster.filers;
  const answer = (reply: Reply) => {
    if (first !== undefined)
      first.fault = ({ target }) => (target === "/o" ? { do: "reply", reply } : undefined);
  };
  const source = sourceOf({ filer: cluster.filerUrl });
  const headers = { "Content-Range": `bytes 0-9/${size}` };
  answer({ status: 206, headers, body: content.subarray(0, 10) });
  const refused = { kind: "protocol", replica: first?.host, alternatives: false };
  await expect(readKey(source, "o", { start: 5, end: 10 })).rejects.toMatchObject(refused);
  answer({ status: 200, body: content });
  await expect(readKey(source, "o")).rejects.toMatchObject(refused);
});

it("is another one where its time has changed, and the same where a filer names none", async () => {
  const metadata = cluster.entries.get("/o")?.metadata ?? "";
  const Mtime = "2026-01-02T03:04:05Z";
  cluster.entries.set("/o", {
    metadata: JSON.stringify({ ...(JSON.parse(metadata) as object), Mtime }),
    content,
  });
  expect(Buffer.compare(await readKey(sourceOf(), "o"), content)).toBe(0);
  const headers = {
    "Content-Range": `bytes 0-${size - 1}/${size}`,
    "Last-Modified": "Fri, 02 Jan 2026 03:04:06 GMT",
  };
  for (const filer of cluster.filers)
    filer.fault = ({ target }) =>
      target === "/o" ? { do: "reply", reply: { status: 206, headers, body: content } } : undefined;
  await expect(readKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "changed" });
});

it("is asked for as it lies, at the path that was opened, and with the filer's token", async () => {
  await cluster.close();
  cluster = await FakeCluster.start({ filers: 2, filerKey: "filer" });
  const metadata = JSON.stringify({
    FullPath: "/elsewhere",
    FileSize: size,
    Remote: { remote_e_tag: "t", remote_size: size },
  });
  cluster.entries.set("/o", { metadata, content });
  // As the source sends it: Node's fetch names that encoding by itself, others do not.
  const encodings: unknown[] = [];
  const source = sourceOf({
    filerTokenSecret: "filer",
    fetch: (url, init) => {
      if (url.endsWith("/o")) encodings.push(init.headers["accept-encoding"]);
      return fetch(url, init);
    },
  });
  expect(Buffer.compare(await readKey(source, "o"), content)).toBe(0);
  expect(encodings).toEqual(["identity"]);
});

it.each([
  ["not fetched yet", {}, {}, '"046b-3"'],
  [
    "fetched by the filer",
    { chunked: true },
    { last_local_sync_ts_ns: "1790000000000000000" },
    '"046b-3"',
  ],
  ["empty", { FileSize: 0 }, { remote_size: 0 }, '"046b-3"'],
  ["written over", { chunked: true }, {}, '"83f68e3a"'],
  [
    "written over by another size",
    { chunked: true, FileSize: 9 },
    { last_local_sync_ts_ns: 1 },
    '"83f68e3a"',
  ],
  [
    "fetched from a storage without tags",
    { chunked: true },
    { last_local_sync_ts_ns: 1, remote_e_tag: "" },
    '"83f68e3a"',
  ],
  [
    "written over by a small one",
    { Content: btoa("0123456789"), Md5: "eB5eJF1ptWaXm4bijSPyxw==" },
    {},
    '"781e5e245d69b566979b86e28d23f2c7"',
  ],
])(
  "has the remote's tag for S3 clients as long as its bytes are the remote's: %s",
  (_name, more, synced, tag) => {
    const { chunked, ...fields } = { chunked: false, FileSize: 10, ...more };
    const chunks = [{ file_id: "1,145485cb8e", size: 9, e_tag: "g/aOOg==", modified_ts_ns: 1 }];
    const Remote = { remote_e_tag: '"046b-3"', remote_size: 10, ...synced };
    const text = JSON.stringify({ FullPath: "/o", ...fields, Remote, ...(chunked && { chunks }) });
    expect(etagOf(parseEntry(text), "s3")).toBe(tag);
  },
);

describe("an object that the filer has a copy of", () => {
  /** Copies `copied` bytes in two chunks; the metadata says what the remote storage has. */
  function putCopy(copied: number, fileSize: number, remoteSize: number): void {
    putObject(cluster, "/o", { size: copied, chunkBytes: copied / 2 });
    const entry = cluster.entries.get("/o");
    const metadata = {
      ...(JSON.parse(entry?.metadata ?? "") as object),
      FileSize: fileSize,
      Remote: { remote_e_tag: "t", remote_size: remoteSize, last_local_sync_ts_ns: 1 },
    };
    cluster.entries.set("/o", { metadata: JSON.stringify(metadata), content });
  }

  it.each([
    ["whole", 2000, 2000, 2000],
    ["of a version that was shorter, as the filer does", 1000, 2000, 2000],
    ["of a version that was longer", 2000, 2000, 1000],
    ["and written over with zeros at its end", 2000, 3000, 1000],
  ])("%s is read from its chunks", async (_what, copied, fileSize, remoteSize) => {
    putCopy(copied, fileSize, remoteSize);
    const { bytes } = await downloadKey(sourceOf(), "o");
    const expected = Buffer.alloc(fileSize);
    expected.set(contentBytes(ramp, 0, copied));
    expect(Buffer.compare(bytes, expected)).toBe(0);
    expect([contentReads(0), contentReads(1)]).toEqual([0, 0]);
  });
});

it("has a tag of its own for clients of the filer once that has fetched it", () => {
  const chunks = [{ file_id: "1,145485cb8e", size: 10, e_tag: "g/aOOg==", modified_ts_ns: 1 }];
  const Remote = { remote_e_tag: "t", remote_size: 10, last_local_sync_ts_ns: 1 };
  const fields = { FullPath: "/o", FileSize: 10, Remote };
  expect(etagOf(parseEntry(JSON.stringify(fields)), "filer")).toBe('"t"');
  expect(etagOf(parseEntry(JSON.stringify({ ...fields, chunks })), "filer")).toBe('"83f68e3a"');
});
