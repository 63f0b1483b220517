import { describe, expect, it } from "vitest";
import { createRecorder } from "../../src/observe/record.ts";
import { createReplicaLabels } from "../../src/observe/replica-labels.ts";
import {
  createDownloadSpans,
  SPANNED_ATTEMPTS,
  type SpanLike,
  type TracingLike,
} from "../../src/observe/spans.ts";
import {
  finishOf,
  type SyntheticOptions,
  syntheticDownload,
  upstreamFailure,
} from "./support/synthetic-download.ts";

interface FakeSpan extends SpanLike {
  readonly name: string;
  readonly attributes: Record<string, unknown>;
  ends: number;
  readonly exceptions: string[];
}

/** Counts spans and ends; whether a span is a child of the right one is checked in workerd (`test/e2e/observe-replicas.test.ts`). */
function fakeTracing(isTraced: boolean): TracingLike & { readonly spans: FakeSpan[] } {
  const spans: FakeSpan[] = [];
  const startSpan = (name: string): FakeSpan => {
    const span: FakeSpan = {
      name,
      isTraced,
      attributes: {},
      ends: 0,
      exceptions: [],
      recordException(exception) {
        span.exceptions.push(`${exception.name}: ${exception.message}`);
      },
      setAttributes(attributes) {
        for (const [key, value] of Object.entries(attributes))
          if (value !== undefined) span.attributes[key] = value;
      },
      end() {
        span.ends++;
      },
    };
    spans.push(span);
    return span;
  };
  return { spans, startSpan, startActiveSpan: (name, callback) => callback(startSpan(name)) };
}

async function run(tracing: TracingLike | undefined, options: SyntheticOptions, settle = true) {
  const spans = createDownloadSpans(tracing, createReplicaLabels(false));
  const recorder = createRecorder(
    { id: "ray", mount: "files", key: "k", method: "GET" },
    1000,
    createReplicaLabels(false),
  );
  const events = syntheticDownload(options);
  for (const event of events) {
    spans.onEvent(event);
    recorder.onEvent(event);
    if (settle) await Promise.resolve();
  }
  const record = recorder.record(finishOf(events), 2000);
  spans.end(record);
  spans.end(record);
  await Promise.resolve();
}

/** Without the methods that came in September 2026. */
const bare = (span: SpanLike): SpanLike => ({
  isTraced: true,
  setAttributes: (attributes) => span.setAttributes(attributes),
  end: () => span.end(),
});

