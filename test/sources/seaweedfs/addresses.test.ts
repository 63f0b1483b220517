/** Which addresses are asked: public or internal, allowed hosts, the filer instead. */
import { describe, expect, it } from "vitest";
import { createTestDownload } from "../../support/permits.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { readKey, readRange } from "../../support/seaweedfs/read-object.ts";
import { cluster, expectReadable, sourceOf, start, useCluster } from "./one-object.ts";

useCluster();

describe("addresses", () => {
  it("outside of allowed_hosts are refused, and never connected to", async () => {
    const source = sourceOf({ allowedHosts: ["volumes.example", "10.0.0.0/8"] });
    await expect(readKey(source, "o")).rejects.toMatchObject({ kind: "config" });
    expect(cluster.volumes.every((server) => server.seen.length === 0)).toBe(true);
  });

  it("of a redirect are checked too, and followed with everything the first had", async () => {
    const [first, second] = cluster.volumes;
    cluster.believed.set("1", [0]);
    if (first !== undefined)
      first.fault = (seen) => ({
        do: "reply",
        reply: {
          status: 301,
          headers: { Location: `${second?.url}${seen.target.slice(1).split("?")[0]}?proxied=true` },
        },
      });
    await expectReadable(sourceOf());
    expect(second?.seen.every((seen) => seen.target.includes("readDeleted=true"))).toBe(true);
    // What a server says has moved is looked up again.
    expect(cluster.masters[0]?.seen).toHaveLength(4);
    if (first !== undefined)
      first.fault = () => ({
        do: "reply",
        reply: { status: 301, headers: { Location: "http://169.254.169.254/x" } },
      });
    await expect(readKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "config" });
  });

  it("of a redirect within a server are followed once", async () => {
    cluster.believed.set("1", [0]);
    const [first] = cluster.volumes;
    const moved = { status: 301, headers: { Location: "/moved" } };
    if (first !== undefined)
      first.fault = (_, index) => (index % 2 === 0 ? { do: "reply", reply: moved } : undefined);
    await expectReadable(sourceOf());
    if (first !== undefined) first.fault = () => ({ do: "reply", reply: moved });
    await expect(readKey(sourceOf(), "o")).rejects.toMatchObject({ kind: "protocol", status: 301 });
  });

  it("in the own data centre go first", async () => {
    await start({ volumeServers: 3, dataCenters: ["far", "near", "far"] });
    await expectReadable(sourceOf({ dataCenter: "near" }));
    expect(cluster.volumes.map((server) => server.seen.length > 0)).toEqual([false, true, false]);
  });

  it("are shuffled among equals", async () => {
    putObject(cluster, "/o", { size: 10_000, chunkBytes: 100 });
    await expectReadable(sourceOf());
    for (const server of cluster.volumes) expect(server.seen.length).toBeGreaterThan(10);
  });

  it("internal or public, as the mount says", async () => {
    const asked: string[] = [];
    const answering = (address: "public" | "internal") =>
      sourceOf({
        address,
        allowedHosts: "*",
        fetch: async (url, init) => {
          asked.push(new URL(url).host);
          if (!url.includes("/dir/lookup")) return fetch(url, init);
          return Response.json({
            locations: [{ url: "inside:1", publicUrl: cluster.volume(0).host }],
          });
        },
      });
    await expectReadable(answering("public"));
    await expect(readKey(answering("internal"), "o")).rejects.toMatchObject({
      kind: "unavailable",
    });
    expect(asked).toContain("inside:1");
  });

  it("are believed for their time, and looked up again after it", async () => {
    let now = Date.now();
    const source = sourceOf({ lookupTtlMs: 60_000, now: () => now });
    const lookups = () => cluster.masters[0]?.seen.length ?? 0;
    await expectReadable(source);
    const first = lookups();
    now += 59_999;
    await expectReadable(source);
    expect(lookups()).toBe(first);
    now += 1;
    await expectReadable(source);
    expect(lookups()).toBe(2 * first);
  });

  it("that one part has found stale are looked up again once for all that were read from there", async () => {
    cluster.believed.set("1", [0]);
    const download = createTestDownload();
    const object = await sourceOf().open("o", { ...download, want: "facts" });
    const range = { start: 0, end: 10_000 };
    await readRange(object, range, download);
    cluster.believed.set("1", [1]);
    const moved: unknown[] = [];
    for await (const piece of object.pieces?.(range, download) ?? [])
      if (piece.kind === "stored") moved.push(await object.refresh?.(piece, download));
    expect(moved).toEqual([true, true, true, true]);
    expect(cluster.masters[0]?.seen).toHaveLength(2);
  });

  it("that come with a token which nobody asked for are read without: it is for one file id", async () => {
    const sent: unknown[] = [];
    const source = sourceOf({
      fetch: async (url, init) => {
        const answer = await fetch(url, init);
        if (url.includes("/dir/lookup"))
          return new Response(answer.body, {
            headers: { authorization: "Bearer of-another-file" },
          });
        sent.push(init.headers["authorization"]);
        return answer;
      },
    });
    await expectReadable(source);
    expect(sent.length).toBeGreaterThan(1);
    expect(sent.every((authorization) => authorization === undefined)).toBe(true);
  });

  it("that asked another server are read, and looked up again afterwards", async () => {
    const source = sourceOf();
    for (const server of cluster.volumes)
      server.fault = (seen) => {
        const id = seen.target.slice(1).split("?")[0] ?? "";
        const needle = cluster.needles.get(id);
        const body = needle?.stored() ?? Buffer.alloc(0);
        return {
          do: "reply",
          reply: { status: 200, headers: { "X-Amz-Request-Id": "a, b" }, body },
        };
      };
    await expectReadable(source);
    expect(cluster.masters[0]?.seen.length).toBeGreaterThan(1);
  });
});

describe("a filer that proxies to a replica without the chunk", () => {
  it("is asked again: it picks another one", async () => {
    const { fids } = putObject(cluster, "/o", { size: 10_000, chunkBytes: 3_000 });
    for (const fid of fids) cluster.only.set(fid, [1]);
    const picked = new Map<string, number>();
    cluster.pickProxied = (servers, fid) => {
      const times = picked.get(fid) ?? 0;
      picked.set(fid, times + 1);
      return servers[times < 3 ? 0 : 1];
    };
    await expectReadable(sourceOf({ volumeAccess: "filer" }));
    expect([...picked.values()]).toEqual(fids.map(() => 4));
  });

  it("is believed in the end, where none has it", async () => {
    const { fids } = putObject(cluster, "/o", { size: 3_000, chunkBytes: 3_000 });
    cluster.needles.delete(fids[0] ?? "");
    const source = sourceOf({ volumeAccess: "filer" });
    await expect(readKey(source, "o")).rejects.toMatchObject({ kind: "lost" });
    const reads = cluster.filers[0]?.seen.filter((seen) => seen.target.includes("proxyChunkId"));
    expect(reads).toHaveLength(6);
  });
});
