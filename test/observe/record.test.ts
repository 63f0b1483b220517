import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import type { Finish } from "../../src/http/observer.ts";
import {
  createRecorder,
  jsonBytes,
  type RecordedRequest,
  type SummaryRecord,
} from "../../src/observe/record.ts";
import { createReplicaLabels } from "../../src/observe/replica-labels.ts";
import type { EndedBy, ReadaheadEvent } from "../../src/readahead/events.ts";
import { finishOf, syntheticDownload, upstreamFailure } from "./support/synthetic-download.ts";

const REQUEST: RecordedRequest = { id: "ray", mount: "files", key: "a/b.bin", method: "GET" };
const BEGAN_AT = 1000;

function recordOf(
  events: readonly ReadaheadEvent[],
  more: Partial<Finish> = {},
  request = REQUEST,
  shown = false,
): SummaryRecord {
  const recorder = createRecorder(request, BEGAN_AT, createReplicaLabels(shown));
  for (const event of events) recorder.onEvent(event);
  return recorder.record(finishOf(events, more), BEGAN_AT + 9000);
}

describe("createRecorder", () => {
  it("writes exactly the fixed names, in their order", () => {
    const record = recordOf(syntheticDownload({ parts: 3 }), {
      status: 206,
      ranges: [{ start: 0, end: 3000 }],
      size: 9000,
    });
    expect(Object.keys(record)).toEqual(
      (
        "record version request mount key method status outcome endedBy ranges size bytesSent bytesFetched " +
        "bytesWasted parts attempts retries hedges letGo subrequests openAfterClose abortMs firstByteMs totalMs " +
        "slowest timeline"
      ).split(" "),
    );
    expect(record).toMatchObject({
      record: "edge-readahead",
      version: 1,
      request: "ray",
      mount: "files",
      key: "a/b.bin",
      method: "GET",
      status: 206,
      outcome: "complete",
      endedBy: "done",
      ranges: [[0, 3000]],
      size: 9000,
      bytesSent: 3000,
      parts: 3,
      attempts: 3,
      firstByteMs: 25,
      totalMs: 9000,
    });
  });

  it("says null for what is not known, and leaves a timeline out where no part was asked for", () => {
    const unread = { ...REQUEST, key: null };
    const record = recordOf([], { status: null, endedBy: "client-signal" }, unread);
    expect(record).toMatchObject({
      key: null,
      status: null,
      outcome: "client-left",
      size: null,
      firstByteMs: null,
      slowest: null,
      totalMs: 9000,
      bytesSent: 0,
    });
    expect(record).not.toHaveProperty("timeline");
    expect(record).not.toHaveProperty("error");
    expect(record).not.toHaveProperty("unversioned");
  });

  it("writes an endless range with null, and why resume was off", () => {
    const record = recordOf([], {
      status: 200,
      ranges: [{ start: 0, end: Number.POSITIVE_INFINITY }],
      unversioned: "weak entity tag",
    });
    expect(record.ranges).toEqual([[0, null]]);
    expect(record.unversioned).toBe("weak entity tag");
  });

  it("marks a plan that was asked for, and nothing else", () => {
    expect(recordOf([], { explain: true }).explain).toBe(true);
    expect(recordOf([])).not.toHaveProperty("explain");
  });

  const leaving: EndedBy[] = ["client-signal", "stream-cancel", "write-failed"];

  it("names the error by kind and message, and an exception by its own name", () => {
    expect(
      recordOf([], { status: 200, endedBy: "upstream", error: upstreamFailure }).error,
    ).toEqual({
      kind: "unavailable",
      message: "Could not read part 3, 5 attempts failed",
    });
    expect(
      recordOf([], { status: 500, endedBy: "exception", error: new TypeError("x is undefined") })
        .error,
    ).toEqual({
      kind: null,
      message: "TypeError: x is undefined",
    });
  });

  it("says why a store was not reached, and no address of it", () => {
    const message = (cause: Error) => {
      const error = new ReadaheadError("unavailable", "Not reached", { cause });
      return recordOf([], { status: 503, endedBy: "upstream", error }).error?.message;
    };
    const refused = Object.assign(new Error("connect ECONNREFUSED 10.0.0.7:80"), {
      code: "ECONNREFUSED",
    });
    expect(message(new TypeError("fetch failed", { cause: refused }))).toBe(
      "Not reached (ECONNREFUSED)",
    );
    expect(message(new Error("Network connection lost."))).toBe(
      "Not reached (Network connection lost.)",
    );
    expect(message(new Error("connect 10.0.0.7:80"))).toBe("Not reached");
  });

  it("does not log a client's leaving as an error", () => {
    const reason = new DOMException("The client has disconnected", "AbortError");
    for (const endedBy of leaving)
      expect(
        recordOf(syntheticDownload({ parts: 9, leaveAt: 3, endedBy, error: reason })),
      ).not.toHaveProperty("error");
  });

  it("keeps upstream addresses out of the record unless the mount shows them", () => {
    const events = syntheticDownload({ parts: 30, replica: (part) => `10.0.0.${part % 3}:8080` });
    expect(JSON.stringify(recordOf(events))).not.toContain("10.0.0");
    expect(recordOf(events).timeline?.replicas).toEqual(["r1", "r2", "r3"]);
    expect(recordOf(events, {}, REQUEST, true).timeline?.replicas).toEqual([
      "10.0.0.0:8080",
      "10.0.0.1:8080",
      "10.0.0.2:8080",
    ]);
  });

  it("stays under 8 KB for any key, number of parts and length of the download", {
    timeout: 60_000,
  }, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1200 }),
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 0, max: 5_000_000 }),
        fc.string({ unit: "binary", maxLength: 4000 }),
        fc.boolean(),
        (parts, window, clientMs, key, shown) => {
          const record = recordOf(
            syntheticDownload({
              parts,
              window,
              clientMs,
              leaveAt: Math.floor(parts * 0.9),
              wait: (part) => (part * 7919) % 100_000,
              replica: (part) =>
                `a-rather-long-host-name-of-a-volume-server-${part % 40}.example:8080`,
              failures: (part) => (part % 5 === 0 ? 3 : 0),
            }),
            {
              status: 206,
              ranges: Array.from({ length: 16 }, (_, i) => ({ start: 2 ** 52 + i, end: 2 ** 53 })),
              size: 2 ** 53,
              unversioned: key,
              error: new Error(key),
            },
            { id: key, mount: key, key, method: key },
            shown,
          );
          expect(jsonBytes(record)).toBeLessThan(8192);
          if (parts > 0) expect(record.timeline?.part.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 60, verbose: 1 },
    );
  });
});
