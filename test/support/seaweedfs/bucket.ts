/** One bucket of a fake cluster, for tests of what lies in it. */
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import type { FakeCluster } from "./cluster.ts";
import { directoryJson } from "./directories.ts";

/** Path of the bucket's folder. */
export const bucket = "/buckets/b";

/** A source whose keys are the bucket's, and which remembers no metadata. */
export function bucketSource(
  { filerUrl: filer, masterUrl: master }: FakeCluster,
  options: Partial<SeaweedfsOptions> = {},
): Source {
  return createSeaweedfsSource({ filer, master, root: bucket, metadataTtlMs: 0, ...options });
}

/** The bucket's own entry. */
export function putBucket(cluster: FakeCluster, extended: Record<string, string> = {}): void {
  cluster.entries.set(bucket, { metadata: directoryJson(bucket, { extended }) });
}
