/** A store that sends headers and then nothing more: error documents, lists, and both in the middle of a download. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readahead } from "../../../src/index.ts";
import type { FetchFunction } from "../../../src/sources/http.ts";
import { createS3Source } from "../../../src/sources/s3.ts";
import { readAll } from "../../support/bodies.ts";
import { checkLeaks } from "../../support/leak-check.ts";
import { contentBytes, firstDifference, ramp } from "../../support/object-bytes.ts";
import { createTestDownload } from "../../support/permits.ts";
import { StoreSpace } from "../../support/store-space.ts";
import { realTimeout, until } from "../../support/until.ts";
import { createFakeS3, testCredentials } from "./fake-s3.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
const leaks = checkLeaks();
afterEach(() => {
  vi.useRealTimers();
});

/** A store whose answers have a body that begins and never goes on; counts those that nobody ended. */
function createSilentStore(status: number, text = "<?xml") {
  const store = { openBodies: 0, requests: 0 };
  leaks.watch({ stats: () => ({ ...new StoreSpace().stats(), openBodies: store.openBodies }) });
  const answer = () => {
    store.requests += 1;
    store.openBodies += 1;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
      cancel: () => {
        store.openBodies -= 1;
      },
    });
    return new Response(body, { status });
  };
  return { store, answer };
}

function sourceOver(fetch: FetchFunction) {
  return createS3Source({
    endpoint: "https://s3.example",
    bucket: "bucket",
    credentials: testCredentials,
    fetch,
  });
}

/** Moves the clock until the promise has settled; signatures are made in real time. */
async function passTime<T>(promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = () => {
    settled = true;
  };
  promise.then(done, done);
  for (let ms = 0; !settled && ms < 120_000; ms += 100) {
    await new Promise<void>((resolve) => realTimeout(resolve));
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(settled, "settled").toBe(true);
  return promise;
}

const rejection = (promise: Promise<unknown> | undefined) =>
  Promise.resolve(promise).then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a store that stalls within", () => {
  it.each([
    [404, "not-found"],
    [403, "denied"],
    [503, "unavailable"],
    [400, "protocol"],
  ])("the document of a %i: the status decides (%s)", async (status, kind) => {
    const { store, answer } = createSilentStore(status);
    const download = createTestDownload();
    const opened = rejection(
      sourceOver(async () => answer()).open("key", { ...download, want: { start: 0, end: 10 } }),
    );
    expect(await passTime(opened)).toMatchObject({ kind, status });
    expect(store.requests).toBe(1);
  });

  it("a list: it is unavailable", async () => {
    const { answer } = createSilentStore(200);
    const source = sourceOver(async () => answer());
    const listed = rejection(source.list?.("", { ...createTestDownload(), limit: 10 }));
    expect(await passTime(listed)).toMatchObject({ kind: "unavailable" });
  });

  it.each([403, 404, 200])("a body of a %i that nobody waits for any more", async (status) => {
    const { store, answer } = createSilentStore(status);
    const download = createTestDownload();
    const source = sourceOver(async () => answer());
    const asked = rejection(
      status === 200
        ? source.list?.("", { ...download, limit: 10 })
        : source.open("key", { ...download, want: { start: 0, end: 10 } }),
    );
    await until("the body is being read", () => store.openBodies === 1);
    const left = new DOMException("left", "AbortError");
    download.abort(left);
    expect(await asked).toBe(left);
  });
});

describe("a list that breaks off", () => {
  it("is unavailable, and no fault of ours", async () => {
    const body = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.error(new Error("reset")),
      });
    const source = sourceOver(async () => new Response(body()));
    const error = await rejection(source.list?.("", { ...createTestDownload(), limit: 10 }));
    expect(error).toMatchObject({ kind: "unavailable", connection: true });
  });
});

describe("a download", () => {
  it("survives a 503 whose document never ends", async () => {
    const size = 3_000_000;
    const fake = createFakeS3();
    leaks.watch(fake.space);
    fake.space.store("key", { content: ramp, size });
    const { store, answer } = createSilentStore(503);
    const source = sourceOver(async (url, init) =>
      fake.seen.length === 3 && store.requests === 0 ? answer() : fake.fetch(url, init),
    );
    const read = readAll(
      readahead({ source, key: "key" }, { start: 0 }, { limits: { hedge: false } }),
    );
    const bytes = await passTime(read);
    expect(store.requests).toBe(1);
    expect(bytes.length).toBe(size);
    expect(firstDifference(bytes, contentBytes(ramp, 0, size))).toBe(-1);
  });
});
