/** Whole small answers: how long they may take, how long they may be, and that nothing of them is left. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ReadaheadError } from "../../../src/errors.ts";
import {
  ofReplica,
  readWhole,
  type SeaweedfsFetch,
  sendForAll,
} from "../../../src/sources/seaweedfs/request.ts";
import { createTestDownload, type TestDownload } from "../../support/permits.ts";

let context: TestDownload;

beforeEach(() => {
  vi.useFakeTimers();
  context = createTestDownload();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** A body of so many bytes that then brings nothing, and what it was cancelled with. */
function stalled(bytes: number) {
  const cancelled: unknown[] = [];
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(bytes)),
    cancel: (why) => void cancelled.push(why),
  });
  return { body, cancelled };
}

function ask(fetch: SeaweedfsFetch, alternatives: boolean) {
  const outcomes: unknown[] = [];
  const request = { url: "http://a/", replica: "a", headers: {}, purpose: "facts" } as const;
  sendForAll(fetch, { ...request, alternatives }, context, 100).then(
    ({ text }) => outcomes.push(text.length),
    (error: unknown) => outcomes.push(error),
  );
  return outcomes;
}

const silence: SeaweedfsFetch = (_, { signal }) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });
const silent = { kind: "unavailable", replica: "a", connection: true, silent: true };

describe("a server that does not answer", () => {
  it("is given up before the engine does it, where another one could be asked", async () => {
    const outcomes = ask(silence, true);
    await vi.advanceTimersByTimeAsync(2_499);
    expect(outcomes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(outcomes).toEqual([expect.objectContaining(silent)]);
  });

  it("is left to the engine where there is no other", async () => {
    const outcomes = ask(silence, false);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(outcomes).toEqual([]);
    context.abort("left");
    await vi.advanceTimersByTimeAsync(0);
    expect(outcomes).toEqual(["left"]);
  });

  it("is left at once with the download", async () => {
    const outcomes = ask(silence, true);
    await vi.advanceTimersByTimeAsync(1_000);
    context.abort("left");
    await vi.advanceTimersByTimeAsync(0);
    expect(outcomes).toEqual(["left"]);
  });
});

it("a server that resets the connection is no silent one", async () => {
  const outcomes = ask(() => Promise.reject(new TypeError("reset")), true);
  await vi.advanceTimersByTimeAsync(0);
  expect(outcomes).toEqual([expect.objectContaining({ ...silent, silent: false })]);
});

it("an error given to another replica says all else that it said", () => {
  const cause = new Error("cause");
  const facts = { cause, status: 503, retryAfterMs: 5, connection: true, silent: true };
  const error = ofReplica(new ReadaheadError("throttled", "So it is", facts), "b", true);
  expect(error).toMatchObject({ ...facts, kind: "throttled", message: "So it is" });
  expect(error).toMatchObject({ replica: "b", alternatives: true });
});

describe("a body", () => {
  it("that stalls is given up after ten seconds, and cancelled", async () => {
    const { body, cancelled } = stalled(10);
    const outcomes = ask(async () => new Response(body), false);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(outcomes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(outcomes).toEqual([expect.objectContaining(silent)]);
    expect(cancelled).toEqual(outcomes);
  });

  it.each([
    [100, 100],
    [101, expect.objectContaining({ kind: "unsupported", replica: "a" })],
  ])("of %i bytes where 100 are allowed", async (bytes, outcome) => {
    const outcomes = ask(async () => new Response(new Uint8Array(bytes)), false);
    await vi.advanceTimersByTimeAsync(0);
    expect(outcomes).toEqual([outcome]);
  });

  it("that is longer is cut off where nobody wants the rest, and cancelled", async () => {
    const { body, cancelled } = stalled(110);
    const bytes = await readWhole(body, { limitBytes: 100, dropSurplus: true });
    expect([bytes.byteLength, cancelled]).toEqual([100, [undefined]]);
  });
});
