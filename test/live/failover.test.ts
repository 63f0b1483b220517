/**
 * Downloads while a real cluster loses, moves and freezes servers. Needs SEAWEEDFS_VOLUME_PIDS and SEAWEEDFS_WEED, see
 * support/live.ts; a cluster with something else to do is no place for it.
 */
import { afterAll, describe, expect, it } from "vitest";
import { contentBytes, ramp } from "../support/object-bytes.ts";
import { downloadKey } from "../support/seaweedfs/download-object.ts";
import { MiB } from "../support/units.ts";
import {
  entryOf,
  expectContent,
  filer,
  locationsOf,
  master,
  put,
  removeAll,
  setting,
  skip,
  sourceOf,
} from "./support/live.ts";
import { hasShell, shell, startAgain, volumePids } from "./support/servers.ts";

const content = contentBytes(ramp, 0, 96 * MiB);
const hurried = { windowParts: 4, budgetBytes: 16 * MiB };

if (filer === "" || master === "") {
  it.skip("needs a cluster with a master", () => undefined);
} else {
  afterAll(removeAll);

  /** Calls `act` once, when a sixth of the object has come. @returns how long the whole took, ms */
  const readWhile = async (key: string, act: () => Promise<void> | void): Promise<number> => {
    const from = performance.now();
    let acted: Promise<void> | undefined;
    const { bytes } = await downloadKey(sourceOf("", { filerFallback: false }), key, {
      limits: hurried,
      onProgress: async (read) => {
        if (acted !== undefined || read < 16 * MiB) return;
        acted = Promise.resolve(act());
        await acted;
      },
    });
    expect(acted, "acted").toBeDefined();
    expect(Buffer.compare(bytes, content)).toBe(0);
    return performance.now() - from;
  };
  /** Servers that hold chunks of the object, those that hold most first. */
  const holdersOf = async (key: string) => {
    const { chunks } = await entryOf(`/${key}`);
    const counts = new Map<string, number>();
    let replicas = Infinity;
    for (const { file_id } of chunks) {
      const locations = await locationsOf(file_id);
      replicas = Math.min(replicas, locations.length);
      for (const { url } of locations) counts.set(url, (counts.get(url) ?? 0) + 1);
    }
    const servers = [...counts].toSorted(([, a], [, b]) => b - a).map(([server]) => server);
    return { servers, replicas };
  };

  describe("a download completes byte-exact", () => {
    it("when a replica freezes, for at most a first-byte deadline more", async (context) => {
      const key = await put("frozen.bin", content, "?maxMB=1");
      const { servers, replicas } = await holdersOf(key);
      const pid = volumePids.get(servers[0] ?? "");
      if (replicas < 2) skip(context, "there is one replica (replication 001)");
      if (pid === undefined) skip(context, "set SEAWEEDFS_VOLUME_PIDS");
      const before = await readWhile(key, () => undefined);
      try {
        const during = await readWhile(key, () => void process.kill(pid, "SIGSTOP"));
        console.log(`frozen replica: ${before.toFixed(0)} ms without, ${during.toFixed(0)} with`);
        expect(during - before).toBeLessThan(5_000);
      } finally {
        process.kill(pid, "SIGCONT");
      }
    });

    it("when the only replica moves to another server", async (context) => {
      if (!hasShell) skip(context, "set SEAWEEDFS_WEED");
      const name = `moving-${Date.now().toString(36)}`;
      const key = await put("moving.bin", content, `?maxMB=1&replication=000&collection=${name}`);
      const { chunks } = await entryOf(`/${key}`);
      const volumes = [...new Set(chunks.map(({ file_id }) => file_id.split(",", 1)[0] ?? ""))];
      const all = [...(await holdersOf(key)).servers, ...volumePids.keys()];
      let moved = "";
      await readWhile(key, async () => {
        const moves: string[] = [];
        for (const volume of volumes.slice(0, 2)) {
          const [at] = await locationsOf(`${volume},`);
          const target = all.find((server) => server !== at?.url);
          moves.push(`volume.move -source ${at?.url} -target ${target} -volumeId ${volume}`);
        }
        moved = await shell(...moves);
      });
      expect(moved).not.toMatch(/error/i);
      await expectContent(sourceOf("", { filerFallback: false }), key, content);
    });

    it("when a volume has become erasure-coded", async (context) => {
      if (!hasShell) skip(context, "set SEAWEEDFS_WEED");
      const name = `coded-${Date.now().toString(36)}`;
      const key = await put("coded.bin", content, `?maxMB=1&replication=000&collection=${name}`);
      const { chunks } = await entryOf(`/${key}`);
      const volumes = [...new Set(chunks.map(({ file_id }) => file_id.split(",", 1)[0] ?? ""))];
      let said = "";
      await readWhile(key, async () => {
        const encode = (more: string) =>
          shell(
            ...volumes
              .slice(0, 2)
              .map((volume) => `ec.encode -collection ${name} -volumeId ${volume} -force${more}`),
          );
        // 4.53 rolls back where more shards lie on a server than the master's replication says; 000 bounds nothing. Older shells know no such flag.
        said = await encode(" -shardReplicaPlacement 000").catch(String);
        if (/not defined: -shardReplicaPlacement/.test(said)) said = await encode("");
      });
      expect(said).not.toMatch(/^Error/);
      const locations = await locationsOf(chunks[0]?.file_id ?? "");
      console.log(`erasure coding: ${locations.length} locations; ${said.slice(-200)}`);
      await expectContent(sourceOf("", { filerFallback: false }), key, content);
    });

    it("when one of two replicas is killed", async (context) => {
      const key = await put("killed.bin", content, "?maxMB=1");
      const { servers, replicas } = await holdersOf(key);
      const [server = ""] = servers;
      const pid = volumePids.get(server);
      if (replicas < 2) skip(context, "there is one replica (replication 001)");
      if (pid === undefined || setting("VOLUME_START") === "")
        skip(context, "set SEAWEEDFS_VOLUME_PIDS and SEAWEEDFS_VOLUME_START");
      const before = await readWhile(key, () => undefined);
      try {
        const during = await readWhile(key, () => void process.kill(pid, "SIGKILL"));
        console.log(`killed replica: ${before.toFixed(0)} ms without, ${during.toFixed(0)} with`);
      } finally {
        await startAgain(server);
      }
    });
  });
}
