/** Who is asked for a chunk, with what token, and what a server does that does not have it: variables in support/live.ts. */
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import type { SeaweedfsFetch } from "../../src/sources/seaweedfs/request.ts";
import { contentBytes, ramp } from "../support/object-bytes.ts";
import { downloadKey } from "../support/seaweedfs/download-object.ts";
import { MiB } from "../support/units.ts";
import {
  entryOf,
  expectContent,
  filer,
  locationsOf,
  master,
  ok,
  put,
  removeAll,
  setting,
  skip,
  sourceOf,
} from "./support/live.ts";

if (filer === "" || master === "") {
  console.log("skipped: ways to a chunk (set SEAWEEDFS_FILER and SEAWEEDFS_MASTER)");
  it.skip("needs a cluster with a master", () => undefined);
} else {
  const content = contentBytes(ramp, 0, 5 * MiB + 11);
  let key = "";
  let fid = "";

  beforeAll(async () => {
    key = await put("access.bin", content, "?maxMB=1");
    fid = (await entryOf(`/${key}`)).chunks[0]?.file_id ?? "";
  });
  afterAll(removeAll);

  /** The platform's fetch, telling which hosts were asked for chunks. */
  const counting = (hosts: string[]): SeaweedfsFetch => {
    return (url, init) => {
      const { host, pathname, search } = new URL(url);
      if (/^\/\d+,/.test(pathname) || search.startsWith("?proxyChunkId")) hosts.push(host);
      return fetch(url, init);
    };
  };

  describe("chunks", () => {
    it("come through the filer where the mount says so", async () => {
      const hosts: string[] = [];
      const source = sourceOf("", { volumeAccess: "filer", fetch: counting(hosts) });
      await expectContent(source, key, content);
      expect(new Set(hosts)).toEqual(new Set([new URL(filer).host]));
    });

    it("come from volume servers, past the filer", async () => {
      const hosts: string[] = [];
      const source = sourceOf("", { filerFallback: false, fetch: counting(hosts) });
      await expectContent(source, key, content);
      expect(hosts).not.toContain(new URL(filer).host);
    });

    it("come from the own data centre where it has a replica", async (context) => {
      const locations = await locationsOf(fid);
      const centres = [...new Set(locations.map(({ dataCenter }) => dataCenter ?? ""))];
      if (centres.length < 2) skip(context, "replicas are in one data centre (replication 1xx)");
      for (const dataCenter of centres) {
        const near = locations.filter((location) => location.dataCenter === dataCenter);
        const hosts: string[] = [];
        const source = sourceOf("", { dataCenter, fetch: counting(hosts) });
        const range = { start: 0, end: 1000 };
        for (let i = 0; i < 8; i++) await downloadKey(source, key, { range });
        for (const host of hosts) expect(near.map(({ url }) => url)).toContain(host);
      }
    });
  });

  describe("a location that is no longer true", async () => {
    const servers = await volumeServers();
    it.each(servers)("at %s, whatever it does with foreign volumes", async (server) => {
      const holders = (await locationsOf(fid)).map(({ url }) => url);
      if (holders.includes(server)) {
        console.log(`${server} has the first chunk itself`);
      }
      let lies = 3;
      const source = sourceOf("", {
        filerFallback: false,
        async fetch(url, init) {
          const answer = await fetch(url, init);
          if (!url.includes("/dir/lookup") || lies === 0) return answer;
          lies -= 1;
          const told = (await answer.json()) as Record<string, unknown>;
          const locations = [{ url: server, publicUrl: server }];
          return Response.json({ ...told, locations }, { headers: answer.headers });
        },
      });
      await expectContent(source, key, content);
    });
  });

  describe("tokens", () => {
    const needsToken = async (context: TestContext, url: string, what: string) => {
      const bare = await fetch(url);
      await bare.arrayBuffer();
      if (bare.status !== 401) skip(context, `${what} answers without a token (${bare.status})`);
    };

    it("are needed by the filer, and a missing or wrong one is a clear refusal", async (context) => {
      await needsToken(context, `${filer}/${key}?metadata=true`, "the filer");
      for (const filerTokenSecret of [undefined, "wrong"])
        await expect(downloadKey(sourceOf("", { filerTokenSecret }), key)).rejects.toMatchObject({
          kind: "denied",
        });
    });

    it("are needed by volume servers, signed here or by the master", async (context) => {
      const [holder] = await locationsOf(fid);
      await needsToken(context, `http://${holder?.url}/${fid}`, "a volume server");
      const direct = { filerFallback: false };
      const wrong = sourceOf("", { ...direct, volumeTokenSecret: "wrong" });
      await expect(downloadKey(wrong, key)).rejects.toMatchObject({ kind: "denied" });
      const none = sourceOf("", { ...direct, volumeTokenSecret: undefined });
      await expect(downloadKey(none, key)).rejects.toMatchObject({ kind: "denied" });
      const byMaster = sourceOf("", {
        ...direct,
        volumeTokenSecret: undefined,
        volumeTokenFromMaster: true,
      });
      await expectContent(byMaster, key, content);
    });

    it("are not needed for chunks through the filer", async () => {
      const source = sourceOf("", { volumeAccess: "filer", volumeTokenSecret: undefined });
      await expectContent(source, key, content);
    });

    it("follow the cluster's clock", async (context) => {
      if (setting("FILER_KEY") === "") skip(context, "set SEAWEEDFS_FILER_KEY");
      await expectContent(sourceOf("", { now: () => Date.now() - 3_600_000 }), key, content);
    });
  });
}

async function volumeServers(): Promise<string[]> {
  const answer = await ok(fetch(`${master}/dir/status`));
  const { Topology } = (await answer.json()) as {
    Topology: { DataCenters: { Racks: { DataNodes: { Url: string }[] }[] }[] };
  };
  return Topology.DataCenters.flatMap(({ Racks }) =>
    Racks.flatMap(({ DataNodes }) => DataNodes.map(({ Url }) => Url)),
  );
}
