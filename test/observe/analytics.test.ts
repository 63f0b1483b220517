import { describe, expect, it } from "vitest";
import { asDataset, type DataPoint, toDataPoint } from "../../src/observe/analytics.ts";
import { createObserver } from "../../src/observe/observer.ts";
import { syntheticRecord } from "../cli/support/tail-items.ts";
import { finishOf, syntheticDownload } from "./support/synthetic-download.ts";

const FACTS = { id: "ray", request: new Request("http://a/files/k"), mount: "files", key: "k" };

describe("toDataPoint", () => {
  it("keeps within the platform's columns, in a fixed order", () => {
    const point = toDataPoint(syntheticRecord({ parts: 5, request: "ray", key: "film.mp4" }));
    expect(point).toEqual({
      indexes: ["files"],
      blobs: ["files", "complete", "done", "GET", null, "r1", "film.mp4", "ray"],
      doubles: [200, 5000, 5000, 0, 5, 5, 0, 0, 0, 6, 25, 55, 50, 5000],
    });
  });

  it("gives every count its own column", () => {
    const record = syntheticRecord({ parts: 1 });
    const { doubles, blobs } = toDataPoint({
      ...record,
      status: 206,
      bytesSent: 1,
      bytesFetched: 2,
      bytesWasted: 3,
      parts: 4,
      attempts: 5,
      retries: 6,
      hedges: 7,
      letGo: 8,
      subrequests: 9,
      firstByteMs: 10,
      totalMs: 11,
      slowest: { part: 0, ms: 12, waitMs: null, attempts: 1, replica: null },
      size: 13,
      error: { kind: "unavailable", message: "at length" },
    });
    expect(doubles).toEqual([206, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect(blobs[4]).toBe("unavailable");
  });

  it("says -1 for what is not known", () => {
    const record = syntheticRecord({ parts: 1, finish: { status: null, size: null } });
    expect(toDataPoint({ ...record, firstByteMs: null, slowest: null }).doubles).toEqual([
      -1, 1000, 1000, 0, 1, 1, 0, 0, 0, 2, -1, 55, -1, -1,
    ]);
  });
});

describe("createObserver with a dataset", () => {
  it("writes one data point per download, beside the record", () => {
    const points: DataPoint[] = [];
    let records = 0;
    const observation = createObserver({
      write: () => void records++,
      dataset: { writeDataPoint: (point) => void points.push(point) },
    }).begin(FACTS);
    const events = syntheticDownload({ parts: 2 });
    observation.finish(finishOf(events));
    observation.finish(finishOf(events));
    expect([points.length, records]).toEqual([1, 1]);
  });

  it("has written the record when the dataset refuses", () => {
    let records = 0;
    const observation = createObserver({
      write: () => void records++,
      dataset: {
        writeDataPoint() {
          throw new Error("too many data points");
        },
      },
    }).begin(FACTS);
    observation.finish(finishOf(syntheticDownload({ parts: 2 })));
    expect(records).toBe(1);
  });
});

describe("asDataset", () => {
  it("knows a dataset from other bindings", () => {
    const dataset = { writeDataPoint: () => {} };
    expect(asDataset(dataset)).toBe(dataset);
    for (const other of [undefined, null, "DOWNLOADS", {}, { writeDataPoint: 1 }])
      expect(asDataset(other)).toBeUndefined();
  });
});
