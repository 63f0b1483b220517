import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseTold } from "../../cli/trace-items.ts";
import { syntheticRecord, tailItem } from "./support/tail-items.ts";

const record = syntheticRecord({ parts: 8 });

describe("parseTold", () => {
  it("finds the record of a production item, with the time it was logged", () => {
    expect(parseTold(tailItem([[record]]))).toEqual([
      { kind: "download", record, atMs: 1_795_419_209_876, invocation: "ok" },
    ]);
  });

  it("finds it in a local item, whose messages begin with the name of the Worker", () => {
    expect(parseTold(tailItem([["[main]", record]], { scriptName: null }))).toMatchObject([
      { kind: "download", record },
    ]);
  });

  it("finds it where a log pipeline made text of it, and by itself", () => {
    expect(parseTold(tailItem([[JSON.stringify(record)]]))).toMatchObject([
      { kind: "download", record },
    ]);
    expect(parseTold(JSON.parse(JSON.stringify(record)))).toMatchObject([
      { kind: "download", record },
    ]);
  });

  it("takes no record of another version for one that it knows", () => {
    const later = { ...record, version: 2 };
    for (const told of [parseTold(later), parseTold(tailItem([[later]]))])
      expect(told.map(({ kind }) => kind)).toEqual(["other"]);
  });

  it("finds every record of a list of items", () => {
    const told = parseTold([tailItem([[record]]), tailItem([["hello"], [record]])]);
    expect(told.map((each) => each.kind)).toEqual(["download", "download"]);
  });

  it.each(["responseStreamDisconnected", "canceled", "exceededMemory", "exception"])(
    "tells the download of an invocation whose outcome is %s",
    (outcome) => {
      const left = syntheticRecord({ parts: 8, leaveAt: 3 });
      expect(parseTold(tailItem([[left]], { outcome }))).toMatchObject([
        { kind: "download", record: { outcome: "client-left" }, invocation: outcome },
      ]);
    },
  );

  it.each(["canceled", "exceededMemory", "exceededCpu", "responseStreamDisconnected"])(
    "tells of an invocation that %s ended before it wrote a record, without the query",
    (outcome) => {
      expect(parseTold(tailItem([], { outcome }))).toEqual([
        {
          kind: "broken",
          invocation: outcome,
          atMs: 1_795_419_208_764,
          method: "GET",
          path: "/files/film.mp4",
        },
      ]);
    },
  );

  it("knows requests that are none of its business", () => {
    expect(parseTold(tailItem([]))).toEqual([{ kind: "other" }]);
    expect(
      parseTold(
        tailItem([["something else"]], { event: { cron: "* * * * *" }, outcome: "canceled" }),
      ),
    ).toEqual([{ kind: "other" }]);
  });

  it.each([
    [["edge-readahead is not configured:", "MOUNTS.files.prefix must begin with a slash"]],
    [
      [
        "[main]",
        "edge-readahead is not configured:",
        "MOUNTS.files.prefix must begin with a slash",
      ],
    ],
  ])("tells of a fault that the Worker logged instead of a record: %j", (message) => {
    expect(parseTold(tailItem([message]))).toEqual([
      {
        kind: "note",
        atMs: 1_795_419_209_876,
        text: "edge-readahead is not configured: MOUNTS.files.prefix must begin with a slash",
      },
    ]);
  });

  it.each([["Not edge-readahead is not configured:"], ["edge-readahead-2 is up"]])(
    "takes no log of another's for one: %j",
    (message) => {
      expect(parseTold(tailItem([[message]]))).toEqual([{ kind: "other" }]);
    },
  );

  it("tells that the tail leaves records out", () => {
    const event = { type: "overload", message: "Tail is currently in sampling mode" };
    expect(parseTold(tailItem([], { event, outcome: "unknown" }))).toMatchObject([
      { kind: "note", text: "wrangler tail: Tail is currently in sampling mode" },
    ]);
  });

  it("finds it in a log line of a bare workerd", () => {
    const line = { timestamp: 1_795_419_209_876, level: "log", message: JSON.stringify(record) };
    expect(parseTold(line)).toEqual([
      { kind: "download", record, atMs: 1_795_419_209_876, invocation: null },
    ]);
    expect(parseTold({ ...line, message: "hello" })).toEqual([{ kind: "unknown" }]);
  });

  it("reads a record that has more fields, and one that has fewer", () => {
    expect(parseTold({ ...record, added: { later: true } })).toMatchObject([
      { kind: "download", record },
    ]);
    expect(parseTold({ ...record, retriedFor: "later" })).toMatchObject([{ kind: "download" }]);
    const { slowest: _slowest, timeline: _timeline, hedges: _hedges, ...fewer } = record;
    expect(parseTold(fewer)).toMatchObject([
      { kind: "download", record: { hedges: 0, slowest: null } },
    ]);
  });

  it("never throws, whatever it is given", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (value, message) => {
        parseTold(value);
        parseTold(tailItem([[message]]));
        parseTold({ ...record, timeline: value, slowest: message });
        parseTold({ ...tailItem([[record]]), logs: value, event: message });
      }),
      { numRuns: 500, verbose: 1 },
    );
  });
});
