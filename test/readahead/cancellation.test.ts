/** The promise to cancel: from the moment the client is known to have left, everything of its download ends in the same turn. */
import { createHttpSource } from "../../src/sources/http.ts";
import { createS3Source } from "../../src/sources/s3.ts";
import type { Source } from "../../src/sources/source.ts";
import { createFakeS3 } from "../sources/s3/fake-s3.ts";
import { ramp } from "../support/object-bytes.ts";
import { createStoreFetch } from "../support/store-fetch.ts";
import { StoreSpace } from "../support/store-space.ts";
import type { TableStore } from "./support/cancellation-scene.ts";
import { describeCancellation } from "./support/cancellation-table.ts";
import { MemoryStore } from "./support/memory-store.ts";

describeCancellation("a source in memory", (script) => {
  const store = new MemoryStore({ ...script, refresh: undefined });
  return {
    source: store.source,
    get signals() {
      return store.seen.map(({ signal }) => signal);
    },
    stats: () => ({
      requests: store.seen.length,
      openBodies: store.openBodies,
      unanswered: store.unanswered,
    }),
    known: () => store.object(),
    withLookup: () => ({
      ...store.object(),
      refresh: async (_, { permits }) => {
        await permits.request({ replica: "directory", purpose: "lookup" }, forever);
        return true;
      },
    }),
  };
});

describeCancellation("an HTTP origin", ({ size, faults }): TableStore => {
  const space = new StoreSpace({ faults, objects: { object: { content: ramp, size } } });
  const play = createStoreFetch(space);
  const signals: AbortSignal[] = [];
  const source = createHttpSource({
    url: "https://origin.example/",
    fetch: (url, init) => {
      signals.push(init.signal);
      return play(url, init);
    },
  });
  return overSpace(space, source, signals);
});

describeCancellation("an S3 store", ({ size, faults }): TableStore => {
  const { space, fetch } = createFakeS3({ public: true, script: { faults } });
  space.store("object", { content: ramp, size });
  const signals: AbortSignal[] = [];
  const source = createS3Source({
    endpoint: "https://s3.example",
    bucket: "bucket",
    fetch: (url, init) => {
      signals.push(init.signal);
      return fetch(url, init);
    },
  });
  return overSpace(space, source, signals);
});

/** A source whose store keeps its objects, and its counts, in a space. */
function overSpace(space: StoreSpace, source: Source, signals: readonly AbortSignal[]): TableStore {
  const object = space.object("object");
  const size = Number(object?.size);
  const etag = String(object?.etag);
  return {
    source,
    signals,
    stats: () => {
      const { requests, openBodies, unanswered } = space.stats();
      return { requests, openBodies, unanswered };
    },
    known: ({ download }) =>
      source.open("object", {
        want: "facts",
        known: { size, etag, pin: { by: "etag", value: etag }, headers: {} },
        permits: download.permits,
        signal: download.signal,
        observe: download.observe,
      }),
  };
}

function forever(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
