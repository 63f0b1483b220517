/** A source over a fake cluster that can open everything stored there: the key of SSE-S3, and both key services. */
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import type { FakeCluster } from "./cluster.ts";
import { createKeyServices, kmsAccess } from "./key-services.ts";
import { sseKeyText } from "./objects.ts";

export function sourceWithKeys(
  cluster: FakeCluster,
  options: Partial<SeaweedfsOptions> = {},
): Source {
  return createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    sseKeySecret: sseKeyText,
    ...kmsAccess,
    kmsFetch: createKeyServices().fetch,
    ...options,
  });
}
