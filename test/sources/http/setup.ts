/** What the tests of the HTTP source share: one object in an in-process store, and a source that reads it. */
import { ReadaheadError } from "../../../src/errors.ts";
import type { HttpSourceOptions } from "../../../src/sources/http.ts";
import { createHttpSource } from "../../../src/sources/http.ts";
import type { OpenObject, OpenRequest, ReadRequest } from "../../../src/sources/source.ts";
import { readAll } from "../../support/bodies.ts";
import type { LeakCheck } from "../../support/leak-check.ts";
import { ramp } from "../../support/object-bytes.ts";
import { createTestDownload } from "../../support/permits.ts";
import { createStoreFetch } from "../../support/store-fetch.ts";
import type { SpaceScript, StoredObject } from "../../support/store-script.ts";
import { StoreSpace } from "../../support/store-space.ts";

export const size = 10_000;
export const plain: StoredObject = {
  content: ramp,
  size,
  headers: { "content-type": "text/plain" },
};

export interface Setup {
  readonly space: StoreSpace;
  readonly open: (want: OpenRequest["want"], more?: Partial<OpenRequest>) => Promise<OpenObject>;
  readonly read: (object: OpenObject, start: number, end: number) => Promise<Uint8Array>;
  readonly download: ReturnType<typeof createTestDownload>;
}

/** A source over an in-process store with one object, `file`. */
export function setup(
  leaks: LeakCheck,
  object: Partial<StoredObject> = {},
  script: SpaceScript = {},
  options: Partial<HttpSourceOptions> = {},
): Setup {
  const space = leaks.watch(new StoreSpace(script));
  space.store("file", { ...plain, ...object });
  const fetch = createStoreFetch(space);
  const source = createHttpSource({ url: "https://origin.example/", fetch, ...options });
  const download = createTestDownload();
  const context: ReadRequest = { ...download, tried: () => false, suspect: () => false };
  return {
    space,
    download,
    open: (want, more = {}) => source.open("file", { ...download, want, ...more }),
    async read(opened, start, end) {
      const piece = { kind: "stored", range: { start: 0, end: opened.facts.size ?? end } } as const;
      const { body } = await opened.read(piece, { start, end }, context);
      return readAll(body);
    },
  };
}

/** Kind of the rejection, or `resolved`; anything but our own error is thrown on. */
export async function kindOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "resolved";
  } catch (error) {
    if (error instanceof ReadaheadError) return error.kind;
    throw error;
  }
}
