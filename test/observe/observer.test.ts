import { describe, expect, it } from "vitest";
import { createObserver } from "../../src/observe/observer.ts";
import type { SummaryRecord } from "../../src/observe/record.ts";
import { finishOf, syntheticDownload } from "./support/synthetic-download.ts";

const FACTS = { id: "ray", request: new Request("http://a/files/k"), mount: "files", key: "k" };

function observe(options: Parameters<typeof createObserver>[0] = {}) {
  const records: SummaryRecord[] = [];
  const observer = createObserver({ ...options, write: (record) => void records.push(record) });
  return { records, observation: observer.begin(FACTS) };
}

describe("createObserver", () => {
  it("writes one record however often it is told that the request is over", () => {
    const { records, observation } = observe();
    const events = syntheticDownload({ parts: 2, beganAt: performance.now() });
    for (const event of events) observation.onEvent(event);
    observation.finish(finishOf(events));
    observation.finish(finishOf(events, { status: 500 }));
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      request: "ray",
      mount: "files",
      method: "GET",
      outcome: "complete",
    });
  });

  it.each([
    () => {
      throw new Error("full");
    },
    () => Promise.reject(new Error("gone")),
  ])("hurts nobody when a record cannot be written, and still counts it", async (write) => {
    let points = 0;
    const dataset = { writeDataPoint: () => void points++ };
    const observation = createObserver({ write, dataset }).begin(FACTS);
    const events = syntheticDownload({ parts: 2 });
    observation.finish(finishOf(events));
    // An unhandled rejection fails the run.
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(points).toBe(1);
  });

  it("ignores what still arrives after the end", () => {
    const { records, observation } = observe();
    const events = syntheticDownload({ parts: 2 });
    observation.finish(finishOf(events));
    for (const event of events) observation.onEvent(event);
    expect(records).toHaveLength(1);
  });

  it("shows upstream addresses only where the mount does", () => {
    for (const shown of [false, true]) {
      const { records, observation } = observe({
        showsReplicas: (mount) => shown && mount === "files",
      });
      const events = syntheticDownload({ parts: 2, replica: () => "10.0.0.1" });
      for (const event of events) observation.onEvent(event);
      observation.finish(finishOf(events));
      expect(JSON.stringify(records[0]).includes("10.0.0.1")).toBe(shown);
    }
  });

  it("has Server-Timing as soon as the first headers were there", () => {
    const { observation } = observe();
    expect(observation.serverTiming()).toBeUndefined();
    for (const event of syntheticDownload({ parts: 1, beganAt: performance.now() }))
      observation.onEvent(event);
    expect(observation.serverTiming()).toMatch(
      /^lookup;dur=4;desc="1", first-byte;dur=2\d(\.\d)?$/,
    );
  });
});
