/** How a chunk is asked for, whole or in part, and what is refused of what came. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../../src/sources/seaweedfs/crc32c.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { createTestDownload } from "../../support/permits.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { readKey, readRange } from "../../support/seaweedfs/read-object.ts";
import { cluster, sourceOf, useCluster } from "./one-object.ts";

useCluster();

const size = 2_000;
const range = { start: 5, end: 10 };
const part = Buffer.from(contentBytes(ramp, 5, 10));

/** What volume servers were asked for since the last call: the whole needle, or a range of it. */
function asked(): string[] {
  return cluster.volumes.flatMap(({ seen }) =>
    seen.splice(0).map(({ headers }) => headers.range ?? "whole"),
  );
}

/** As copies do it: on needles of any form. */
function markCompressed(): void {
  const entry = JSON.parse(cluster.entries.get("/o")?.metadata ?? "") as { chunks: object[] };
  const chunks = entry.chunks.map((chunk) => ({ ...chunk, is_compressed: true }));
  cluster.entries.set("/o", { metadata: JSON.stringify({ ...entry, chunks }) });
}

describe("a part of a chunk", () => {
  it("is asked for as a range", async () => {
    expect(Buffer.compare(await readKey(sourceOf(), "o", range), part)).toBe(0);
    expect(asked()).toEqual(["bytes=5-9"]);
  });

  it("that is compressed is cut out of the whole", async () => {
    putObject(cluster, "/o", { size, chunkBytes: size, form: "gzip" });
    expect(Buffer.compare(await readKey(sourceOf(), "o", range), part)).toBe(0);
    expect(asked()).toEqual(["whole"]);
  });

  it("that is only said to be compressed is cut out of the whole, too", async () => {
    putObject(cluster, "/o", { size, chunkBytes: size });
    markCompressed();
    expect(Buffer.compare(await readKey(sourceOf(), "o", range), part)).toBe(0);
    expect(asked()).toEqual(["whole"]);
  });

  it("that was found to be compressed, too: in the isolate, once", async () => {
    putObject(cluster, "/o", { size, chunkBytes: size, form: "hidden-gzip" });
    const source = sourceOf();
    await readKey(source, "o");
    expect(asked()).toEqual(["whole"]);
    expect(Buffer.compare(await readKey(source, "o", range), part)).toBe(0);
    expect(asked()).toEqual(["whole"]);
  });

  it("that a server cuts out of compressed bytes is thrown away, and asked for so no more", async () => {
    putObject(cluster, "/o", { size, chunkBytes: size });
    const headers = { "Content-Encoding": "gzip", "Content-Range": `bytes 5-9/${size}` };
    for (const server of cluster.volumes)
      server.fault = (seen) =>
        seen.headers.range === undefined
          ? undefined
          : { do: "reply", reply: { status: 206, headers, body: "wxyz!" } };
    const source = sourceOf();
    expect(Buffer.compare(await readKey(source, "o", range), part)).toBe(0);
    expect(asked()).toEqual(["bytes=5-9", "whole"]);
    expect(Buffer.compare(await readKey(source, "o", range), part)).toBe(0);
    expect(asked()).toEqual(["whole"]);
  });
});

