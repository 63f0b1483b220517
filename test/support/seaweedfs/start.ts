/**
 * A fake SeaweedFS cluster to look at: `node test/support/seaweedfs/start.ts [--delay 20] [--port 19330]`, or
 * {@link startFakeSeaweedfs} from a script. One filer, one master, two volume servers with every volume on both.
 *
 * Ports, from the first: filer, master, volume server, volume server.
 */
import { parseArgs } from "node:util";
import { KiB, MiB } from "../units.ts";
import { FakeCluster } from "./cluster.ts";
import { putObject } from "./objects.ts";

export interface FakeSeaweedfsOptions {
  /** Before the headers of every answer of a volume server, ms. Default 0. */
  readonly delayMs?: number;
  /** The same for filer and master. Default: as volume servers. */
  readonly lookupDelayMs?: number;
  /** First of four ports; default: any free ones. */
  readonly firstPort?: number;
}

export interface FakeSeaweedfs {
  readonly filerUrl: string;
  readonly masterUrl: string;
  /** Keys that are there, for a mount of the filer's root. */
  readonly keys: readonly string[];
  readonly cluster: FakeCluster;
  close(): Promise<void>;
}

/** Every stored form, and the two shapes that are measured: 64 chunks of 64 KiB, 1 GiB in chunks of 4 MiB. */
export const sampleObjects = {
  "samples/64-chunks.bin": { size: 64 * 64 * KiB, chunkBytes: 64 * KiB },
  "samples/1-gib.bin": { size: 1024 * MiB, chunkBytes: 4 * MiB, mime: "application/x-ramp" },
  "samples/1-gib-folded.bin": { size: 1024 * MiB, chunkBytes: 4 * MiB, foldEvery: 100 },
  "samples/256-mib-64-mib-chunks.bin": { size: 256 * MiB, chunkBytes: 64 * MiB },
  "samples/compressed.txt": {
    size: 20 * MiB,
    chunkBytes: 4 * MiB,
    form: "gzip",
    mime: "text/plain",
  },
  "samples/ciphered.bin": { size: 64 * MiB, chunkBytes: 8 * MiB, form: "cipher" },
  "samples/sse-c.bin": { size: 1024 * MiB, chunkBytes: 4 * MiB, sse: "sse-c" },
  "samples/sse-s3.bin": { size: 64 * MiB, chunkBytes: 4 * MiB, sse: "sse-s3" },
} as const;

/** Starts it. The SSE-S3 sample needs `sse_key_secret` "my-secret", the SSE-C one the key in objects.ts. */
export async function startFakeSeaweedfs(
  options: FakeSeaweedfsOptions = {},
): Promise<FakeSeaweedfs> {
  const { delayMs = 0, lookupDelayMs = delayMs, firstPort } = options;
  const cluster = await FakeCluster.start({
    volumeServers: 2,
    delayMs: { filer: lookupDelayMs, master: lookupDelayMs, volume: delayMs },
    ...(firstPort === undefined ? {} : { firstPort }),
  });
  for (const [key, sample] of Object.entries(sampleObjects))
    putObject(cluster, `/${key}`, { volumes: 3, ...sample });
  return {
    filerUrl: cluster.filerUrl,
    masterUrl: cluster.masterUrl,
    keys: Object.keys(sampleObjects),
    cluster,
    close: () => cluster.close(),
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { delay: { type: "string" }, port: { type: "string" } },
  });
  const fake = await startFakeSeaweedfs({
    delayMs: Number(values.delay ?? 0),
    ...(values.port === undefined ? {} : { firstPort: Number(values.port) }),
  });
  console.log(JSON.stringify({ filer: fake.filerUrl, master: fake.masterUrl, keys: fake.keys }));
}
