/** Downloads closed in the turns between turns: nothing goes on behind the record. */
import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import { Budget } from "../../src/readahead/budget.ts";
import type { ReadaheadEvent } from "../../src/readahead/events.ts";
import { readahead } from "../../src/readahead/object-stream.ts";
import { createR2Source } from "../../src/sources/r2.ts";
import type { Answer, OpenObject, Source } from "../../src/sources/source.ts";
import { createFakeBucket } from "../support/fake-bucket.ts";
import { checkLeaks } from "../support/leak-check.ts";
import { MemoryStore } from "./support/memory-store.ts";
import { readRamp } from "./support/read-stream.ts";
import { closedEvent, expectSettled, watchDownload } from "./support/watched-download.ts";

checkLeaks();

const turns = async (count = 20) => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

it.each([
  ["its signal is aborted", true],
  ["it is cancelled", false],
])(
  "a stream whose client looks at the facts, and a microtask later %s, ends",
  async (_how, abort) => {
    const bucket = createFakeBucket("production");
    bucket.put("k", { bytes: new Uint8Array(3_000_000) });
    const client = new AbortController();
    const events: ReadaheadEvent[] = [];
    const budget = new Budget(1 << 25, 96);
    const stream = readahead(
      { source: createR2Source({ bucket }), key: "k" },
      {},
      {
        budget,
        signal: client.signal,
        onEvent: (event) => events.push(event),
        onOpen: () =>
          queueMicrotask(() => {
            if (abort) client.abort(new Error("too large"));
            else reader.cancel().catch(() => undefined);
          }),
      },
    );
    const reader = stream.getReader();
    let outcome = "waits for ever";
    reader.read().then(
      ({ done }) => void (outcome = done ? "done" : "bytes"),
      (error: Error) => void (outcome = error.message),
    );
    await turns();
    expect({ outcome, openBodies: bucket.openBodies, last: events.at(-1)?.type }).toEqual({
      outcome: abort ? "too large" : "done",
      openBodies: 0,
      last: "closed",
    });
  },
);

it("known facts: a start whose download is closed a microtask later settles", async () => {
  const watched = watchDownload();
  const object: OpenObject = {
    facts: { size: 10, pin: { by: "etag", value: '"a"' }, headers: {} },
    read: (_piece, _range, { permits }) =>
      permits.request({ replica: "r", purpose: "read" }, () => new Promise<Answer>(() => {})),
  };
  let outcome = "waits for ever";
  watched.start(object, [{ start: 0, end: 10 }]).then(
    () => void (outcome = "stream"),
    (error: Error) => void (outcome = error.message),
  );
  watched.download.close("client-signal", new Error("left"));
  await turns();
  expect(outcome).toBe("left");
  expectSettled(watched);
});

it.each([
  ["nothing", undefined, "stream-cancel"],
  ["a text", "enough", "stream-cancel"],
  ["an abort of the reader's own", new DOMException("enough", "AbortError"), "stream-cancel"],
  ["a failed write", new TypeError("Connection lost"), "write-failed"],
])("a stream that is cancelled with %s says who ended it", async (_what, reason, endedBy) => {
  const watched = watchDownload();
  const object: OpenObject = {
    facts: { size: 10, pin: { by: "etag", value: '"a"' }, headers: {} },
    read: (_piece, range, { permits }) =>
      permits.request({ replica: "r", purpose: "read" }, async () => ({
        replica: "r",
        body: new Uint8Array(range.end - range.start),
      })),
  };
  const stream = await watched.start(object, [{ start: 0, end: 10 }]);
  await stream.cancel(reason);
  expect(closedEvent(watched).endedBy).toBe(endedBy);
  expectSettled(watched);
});

it("a start that is given up rejects with why, whatever its source makes of that", async () => {
  const watched = watchDownload();
  const object: OpenObject = {
    facts: { size: 10, pin: { by: "etag", value: '"a"' }, headers: {} },
    read: () => Promise.reject(new Error("Not asked")),
    // oxlint-disable-next-line require-yield -- it never finds a piece
    pieces: async function* (_range, { signal }) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw new Error("Aborted");
    },
  };
  const starting = watched.start(object, [{ start: 0, end: 10 }]);
  await turns(1);
  watched.download.close("client-signal", new Error("left"));
  await expect(starting).rejects.toThrow("left");
  expectSettled(watched);
});

