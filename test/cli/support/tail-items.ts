/**
 * Items of `wrangler tail --format json`, built from the fields of workerd src/workerd/api/trace.h. Production items;
 * local ones are recorded in test/fixtures/observe.
 */
import type { Finish } from "../../../src/http/observer.ts";
import { createRecorder, type SummaryRecord } from "../../../src/observe/record.ts";
import { createReplicaLabels } from "../../../src/observe/replica-labels.ts";
import {
  finishOf,
  type SyntheticOptions,
  syntheticDownload,
} from "../../observe/support/synthetic-download.ts";

export interface RecordOptions extends SyntheticOptions {
  readonly key?: string;
  readonly request?: string;
  readonly finish?: Partial<Finish>;
}

/** The record of a download that never took place. */
export function syntheticRecord(options: RecordOptions): SummaryRecord {
  const recorder = createRecorder(
    {
      id: options.request ?? "8f1c2d3e4f5a6b7c",
      mount: "files",
      key: options.key ?? "film.mp4",
      method: "GET",
    },
    options.beganAt ?? 1000,
    createReplicaLabels(false),
  );
  const events = syntheticDownload(options);
  for (const event of events) recorder.onEvent(event);
  return recorder.record(
    finishOf(events, {
      ranges: [{ start: 0, end: options.parts * (options.partBytes ?? 1000) }],
      size: options.parts * (options.partBytes ?? 1000),
      ...options.finish,
    }),
    events.at(-1)?.at ?? 0,
  );
}

/** A whole item. `messages` are the arguments of each `console.log`. */
export function tailItem(
  messages: readonly (readonly unknown[])[],
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    event: {
      request: {
        cf: { colo: "AMS" },
        headers: { "user-agent": "curl/7.88.1" },
        method: "GET",
        url: "https://edge.example/files/film.mp4?signature=REDACTED",
      },
      response: { status: 200 },
    },
    eventTimestamp: 1_795_419_208_764,
    logs: messages.map((message) => ({ level: "log", message, timestamp: 1_795_419_209_876 })),
    exceptions: [],
    diagnosticsChannelEvents: [],
    scriptName: "edge-readahead",
    entrypoint: "default",
    scriptVersion: { id: "b1f0" },
    scriptTags: [],
    tailAttributes: {},
    outcome: "ok",
    executionModel: "stateless",
    truncated: false,
    cpuTime: 12,
    wallTime: 1240,
    ...more,
  };
}
