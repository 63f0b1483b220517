/** Servers that are not what the mount takes them for, and answer with 200. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { endCluster } from "../../support/seaweedfs/end-cluster.ts";
import type { Reply, SeenRequest } from "../../support/seaweedfs/http-server.ts";
import { type FakeObjectOptions, putObject } from "../../support/seaweedfs/objects.ts";

const size = 1_000;
let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await FakeCluster.start();
});
afterEach(() => endCluster(cluster));

function read(more: Partial<SeaweedfsOptions> = {}, range = { start: 0, end: size }) {
  const urls = { filer: cluster.filerUrl, master: cluster.masterUrl };
  const source = createSeaweedfsSource({ ...urls, ...more });
  return downloadKey(source, "o", { range, limits: { attempts: 2 } });
}

/** A page of so many bytes, with the ETags that web servers have. */
function page(length: number, headers: Record<string, string> = {}): Reply {
  return {
    status: 200,
    headers: { "Content-Type": "text/html", ...headers },
    body: "<".repeat(length),
  };
}

const isChunk = ({ target }: SeenRequest) => target.includes("proxyChunkId");

/** The read-only port of a filer has no `proxyChunkId`: every chunk is the listing of its root. */
function makeReadOnly(reply: Reply): void {
  for (const filer of cluster.filers)
    filer.fault = (seen) => (isChunk(seen) ? { do: "reply", reply } : undefined);
}

describe("a filer's read-only port", () => {
  it.each([size + 1, 5 * size, size - 1])(
    "is no door to chunks: a front page of %i bytes is no needle of 1000",
    async (length) => {
      putObject(cluster, "/o", { size });
      makeReadOnly(page(length));
      await expect(read({ volumeAccess: "filer" })).rejects.toMatchObject({ kind: "protocol" });
    },
  );

  it("is none either where its page has no length, or a range is asked for", async () => {
    putObject(cluster, "/o", { size });
    makeReadOnly(page(5 * size, { "Transfer-Encoding": "chunked" }));
    await expect(read({ volumeAccess: "filer" })).rejects.toMatchObject({ kind: "protocol" });
    const range = { start: 1, end: 10 };
    const reading = read({ volumeAccess: "filer" }, range);
    await expect(reading).rejects.toMatchObject({ kind: "protocol" });
  });

  it("costs nothing where another door has the chunk", async () => {
    putObject(cluster, "/o", { size });
    makeReadOnly(page(5 * size));
    cluster.believed.set("1", [0]);
    cluster.placement.set("1", [1]);
    cluster.volume(0).fault = () => ({ do: "reset" });
    await expect(read()).rejects.toMatchObject({ kind: expect.stringMatching(/protocol|unavail/) });
    cluster.volume(0).fault = undefined;
    cluster.believed.clear();
    const { bytes } = await read();
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
  });
});

describe("another server at a volume server's address", () => {
  it.each(["", '"5e-61f2"', 'W/"abc"', '"0123456789abcdef"'])(
    "is asked in vain, whatever its ETag (%j); the replica is asked then",
    async (etag) => {
      putObject(cluster, "/o", { size });
      cluster.volume(0).fault = () => ({
        do: "reply",
        reply: page(5 * size, etag === "" ? {} : { ETag: etag }),
      });
      for (let download = 0; download < 4; download++) {
        const { bytes } = await read({ filerFallback: false });
        expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
      }
    },
  );

  it("is told by its length from a proxy that drops ETags", async () => {
    putObject(cluster, "/o", { size });
    const body = Buffer.from(contentBytes(ramp, 0, size));
    for (const volume of cluster.volumes)
      volume.fault = () => ({ do: "reply", reply: { status: 200, body } });
    const { bytes } = await read();
    expect(Buffer.compare(bytes, body)).toBe(0);
  });
});

describe("a needle longer than its chunk", () => {
  it.each<Partial<FakeObjectOptions>>([{}, { form: "gzip" }])(
    "is one by its checksum: %j",
    async (shape) => {
      putObject(cluster, "/o", { size: 2 * size, ...shape });
      const entry = cluster.entries.get("/o");
      const metadata = entry?.metadata.replaceAll(String(2 * size), String(size)) ?? "";
      cluster.entries.set("/o", { metadata });
      const { bytes } = await read();
      expect(Buffer.compare(bytes, contentBytes(ramp, 0, size))).toBe(0);
    },
  );
});

describe("a range that lies behind the compressed bytes of a needle", () => {
  const refuse = (headers: Record<string, string>) => {
    putObject(cluster, "/o", { size });
    for (const volume of cluster.volumes)
      volume.fault = (seen) =>
        seen.headers.range === undefined
          ? undefined
          : { do: "reply", reply: { status: 416, headers, body: "invalid range\n" } };
  };
  const range = { start: 900, end: 950 };

  it("is cut out of the whole needle", async () => {
    refuse({ "Content-Encoding": "gzip" });
    const { bytes, totals } = await read({}, range);
    expect(Buffer.compare(bytes, contentBytes(ramp, 900, 950))).toBe(0);
    expect(totals.retries).toBe(0);
  });

  it("that is not compressed shows a needle too short: nobody asks for it whole", async () => {
    refuse({});
    await expect(read({}, range)).rejects.toMatchObject({ kind: "protocol" });
    const asked = cluster.volumes.flatMap(({ seen }) => seen);
    expect(asked.every(({ headers }) => headers.range !== undefined)).toBe(true);
  });
});
