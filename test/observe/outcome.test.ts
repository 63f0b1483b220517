import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import { RequestRefusal } from "../../src/http/problem.ts";
import { decideOutcome, type Ending } from "../../src/observe/outcome.ts";

const unavailable = new ReadaheadError("unavailable", "Could not read part 3");

const table: readonly [string, Ending, ReturnType<typeof decideOutcome>][] = [
  ["200 to its end", { status: 200, endedBy: "done" }, "complete"],
  ["206 to its end", { status: 206, endedBy: "done" }, "complete"],
  ["304", { status: 304, endedBy: "done" }, "not-modified"],
  ["400", { status: 400, endedBy: "done" }, "refused"],
  ["403", { status: 403, endedBy: "done" }, "refused"],
  ["412", { status: 412, endedBy: "done" }, "refused"],
  ["416", { status: 416, endedBy: "done" }, "refused"],
  [
    "404 of the source",
    { status: 404, endedBy: "upstream", error: new ReadaheadError("not-found", "No") },
    "refused",
  ],
  [
    "a plan over the limit",
    { status: 501, endedBy: "exception", error: new ReadaheadError("too-many-parts", "No") },
    "refused",
  ],
  [
    "a wrong variable",
    { status: 500, endedBy: "exception", error: new ReadaheadError("config", "No") },
    "failed",
  ],
  [
    "502 before headers",
    { status: 502, endedBy: "upstream", error: unavailable },
    "upstream-failed",
  ],
  [
    "upstream failure after headers",
    { status: 200, endedBy: "upstream", error: unavailable },
    "upstream-failed",
  ],
  [
    "object changed after headers",
    { status: 206, endedBy: "upstream", error: new ReadaheadError("changed", "No") },
    "upstream-failed",
  ],
  [
    "access withdrawn after headers",
    { status: 206, endedBy: "upstream", error: new ReadaheadError("denied", "No") },
    "upstream-failed",
  ],
  [
    "no memory before headers",
    { status: 503, endedBy: "exception", error: new ReadaheadError("overloaded", "No") },
    "failed",
  ],
  [
    "a client that took nothing while others waited for memory",
    { status: 200, endedBy: "exception", error: new ReadaheadError("overloaded", "No") },
    "failed",
  ],
  ["an exception", { status: 500, endedBy: "exception", error: new TypeError("oops") }, "failed"],
  [
    "an exception after headers",
    { status: 200, endedBy: "exception", error: new TypeError("oops") },
    "failed",
  ],
  [
    "a reset mid-way",
    { status: 200, endedBy: "client-signal", error: new Error("gone") },
    "client-left",
  ],
  [
    "a 501 that no store was asked about",
    { status: 501, endedBy: "done", error: new RequestRefusal("NotImplemented", "No") },
    "refused",
  ],
  ["a cancelled stream", { status: 200, endedBy: "stream-cancel" }, "client-left"],
  [
    "a failed write",
    { status: 206, endedBy: "write-failed", error: new Error("lost") },
    "client-left",
  ],
  ["gone before headers", { status: null, endedBy: "client-signal" }, "client-left"],
  [
    "gone while an upstream failed",
    { status: null, endedBy: "client-signal", error: unavailable },
    "client-left",
  ],
];

describe("decideOutcome", () => {
  it.each(table)("calls %s by its outcome", (_name, ending, outcome) => {
    expect(decideOutcome(ending)).toBe(outcome);
  });
});
