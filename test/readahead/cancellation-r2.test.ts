/**
 * The cancellation table over an R2 binding, whose gets take no signal: a pending one is disowned, so what it is waited for
 * with is watched here, the request of the permits, and bodies are counted by the bucket. A lookup does not apply: the source
 * has none.
 */
import type { Permits } from "../../src/readahead/permits.ts";
import { createR2Source } from "../../src/sources/r2.ts";
import type { CallContext, OpenObject, Source } from "../../src/sources/source.ts";
import { type BucketFault, createFakeBucket } from "../support/fake-bucket.ts";
import { contentBytes, ramp } from "../support/object-bytes.ts";
import type { TableFault, TableStore } from "./support/cancellation-scene.ts";
import { describeCancellation } from "./support/cancellation-table.ts";

describeCancellation("an R2 binding", ({ size, faults }): TableStore => {
  const bucket = createFakeBucket("production");
  bucket.put("object", { bytes: contentBytes(ramp, 0, size) });
  const get = bucket.get.bind(bucket);
  let gets = 0;
  bucket.get = (key, options) => {
    const number = gets++;
    const fault = faults.find(({ at }) => at === number)?.fault;
    bucket.fault("get", fault === undefined ? undefined : inR2(fault));
    return get(key, refused(fault) ? { ...options, onlyIf: anotherVersion } : options);
  };
  const requests = watchRequests();
  const source = requests.watch(createR2Source({ bucket }));
  return {
    source,
    signals: requests.signals,
    stats: () => ({
      requests: gets,
      openBodies: bucket.openBodies,
      unanswered: requests.unanswered,
    }),
    known: async ({ download }) => {
      const { permits, signal, observe } = download;
      const { httpEtag: etag } = (await bucket.head("object")) ?? {};
      if (etag === undefined) throw new Error("The bucket is empty");
      const known = { size, etag, pin: { by: "etag", value: etag }, headers: {} } as const;
      return source.open("object", { want: "facts", known, permits, signal, observe });
    },
  };
});

const anotherVersion = { etagMatches: "another" };
const never = new Promise<void>(() => undefined);

/** R2 has no 412: what fails a condition comes without a body. */
function refused(fault: TableFault["fault"] | undefined): boolean {
  return fault?.kind === "status" && fault.status === 412;
}

function inR2(fault: TableFault["fault"]): BucketFault {
  if (refused(fault)) return {};
  if (fault.kind === "status")
    return { error: new Error("get: We encountered an internal error. Please try again. (10001)") };
  const { kind, after } = fault;
  if (after !== "before-headers")
    return kind === "stall" ? { stallAfter: after } : { breakAfter: after };
  return kind === "stall" ? { until: never } : { error: new Error("Network connection lost.") };
}

/** Sees every request that a source sends under its permits: the signal it could follow, and whether it is waited for. */
function watchRequests() {
  const signals: AbortSignal[] = [];
  let unanswered = 0;
  function context<C extends CallContext>(given: C): C {
    const { permits } = given;
    const watched: Permits = {
      request: (ask, send) =>
        permits.request(ask, async (signal) => {
          signals.push(signal);
          unanswered += 1;
          try {
            return await send(signal);
          } finally {
            unanswered -= 1;
          }
        }),
      take: (bytes) => permits.take(bytes),
      give: (bytes) => permits.give(bytes),
    };
    return { ...given, permits: watched };
  }
  return {
    signals,
    get unanswered() {
      return unanswered;
    },
    watch: (source: Source): Source => ({
      open: async (key, request) => {
        const object = await source.open(key, context(request));
        const { read } = object;
        // Not copied: the first answer's body tells who asks for it.
        return Object.assign(object, {
          read: ((piece, range, attempt) =>
            read(piece, range, context(attempt))) satisfies OpenObject["read"],
        });
      },
    }),
  };
}
