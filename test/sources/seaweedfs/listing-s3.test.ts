/** A SeaweedFS bucket listed and read through the S3 front, as SDKs do it. */
import { XMLParser } from "fast-xml-parser";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import { createEndpoint } from "../../http/s3/support.ts";
import { createTestDownload } from "../../support/permits.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { directoryJson } from "../../support/seaweedfs/directories.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { addRecording, loadRecordings } from "../../support/seaweedfs/recordings.ts";

let cluster: FakeCluster;

beforeAll(async () => {
  cluster = await FakeCluster.start();
});

afterAll(async () => {
  await cluster.close();
});

interface Page {
  readonly IsTruncated: string;
  readonly NextContinuationToken?: string;
  readonly NextMarker?: string;
  readonly Contents?: readonly {
    readonly Key: string;
    readonly Size: string;
    readonly ETag?: string;
  }[];
  readonly CommonPrefixes?: readonly { readonly Prefix: string }[];
}

const parser = new XMLParser({
  parseTagValue: false,
  trimValues: false,
  isArray: (name) => name === "Contents" || name === "CommonPrefixes",
});

function endpointOf(root: string) {
  const source = createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    root,
  });
  const endpoint = createEndpoint({ source });
  const list = async (query: string): Promise<Page> => {
    const response = await endpoint.ask(`/media?${query}`);
    const text = await response.text();
    expect(response.status, text).toBe(200);
    return parser.parse(text).ListBucketResult;
  };
  return { endpoint, list };
}

describe("a SeaweedFS bucket through the S3 front", () => {
  const keys = ["a-b", "a.txt", "a/1", "a/2/x", "a0", "é/ü", "😀"];

  beforeAll(() => {
    for (const key of keys) putObject(cluster, `/buckets/plain/${key}`, { size: 7 });
  });

  it("lists page after page in key order, both versions of the call", async () => {
    const { list } = endpointOf("/buckets/plain");
    for (const size of [1, 2, 3, 1000]) {
      const told: string[] = [];
      let token: string | undefined;
      do {
        const more = token === undefined ? "" : `&continuation-token=${token}`;
        const page = await list(`list-type=2&max-keys=${size}${more}`);
        told.push(...(page.Contents ?? []).map((entry) => entry.Key));
        token = page.NextContinuationToken;
      } while (token !== undefined);
      expect(told).toEqual(keys);
      const first: string[] = [];
      let marker: string | undefined = "";
      do {
        const page: Page = await list(`max-keys=${size}&marker=${encodeURIComponent(marker)}`);
        first.push(...(page.Contents ?? []).map((entry) => entry.Key));
        marker = page.NextMarker;
      } while (marker !== undefined);
      expect(first).toEqual(keys);
    }
  });

  it("rolls folders up, in pages, and never twice", async () => {
    const { list } = endpointOf("/buckets/plain");
    const told: string[] = [];
    let marker: string | undefined = "";
    do {
      const page: Page = await list(`delimiter=/&max-keys=1&marker=${encodeURIComponent(marker)}`);
      told.push(...(page.Contents ?? []).map((entry) => entry.Key));
      told.push(...(page.CommonPrefixes ?? []).map((entry) => entry.Prefix));
      marker = page.NextMarker;
    } while (marker !== undefined);
    expect(told).toEqual(["a-b", "a.txt", "a/", "a0", "é/", "😀"]);
  });

  it.each([
    ["versioned bucket", undefined],
    // Such a bucket need not say that it is versioned.
    ["bucket with object locks", { "Seaweed-X-Amz-Object-Lock-Enabled": "Enabled" }],
  ])(
    "shows of a recorded %s what can be read: latest versions, no delete markers",
    async (_what, extended) => {
      const cases = loadRecordings();
      for (const one of cases.values()) if (one.cluster === "extra") addRecording(cluster, one);
      if (extended !== undefined) {
        const metadata = directoryJson("/buckets/fixt-ver", { extended });
        cluster.entries.set("/buckets/fixt-ver", { metadata });
      }
      const { endpoint, list } = endpointOf("/buckets/fixt-ver");
      const page = await list("list-type=2");
      const told = (page.Contents ?? []).map((entry) => entry.Key);
      expect(told).toContain("doc.bin");
      expect(told).toContain("onlyold.bin");
      expect(told).not.toContain("gone.bin");
      expect(told.filter((key) => key.includes(".versions"))).toEqual([]);
      for (const { Key, Size, ETag } of page.Contents ?? []) {
        const head = await endpoint.ask(`/media/${Key}`, { method: "HEAD" });
        expect(head.status, Key).toBe(200);
        expect(head.headers.get("content-length"), Key).toBe(Size);
        expect(head.headers.get("etag"), Key).toBe(ETag);
      }
    },
  );

  it.each(["photo.", "photo.v", "photo.versions", "photo.versions/", "photox"])(
    "has no versioned key photo under the prefix %s",
    async (prefix) => {
      const own = await FakeCluster.start();
      try {
        const put = (path: string, extended: Record<string, string>) =>
          own.entries.set(path, { metadata: directoryJson(path, { extended }) });
        put("/buckets/v", { "Seaweed-X-Amz-Versioning": "Enabled" });
        const latest = "Seaweed-X-Amz-Latest-Version-File-Name";
        put("/buckets/v/photo.versions", { [latest]: "v_1" });
        putObject(own, "/buckets/v/photo.versions/v_1", { size: 7 });
        const source = createSeaweedfsSource({ filer: own.filerUrl, root: "/buckets/v" });
        const list = (text: string) =>
          source.list?.(text, { ...createTestDownload(), limit: 10 }) ?? Promise.reject();
        expect((await list(prefix)).entries).toEqual([]);
        expect((await list("photo")).entries).toMatchObject([{ key: "photo", size: 7 }]);
      } finally {
        await own.close();
      }
    },
  );
});
