/**
 * The observer of the Worker: every request that reached a mount gets its spans, its Server-Timing, and, for GET and
 * HEAD, one summary record. Implements the seam of `http/observer.ts`; owns no promise and no timer.
 *
 * The record is written when the handler says that it is over, once; where writing fails, the download does not.
 */
import type { Observation, Observer } from "../http/observer.ts";
import { type Dataset, toDataPoint } from "./analytics.ts";
import { createRecorder, type SummaryRecord } from "./record.ts";
import { createReplicaLabels } from "./replica-labels.ts";
import { createServerTiming } from "./server-timing.ts";
import { createDownloadSpans, type TracingLike } from "./spans.ts";

/** Options of {@link createObserver}; every field is optional. */
export interface ObserverOptions {
  /** `tracing` of `cloudflare:workers`. Without it there are no spans. */
  readonly tracing?: TracingLike | undefined;
  /**
   * Takes the record of each request; a promise is not waited for. Default: `console.log` of the object, so that Workers Logs
   * index its fields. Consoles that print objects for the eye (Node, bare workerd) shorten it: write
   * `(record) => console.log(JSON.stringify(record))` there.
   */
  readonly write?: ((record: SummaryRecord) => unknown) | undefined;
  /** Analytics Engine dataset; takes one data point where a record is written. */
  readonly dataset?: Dataset | undefined;
  /** Whether a mount lets addresses of its upstreams be seen; default: none does, they are called r1, r2, ... */
  readonly showsReplicas?: ((mount: string) => boolean) | undefined;
}

/**
 * Makes an observer for any number of requests at the same time; it keeps nothing between them. What `write` or `dataset`
 * throw, or reject with, is dropped.
 */
export function createObserver(options: ObserverOptions = {}): Observer {
  const { tracing, write = console.log, dataset, showsReplicas = () => false } = options;
  return {
    begin(facts): Observation {
      const beganAt = performance.now();
      const labels = createReplicaLabels(showsReplicas(facts.mount));
      const timing = createServerTiming(beganAt);
      const spans = createDownloadSpans(tracing, labels);
      const recorder = createRecorder(
        { id: facts.id, mount: facts.mount, key: facts.key, method: facts.request.method },
        beganAt,
        labels,
      );
      let finished = false;
      return {
        onEvent(event) {
          timing.onEvent(event);
          recorder.onEvent(event);
          spans.onEvent(event);
        },
        serverTiming: () => timing.format(),
        finish(finish) {
          if (finished) return;
          finished = true;
          const record = recorder.record(finish, performance.now());
          spans.end(record);
          if (facts.request.method !== "GET" && facts.request.method !== "HEAD") return;
          void quietly(() => write(record));
          void quietly(() => dataset?.writeDataPoint(toDataPoint(record)));
        },
      };
    },
  };
}

/** Runs what may fail, now or later: what cannot be told is no failure of the download. Never rejects. */
async function quietly(tell: () => unknown): Promise<void> {
  try {
    await tell();
  } catch {
    // Nobody is left to be told.
  }
}