describe("createDownloadSpans", () => {
  it("opens one span per download, attempt and lookup, and ends each exactly once", async () => {
    const tracing = fakeTracing(true);
    await run(tracing, { parts: 4, failures: (part) => (part === 2 ? 1 : 0) });
    expect(tracing.spans.map((span) => span.name).toSorted()).toEqual([
      "download",
      "lookup",
      "part 0",
      "part 1",
      "part 2",
      "part 2, attempt 2",
      "part 3",
    ]);
    expect(tracing.spans.map((span) => span.ends)).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });

  it("says range, replica, first byte, bytes and why each attempt ended", async () => {
    const tracing = fakeTracing(true);
    await run(tracing, { parts: 2, window: 1, failures: (part) => part });
    const failed = tracing.spans.find((span) => span.name === "part 1");
    expect(failed?.attributes).toEqual({
      "readahead.part": 1,
      "readahead.attempt": 1,
      "readahead.range.start": 1000,
      "readahead.range.end": 2000,
      "readahead.hedge": false,
      "readahead.bytes": 0,
      "readahead.end": "failed",
      "readahead.kind": "unavailable",
      "readahead.status": 503,
      "readahead.replica": "r2",
    });
    const complete = tracing.spans.find((span) => span.name === "part 1, attempt 2");
    expect(complete?.attributes).toMatchObject({
      "readahead.first_byte_ms": 20,
      "readahead.bytes": 1000,
      "readahead.end": "complete",
    });
    const download = tracing.spans.find((span) => span.name === "download");
    expect(download?.attributes).toMatchObject({
      "readahead.key": "k",
      "readahead.outcome": "complete",
      "readahead.bytes_sent": 2000,
      "readahead.retries": 1,
    });
  });

  it("marks failed attempts and failed downloads as errors, and nothing else", async () => {
    const failed = fakeTracing(true);
    await run(failed, {
      parts: 4,
      failures: (part) => (part === 2 ? 1 : 0),
      leaveAt: 3,
      endedBy: "upstream",
      error: upstreamFailure,
    });
    expect(
      Object.fromEntries(
        failed.spans.flatMap(({ name, exceptions }) =>
          exceptions.length > 0 ? [[name, exceptions]] : [],
        ),
      ),
    ).toEqual({
      "part 2": ["unavailable: part 2 failed"],
      download: ["unavailable: Could not read part 3, 5 attempts failed"],
    });
    const left = fakeTracing(true);
    await run(left, { parts: 20, leaveAt: 3 });
    expect(left.spans.flatMap(({ exceptions }) => exceptions)).toEqual([]);
  });

  it("does without what an older runtime lacks", async () => {
    const tracing = fakeTracing(true);
    await run(
      {
        startSpan: (name) => bare(tracing.startSpan(name)),
        startActiveSpan: (name, callback) =>
          tracing.startActiveSpan(name, (span) => callback(bare(span))),
      },
      { parts: 2, failures: () => 1 },
    );
    expect(tracing.spans.every(({ ends }) => ends === 1)).toBe(true);
  });

  it("ends every span of a download that is left", async () => {
    const tracing = fakeTracing(true);
    await run(tracing, { parts: 20, window: 8, leaveAt: 3, wait: (part) => part * 10 });
    expect(tracing.spans.every((span) => span.ends === 1)).toBe(true);
    expect(tracing.spans.some((span) => span.attributes["readahead.end"] === "aborted")).toBe(true);
  });

  it("opens what is still queued when the download closes in the same turn", async () => {
    const tracing = fakeTracing(true);
    await run(tracing, { parts: 3 }, false);
    expect(tracing.spans).toHaveLength(5);
    expect(tracing.spans.every((span) => span.ends === 1)).toBe(true);
  });

  it("leaves no span open behind it, and opens none after the end", () => {
    const tracing = fakeTracing(true);
    const spans = createDownloadSpans(tracing, createReplicaLabels(false));
    const request = { id: "ray", mount: "files", key: "k", method: "GET" };
    const recorder = createRecorder(request, 0, createReplicaLabels(false));
    const asked = (part: number) =>
      spans.onEvent({
        type: "part-requested",
        at: 0,
        part,
        attempt: 1,
        range: { start: 0, end: 1 },
        hedge: false,
      });
    asked(0);
    spans.end(recorder.record(finishOf(syntheticDownload({ parts: 1 })), 1));
    asked(1);
    // In this very turn: the runtime takes no span of a request that is over.
    expect(tracing.spans.map(({ name, ends }) => [name, ends])).toEqual([
      ["download", 1],
      ["part 0", 1],
    ]);
  });

  it("calls an attempt that was given up no failure, whatever it met before", async () => {
    const tracing = fakeTracing(true);
    const spans = createDownloadSpans(tracing, createReplicaLabels(false));
    const range = { start: 0, end: 1 };
    for (const [part, end] of (["aborted", "failed"] as const).entries()) {
      const attempt = { at: 0, part, attempt: 1 };
      spans.onEvent({ type: "part-requested", ...attempt, range, hedge: false });
      const kind = end === "aborted" ? "unavailable" : undefined;
      spans.onEvent({ type: "attempt-ended", ...attempt, end, bytes: 0, kind });
      await Promise.resolve();
    }
    expect(tracing.spans.map(({ exceptions }) => exceptions)).toEqual([
      [],
      [],
      ["failed: part 1 failed"],
    ]);
  });

  it("makes one span at most where the request is not traced, and none without tracing", async () => {
    const tracing = fakeTracing(false);
    await run(tracing, { parts: 50 });
    expect(tracing.spans.map((span) => [span.name, span.ends])).toEqual([["download", 1]]);
    await run(undefined, { parts: 50 });
  });

  it("bounds the spans of a long download", async () => {
    const tracing = fakeTracing(true);
    await run(tracing, { parts: SPANNED_ATTEMPTS + 500 });
    expect(tracing.spans).toHaveLength(SPANNED_ATTEMPTS + 2);
  });

  it("keeps names within the 64 bytes at which the platform cuts them", async () => {
    const tracing = fakeTracing(true);
    const spans = createDownloadSpans(tracing, createReplicaLabels(false));
    spans.onEvent({
      type: "part-requested",
      at: 0,
      part: Number.MAX_SAFE_INTEGER,
      attempt: Number.MAX_SAFE_INTEGER,
      range: { start: 0, end: 1 },
      hedge: false,
    });
    await Promise.resolve();
    expect(tracing.spans[1]?.name.length).toBeLessThanOrEqual(64);
  });

  it("costs a download nothing when the runtime refuses a span", async () => {
    const tracing = fakeTracing(true);
    await run(
      {
        startActiveSpan: (name, callback) => tracing.startActiveSpan(name, callback),
        startSpan() {
          throw new Error("the invocation is over");
        },
      },
      { parts: 3 },
    );
    expect(tracing.spans.map((span) => span.ends)).toEqual([1]);
  });
});
