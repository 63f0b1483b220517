/** A cluster of each test's own with one object, `/o` of 10,000 bytes in four chunks. */
import { afterEach, beforeEach, expect } from "vitest";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { Source } from "../../../src/sources/source.ts";
import { contentBytes, ramp } from "../../support/object-bytes.ts";
import { FakeCluster, type FakeClusterOptions } from "../../support/seaweedfs/cluster.ts";
import { putObject } from "../../support/seaweedfs/objects.ts";
import { readKey } from "../../support/seaweedfs/read-object.ts";

export let cluster: FakeCluster;

/** Called once in a test file: starts one before each test, and ends what is running after it. */
export function useCluster(): void {
  beforeEach(() => begin({}));
  afterEach(() => cluster.close());
}

/** Puts another one in its place. */
export async function start(options: FakeClusterOptions): Promise<void> {
  await cluster.close();
  await begin(options);
}

async function begin(options: FakeClusterOptions): Promise<void> {
  cluster = await FakeCluster.start(options);
  putObject(cluster, "/o", { size: 10_000, chunkBytes: 3_000 });
}

export function sourceOf(options: Partial<SeaweedfsOptions> = {}): Source {
  return createSeaweedfsSource({
    filer: cluster.filerUrl,
    master: cluster.masterUrl,
    filerFallback: false,
    ...options,
  });
}

export async function expectReadable(source: Source): Promise<void> {
  expect(Buffer.compare(await readKey(source, "o"), contentBytes(ramp, 0, 10_000))).toBe(0);
}