it("`closed` is the last event, also where a lookup comes back later", async () => {
  let lookedUp: (changed: boolean) => void = () => {};
  const source: Source = {
    open: async () => ({
      facts: { size: 10, pin: { by: "etag", value: '"a"' }, headers: {} },
      read: () => Promise.reject(new ReadaheadError("unavailable", "503", { status: 503 })),
      refresh: () => new Promise((resolve) => void (lookedUp = resolve)),
    }),
  };
  const watched = watchDownload();
  const starting = watched.stream(source).catch(() => undefined);
  await turns(3);
  watched.download.close("client-signal", new Error("left"));
  lookedUp(true);
  await turns();
  await starting;
  closedEvent(watched);
});

it("totals add up where a listener closes the download in the turn of a part's last block", async () => {
  const client = new AbortController();
  const events: ReadaheadEvent[] = [];
  const source: Source = {
    open: async () => ({
      facts: { size: 10, pin: { by: "etag", value: '"a"' }, headers: {} },
      read: (_piece, range, { permits }) =>
        permits.request({ replica: "r", purpose: "read" }, async () => ({
          replica: "r",
          body: new Uint8Array(range.end - range.start),
        })),
    }),
  };
  const stream = readahead(
    { source, key: "k" },
    {},
    {
      budget: new Budget(1 << 25, 96),
      signal: client.signal,
      onEvent(event) {
        events.push(event);
        if (event.type === "attempt-ended") client.abort(new Error("enough"));
      },
    },
  );
  await expect(stream.getReader().read()).rejects.toThrow("enough");
  const closed = events.at(-1);
  if (closed?.type !== "closed") throw new Error("Not closed");
  const { bytesFetched, bytesSent, bytesWasted } = closed.totals;
  expect({ bytesFetched, accountedFor: bytesSent + bytesWasted }).toEqual({
    bytesFetched: 10,
    accountedFor: 10,
  });
});

it("a listener that throws costs the client nothing, and the download ends", async () => {
  const store = new MemoryStore({ size: 3_000_000 });
  const heard: string[] = [];
  const onEvent = ({ type }: ReadaheadEvent) => {
    heard.push(type);
    throw new Error("A listener's fault");
  };
  const stream = readahead({ source: store.source, key: "k" }, {}, { onEvent });
  expect(await readRamp(stream)).toBe(3_000_000);
  expect(heard.filter((type) => type === "closed")).toHaveLength(1);
  expect(store.openBodies).toBe(0);
});

it("a download whose client has left already is closed as it is made", async () => {
  const left = new Error("left");
  const watched = watchDownload({ signal: AbortSignal.abort(left) });
  const { permits, closed } = watched.download;
  await expect(permits.request({ replica: "r", purpose: "facts" }, send)).rejects.toBe(left);
  await closed;
  expect(closedEvent(watched).endedBy).toBe("client-signal");
});

it("nothing is asked for a download that is closed, and its client's signal is let go of", async () => {
  const client = new AbortController();
  const watched = watchDownload({ signal: client.signal });
  const { permits } = watched.download;
  expect(getEventListeners(client.signal, "abort")).toHaveLength(1);
  watched.download.close("done");
  await expect(permits.request({ replica: "r", purpose: "facts" }, send)).rejects.toThrow();
  expect(getEventListeners(client.signal, "abort")).toHaveLength(0);
});

it("a fault that is no store's is told as such", () => {
  const watched = watchDownload();
  watched.download.fail(new TypeError("ours"));
  expect(closedEvent(watched).endedBy).toBe("exception");
  const another = watchDownload();
  another.download.fail(new ReadaheadError("unavailable", "theirs"));
  expect(closedEvent(another).endedBy).toBe("upstream");
});

it("the answer that came with the open is given up where a start fails before its window", async () => {
  const watched = watchDownload();
  const cancelled: unknown[] = [];
  const body = new ReadableStream<Uint8Array>({ cancel: (why) => void cancelled.push(why) });
  const failure = new ReadaheadError("overloaded", "No memory");
  const starting = watched.start(
    {
      facts: { size: 10, pin: { by: "etag", value: '"a"' }, headers: {} },
      first: { range: { start: 0, end: 10 }, body, replica: "r" },
      reserve: () => {
        throw failure;
      },
      read: () => Promise.reject(new Error("Not asked")),
    },
    [{ start: 0, end: 10 }],
  );
  await expect(starting).rejects.toBe(failure);
  expect(cancelled).toEqual([failure]);
});

const send = () => Promise.reject(new Error("Sent"));
