/** A fake cluster for the tests that run inside workerd: one object in each stored form. */
import { FakeCluster } from "./cluster.ts";
import { customerKeyHeaders, putObject } from "./objects.ts";
import type { ProvidedCluster } from "./provided.ts";

const forms = {
  plain: {},
  folded: { foldEvery: 2 },
  gzip: { form: "gzip" },
  cipher: { form: "cipher" },
  "cipher-gzip": { form: "cipher-gzip" },
  "sse-c": { sse: "sse-c" },
} as const;

/** Starts it; the caller closes it. */
export async function startWorkersCluster(): Promise<{
  readonly provided: ProvidedCluster;
  close(): Promise<void>;
}> {
  const cluster = await FakeCluster.start({ volumeServers: 2 });
  const size = 3 * 1024 * 1024 + 777;
  for (const [name, form] of Object.entries(forms))
    putObject(cluster, `/workers/${name}`, { size, chunkBytes: 700_001, volumes: 3, ...form });
  return {
    provided: {
      filerUrl: cluster.filerUrl,
      masterUrl: cluster.masterUrl,
      size,
      keys: Object.keys(forms),
      clientKeys: customerKeyHeaders,
    },
    close: () => cluster.close(),
  };
}
