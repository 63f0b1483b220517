import { describe, expect, it } from "vitest";
import { type ErrorKind, ReadaheadError } from "../../src/errors.ts";
import {
  problemResponse,
  problems,
  type RefusalCode,
  refusalOf,
  refuse,
} from "../../src/http/problem.ts";
import { nextMove } from "../../src/readahead/retry.ts";
import { statusError } from "../../src/readahead/verify.ts";

const rows: readonly (readonly [ErrorKind, number, string, string])[] = [
  ["not-found", 404, "NoSuchKey", "refused"],
  ["denied", 403, "AccessDenied", "refused"],
  ["changed", 503, "ServiceUnavailable", "upstream-failed"],
  ["unsatisfiable", 416, "InvalidRange", "refused"],
  ["throttled", 503, "SlowDown", "upstream-failed"],
  ["unavailable", 503, "ServiceUnavailable", "upstream-failed"],
  ["truncated", 502, "InternalError", "upstream-failed"],
  ["protocol", 502, "InternalError", "upstream-failed"],
  ["lost", 502, "InternalError", "upstream-failed"],
  ["key-missing", 400, "InvalidRequest", "refused"],
  ["key-wrong", 403, "AccessDenied", "refused"],
  ["unsupported", 501, "NotImplemented", "refused"],
  ["too-many-parts", 501, "NotImplemented", "refused"],
  ["overloaded", 503, "SlowDown", "failed"],
  ["config", 500, "InternalError", "failed"],
];

describe("problems", () => {
  it("has a row for every kind, and this test one for every row", () => {
    expect(rows.map(([kind]) => kind).toSorted()).toEqual(Object.keys(problems).toSorted());
  });

  it.each(rows)("%s is %i, %s to S3 clients, outcome %s", (kind, status, s3Code, outcome) => {
    expect(refusalOf(new ReadaheadError(kind, "Something"))).toMatchObject({
      code: kind,
      status,
      s3Code,
      outcome,
    });
  });
});

describe("what the table says of asking again", () => {
  it.each(Object.entries(problems))("is what the engine does: %s", (kind, { retried }) => {
    const error = new ReadaheadError(kind as ErrorKind, "x");
    const move = (canRefresh: boolean) =>
      nextMove(error, { failures: 1, allowed: 2, graceUsed: true, canRefresh, resumable: true })
        .move;
    const expected = { yes: "wait", refresh: "fail", no: "fail" } as const;
    expect(move(false)).toBe(expected[retried]);
    expect(move(true)).toBe(retried === "no" ? "fail" : "refresh");
  });
});

describe("problemResponse", () => {
  async function render(error: unknown, method?: string) {
    const response = problemResponse(refusalOf(error), "id-1", method);
    return { response, text: await response.text() };
  }

  it("is a problem document with code and request id, and is not cached", async () => {
    const { response, text } = await render(new ReadaheadError("lost", "Every copy is gone"));
    expect(response.status).toBe(502);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-request-id")).toBe("id-1");
    expect(response.headers.get("content-length")).toBe(String(text.length));
    expect(JSON.parse(text)).toEqual({
      type: "about:blank",
      title: "Bad Gateway",
      status: 502,
      code: "lost",
      detail: "Every copy is gone",
      request_id: "id-1",
    });
  });

  it.each<[ErrorKind, number | undefined, string | null]>([
    ["throttled", 1_500, "2"],
    ["throttled", 0, "1"],
    ["throttled", undefined, "5"],
    ["unavailable", 60_000, "60"],
    ["overloaded", undefined, "2"],
    ["changed", undefined, "1"],
    ["not-found", 60_000, null],
    ["config", undefined, null],
  ])("says when to try again: %s after %j ms", async (kind, retryAfterMs, header) => {
    const { response } = await render(new ReadaheadError(kind, "No", { retryAfterMs }));
    expect(response.headers.get("retry-after")).toBe(header);
  });

  it.each([429, 503])("says that the store asks to wait, and no reason: %i", async (status) => {
    const headers = new Headers({ "retry-after": "120" });
    const { text } = await render(statusError({ status, headers }));
    expect(JSON.parse(text)).toMatchObject({
      code: "throttled",
      detail: "The store asks to wait",
    });
  });

  it("names the size in a 416", async () => {
    const { response } = await render(new ReadaheadError("unsatisfiable", "No", { size: 0 }));
    expect(response.headers.get("content-range")).toBe("bytes */0");
  });

  it("has no body for HEAD but GET's headers", async () => {
    const error = new ReadaheadError("not-found", "No");
    const get = await render(error);
    const head = await render(error, "HEAD");
    expect(head.text).toBe("");
    expect([...head.response.headers]).toEqual([...get.response.headers]);
  });

  it("answers every missing key with the same words, whatever the store said", async () => {
    const one = await render(new ReadaheadError("not-found", "No secret/plan.pdf in bucket b"));
    const other = await render(new ReadaheadError("not-found", "Nope"));
    expect(one.text).toBe(other.text);
    expect((await render(new ReadaheadError("denied", "Key AKIA1 may not"))).text).not.toMatch(
      /AKIA/,
    );
  });

  it.each([
    "Could not read http://10.0.0.7:8080/3,01637037d6?jwt=abc.def",
    "Could not reach 10.0.0.7:8080, connection refused",
    "Could not reach volume-1.internal:8080",
    "Could not reach [fd00::1]:8080",
    "Could not reach localhost:9333",
  ])("shows no address, even if a message holds one: %s", async (message) => {
    const { text } = await render(new ReadaheadError("unavailable", message));
    expect(text).toContain("[address]");
    expect(text).not.toMatch(/8080|9333|10\.0|internal|localhost|fd00|jwt/);
  });

  it("keeps the examples in a configuration's fault", async () => {
    const message = 'MOUNTS.a.url is missing; write url = "https://origin.example/data/"';
    const { text } = await render(new ReadaheadError("config", message));
    expect(JSON.parse(text)).toMatchObject({ detail: message });
  });

  it("tells nothing of an error that is none of ours", async () => {
    const { response, text } = await render(new TypeError("secret is undefined"));
    expect(response.status).toBe(500);
    expect(text).toContain('"code":"internal"');
    expect(text).not.toContain("secret");
  });

  it("never shows the cause", async () => {
    const cause = new Error("password");
    const { text } = await render(new ReadaheadError("protocol", "Odd answer", { cause }));
    expect(text).not.toContain("password");
  });
});

describe("refuse", () => {
  it.each<[RefusalCode, number]>([
    ["precondition-failed", 412],
    ["method-not-allowed", 405],
    ["bad-path", 400],
    ["bad-request", 400],
    ["internal", 500],
  ])("%s is %i", (code, status) => {
    expect(refuse(code)).toMatchObject({ code, status });
  });
});
