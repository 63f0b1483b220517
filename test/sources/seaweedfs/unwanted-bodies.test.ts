/** Answers that are of no use are ended: a body that nobody reads would keep its connection. */
import { expect, it } from "vitest";
import type { ErrorKind } from "../../../src/errors.ts";
import type { SeaweedfsFetch } from "../../../src/sources/seaweedfs/request.ts";
import type { SeaweedfsOptions } from "../../../src/sources/seaweedfs/source.ts";
import { createTestDownload } from "../../support/permits.ts";
import type { Reply } from "../../support/seaweedfs/http-server.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { readKey, readRange } from "../../support/seaweedfs/read-object.ts";
import { cluster, sourceOf, start, useCluster } from "./one-object.ts";

useCluster();

/** A fetch whose bodies tell when they were read to their end or cancelled. */
function watchBodies() {
  const open = new Set<string>();
  let answers = 0;
  const watched: SeaweedfsFetch = async (url, init) => {
    const { status, headers, body } = await fetch(url, init);
    if (body === null) return new Response(null, { status, headers });
    const name = `answer ${++answers}: ${status} ${new URL(url).pathname}`;
    open.add(name);
    const reader = body.getReader();
    const told = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { value, done } = await reader.read();
        if (!done) return controller.enqueue(value);
        open.delete(name);
        controller.close();
      },
      async cancel(reason) {
        open.delete(name);
        await reader.cancel(reason);
      },
    });
    return new Response(told, { status, headers });
  };
  return { open, fetch: watched };
}

async function expectEnded(
  outcome: "read" | ErrorKind,
  options: Partial<SeaweedfsOptions> = {},
  range = { start: 0, end: 10_000 },
): Promise<void> {
  const { open, fetch: watched } = watchBodies();
  const reading = readKey(sourceOf({ fetch: watched, ...options }), "o", range);
  if (outcome === "read") await reading;
  else await expect(reading).rejects.toMatchObject({ kind: outcome });
  expect([...open]).toEqual([]);
}

function answerAtVolumes(reply: Reply): void {
  for (const server of cluster.volumes) server.fault = () => ({ do: "reply", reply });
}

it("of a server that names the owner", async () => {
  cluster.believed.set("1", [0]);
  const [first] = cluster.volumes;
  const headers = { Location: cluster.volumes[1]?.url ?? "" };
  if (first !== undefined)
    first.fault = () => ({ do: "reply", reply: { status: 301, headers, body: "Moved" } });
  await expectEnded("read");
});

it("of servers that refuse a token by their clock", async () => {
  await start({ volumeKey: "volume", filerKey: "filer" });
  const secrets = { filerTokenSecret: "filer", volumeTokenSecret: "volume" };
  await expectEnded("read", { ...secrets, now: () => Date.now() - 3_600_000 });
});

it("of a volume server that refuses", async () => {
  answerAtVolumes({ status: 400, body: "no" });
  await expectEnded("protocol");
});

it("of a range that was cut out of compressed bytes", async () => {
  putObject(cluster, "/o", { size: 10_000, form: "hidden-gzip" });
  answerAtVolumes({
    status: 206,
    headers: { "Content-Encoding": "br", "Content-Range": "bytes 5-8/10000" },
    body: "wxyz",
  });
  await expectEnded("protocol", {}, { start: 5, end: 9 });
});

it("of a server that is no volume server", async () => {
  answerAtVolumes({ status: 200, headers: { "Content-Type": "text/html" }, body: "<".repeat(99) });
  await expectEnded("protocol");
});

it("of a filer that does not have the remote bytes", async () => {
  const remote = { remote_e_tag: "t", remote_size: 10_000 };
  const metadata = JSON.stringify({ FullPath: "/o", FileSize: 10_000, Remote: remote });
  cluster.entries.set("/o", { metadata });
  for (const filer of cluster.filers)
    filer.fault = ({ target }) =>
      target === "/o" ? { do: "reply", reply: { status: 500, body: "later" } } : undefined;
  await expectEnded("unavailable");
});

it("of a ciphered needle that there is no memory for", async () => {
  putObject(cluster, "/o", { size: 2_000, chunkBytes: 2_000, form: "cipher" });
  const metadata = cluster.entries.get("/o")?.metadata.replaceAll("2000", "1000") ?? "";
  cluster.entries.set("/o", { metadata });
  const { open, fetch: watched } = watchBodies();
  const download = createTestDownload({ budgetBytes: 100 });
  const object = await sourceOf({ fetch: watched }).open("o", { ...download, want: "facts" });
  const reading = readRange(object, { start: 0, end: 1_000 }, download);
  await expect(reading).rejects.toMatchObject({ kind: "overloaded", retryAfterMs: 5_000 });
  expect([...open]).toEqual([]);
  expect(download.permits.held).toBe(0);
});
