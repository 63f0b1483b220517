/** The suite that every source passes, over a fake cluster. */
import { createSeaweedfsSource } from "../../../src/sources/seaweedfs/source.ts";
import { describeSourceContract } from "../../contract/source-contract.ts";
import { FakeCluster, type Fault, type SeenRequest } from "../../support/seaweedfs/cluster.ts";
import { putObject, removeObject } from "../../support/seaweedfs/objects.ts";

const stored: Readonly<Record<string, string>> = {
  "cache-control": "Cache-Control",
  "content-disposition": "Content-Disposition",
};

describeForm("plain chunks", { chunkBytes: 70_001 });
describeForm("folded into manifests", { chunkBytes: 20_011, foldEvery: 4 });
describeForm("through the filer", { chunkBytes: 70_001, access: "filer" });

function describeForm(
  name: string,
  { access, ...shape }: { chunkBytes: number; foldEvery?: number; access?: "filer" },
): void {
  describeSourceContract(`seaweedfs, ${name}`, async () => {
    const cluster = await FakeCluster.start({ volumeServers: 2 });
    const source = createSeaweedfsSource({
      filer: cluster.filerUrl,
      master: cluster.masterUrl,
      ...(access === undefined ? {} : { volumeAccess: access }),
    });
    const onEverything = (fault: (seen: SeenRequest) => Fault | undefined) => {
      for (const server of cluster.servers) server.fault = fault;
    };
    return {
      source,
      async put(key, bytes, headers = {}) {
        const extended: Record<string, string> = {};
        for (const [header, value] of Object.entries(headers))
          if (header !== "content-type") extended[stored[header] ?? header] = value;
        putObject(cluster, `/${key}`, {
          ...shape,
          size: bytes.byteLength,
          content: (start, end) => Buffer.from(bytes.subarray(start, end)),
          mime: headers["content-type"] ?? "",
          extended,
        });
      },
      async delete(key) {
        removeObject(cluster, `/${key}`);
      },
      requests: () => cluster.requests,
      openBodies: () => cluster.openBodies,
      deny: () => onEverything(() => ({ do: "reply", reply: { status: 403 } })),
      holdHeaders: () => onEverything(() => ({ do: "hang" })),
      // What is read of a chunk is a range of it; entries, locations and manifests come whole.
      holdBody: (_key, bytes) =>
        onEverything(({ headers }) =>
          headers.range === undefined ? undefined : { do: "stall", bytes },
        ),
      close: () => cluster.close(),
    };
  });
}