describe("a chunk that is verified", () => {
  const answer = (body: Buffer, checksum: number) => {
    const etag = `"${checksum.toString(16).padStart(8, "0")}"`;
    const headers = { "Transfer-Encoding": "chunked", ETag: etag };
    for (const server of cluster.volumes)
      server.fault = () => ({ do: "reply", reply: { status: 200, headers, body } });
  };
  const whole = Buffer.from(contentBytes(ramp, 0, size));
  const refused = {
    kind: "protocol",
    message: expect.stringContaining("checksum"),
    alternatives: true,
  };
  const read = () => readKey(sourceOf({ verify: true }), "o");

  it("is so also where its length is not told", async () => {
    putObject(cluster, "/o", { size, chunkBytes: size });
    answer(whole, crc32c(whole));
    expect(Buffer.compare(await read(), whole)).toBe(0);
    answer(whole, crc32c(whole) ^ 1);
    await expect(read()).rejects.toMatchObject(refused);
  });

  it("is refused where it is shorter, though its checksum is right", async () => {
    putObject(cluster, "/o", { size, chunkBytes: size });
    const shorter = whole.subarray(0, size - 1);
    answer(shorter, crc32c(shorter));
    await expect(read()).rejects.toMatchObject(refused);
  });

  it("is read as it is where it is compressed: the checksum is of the stored bytes", async () => {
    putObject(cluster, "/o", { size, chunkBytes: size });
    const body = gzipSync(whole);
    const headers = {
      "Content-Encoding": "gzip",
      "Transfer-Encoding": "chunked",
      ETag: `"${crc32c(body).toString(16).padStart(8, "0")}"`,
    };
    for (const server of cluster.volumes)
      server.fault = () => ({ do: "reply", reply: { status: 200, headers, body } });
    expect(Buffer.compare(await read(), whole)).toBe(0);
  });
});

describe("a ciphered chunk", () => {
  const edit = (from: number, to: number) => {
    const metadata = cluster.entries.get("/o")?.metadata.replaceAll(`${from}`, `${to}`) ?? "";
    cluster.entries.set("/o", { metadata });
  };

  const random = Buffer.from(Array.from({ length: 40 }, (_, i) => sha512(`${i}`)).join(""), "hex");
  const noise = (start: number, end: number) => random.subarray(start, end);

  it.each([
    ["is a gzip file of the client's", "cipher", gzipSync(random), false],
    ["is only said to be compressed", "cipher", random, true],
    ["is longer when it is compressed", "cipher-gzip", random, false],
  ] as const)("that %s is read as it was written", async (_, form, content, marked) => {
    putObject(cluster, "/o", {
      size: content.length,
      chunkBytes: content.length,
      form,
      content: (start, end) => content.subarray(start, end),
    });
    if (marked) markCompressed();
    expect(Buffer.compare(await readKey(sourceOf(), "o"), content)).toBe(0);
  });

  it("that is damaged may be whole on another replica, and is lost without one", async () => {
    const { fids } = putObject(cluster, "/o", {
      size,
      chunkBytes: size,
      form: "cipher",
      content: noise,
    });
    const body = Buffer.from(cluster.needles.get(fids[0] ?? "")?.stored() ?? "");
    body[100] = (body[100] ?? 0) ^ 1;
    for (const server of cluster.volumes)
      server.fault = () => ({ do: "reply", reply: { status: 200, body } });
    const read = () => readKey(sourceOf(), "o");
    await expect(read()).rejects.toMatchObject({ kind: "protocol", alternatives: true });
    cluster.placement.set("1", [0]);
    await expect(read()).rejects.toMatchObject({ kind: "lost" });
  });

  it("that breaks off is another replica's to give", async () => {
    putObject(cluster, "/o", { size, chunkBytes: size, form: "cipher" });
    for (const server of cluster.volumes) server.fault = () => ({ do: "break", bytes: 1_000 });
    await expect(readKey(sourceOf(), "o")).rejects.toMatchObject({
      kind: "unavailable",
      alternatives: true,
    });
  });

  it("that is shorter than it should be is lost", async () => {
    putObject(cluster, "/o", { size, chunkBytes: size, form: "cipher" });
    edit(size, size + 1);
    await expect(readKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "lost" });
  });

  it("that a mount has cut off keeps no memory of what was cut off", async () => {
    putObject(cluster, "/o", { size, chunkBytes: size, form: "cipher" });
    edit(size, size - 1_000);
    const download = createTestDownload();
    const object = await sourceOf().open("o", { ...download, want: "facts" });
    const bytes = await readRange(object, { start: 0, end: size - 1_000 }, download);
    expect(Buffer.compare(bytes, contentBytes(ramp, 0, size - 1_000))).toBe(0);
    expect(download.permits.held).toBe(0);
  });
});

function sha512(text: string): string {
  return createHash("sha512").update(text).digest("hex");
}
