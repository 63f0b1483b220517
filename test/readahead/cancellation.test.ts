/** The promise to cancel: from the moment the client is known to have left, everything of its download ends in the same turn. */
import { createHttpSource } from "../../src/sources/http.ts";
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
  const etag = String(space.object("object")?.etag);
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
});

function forever(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
