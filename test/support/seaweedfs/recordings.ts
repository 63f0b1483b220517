/** The recordings of a running 4.44 (test/fixtures/seaweedfs), loaded into a fake cluster. */
import { readdirSync, readFileSync } from "node:fs";
import type { FakeCluster } from "./cluster.ts";
import { cook, once, type Recipe } from "./recipe.ts";

const folder = new URL("../../fixtures/seaweedfs/objects/", import.meta.url);

export interface RecordedNeedle {
  readonly volumeId: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly headersGzip?: Readonly<Record<string, string>>;
  readonly stored?: Recipe;
  readonly deleted?: boolean;
  readonly missing?: boolean;
}

export interface RecordedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
}

/** One file of test/fixtures/seaweedfs/objects; see its README. */
export interface RecordedCase {
  readonly case: string;
  readonly cluster: "main" | "cipher" | "jwt" | "extra";
  readonly path: string;
  readonly metadata: string;
  readonly metadataStatus: number;
  readonly head?: RecordedAnswer;
  readonly content?: {
    readonly length: number;
    readonly sha256: string;
    readonly recipe: Recipe;
    readonly secret?: Readonly<Record<string, string>>;
  };
  readonly needles?: Readonly<Record<string, RecordedNeedle>>;
  readonly lookup?: Readonly<Record<string, string>>;
  readonly listing?: { readonly body: string };
  readonly s3?: {
    readonly get?: RecordedAnswer;
    readonly head?: RecordedAnswer;
  };
}

/** Every recorded case, by name. */
export function loadRecordings(): Map<string, RecordedCase> {
  const cases = new Map<string, RecordedCase>();
  for (const name of readdirSync(folder).toSorted()) {
    const recorded = JSON.parse(readFileSync(new URL(name, folder), "utf8")) as RecordedCase;
    cases.set(recorded.case, recorded);
  }
  return cases;
}

/** Puts one case into the cluster. File ids are unique inside one recorded cluster only: never mix two. */
export function addRecording(cluster: FakeCluster, recorded: RecordedCase): void {
  const { path, metadata, metadataStatus, content } = recorded;
  cluster.entries.set(path, {
    metadata,
    status: metadataStatus,
    ...(content === undefined ? {} : { content: cook(content.recipe) }),
    ...(recorded.listing === undefined ? {} : { listing: recorded.listing.body }),
  });
  for (const [fid, needle] of Object.entries(recorded.needles ?? {})) {
    if (needle.missing === true || needle.stored === undefined) continue;
    const { stored } = needle;
    cluster.needles.set(fid, {
      stored: once(() => cook(stored)),
      headers: needle.headers,
      gzipHeaders: needle.headersGzip,
      deleted: needle.deleted === true,
    });
  }
  for (const [volume, body] of Object.entries(recorded.lookup ?? {}))
    if (/"error"/.test(body)) cluster.unknownVolumes.add(volume);
}
