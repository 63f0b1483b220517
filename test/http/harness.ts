/**
 * A handler over a store in memory, with the real engine: what a test asks, and what must be true after every test
 * (nothing open, one end for every beginning, and what the leak check says).
 */
import { afterEach, beforeEach, expect } from "vitest";
import { createHandler, type Handler, type HandlerOptions } from "../../src/http/handler.ts";
import type { Mount } from "../../src/http/mount.ts";
import type { Finish, RequestFacts } from "../../src/http/observer.ts";
import { Budget } from "../../src/readahead/budget.ts";
import { checkLeaks, watchBudget } from "../support/leak-check.ts";
import { firstDifference } from "../support/object-bytes.ts";
import { KiB } from "../support/units.ts";
import { type FakeObject, FakeSource, ramp } from "./fake-source.ts";

/** What `/files/film.mp4` is unless a test says otherwise. */
export const film: FakeObject = {
  size: 1_000_000,
  etag: '"v1"',
  lastModified: Date.UTC(2026, 0, 15),
  headers: { "content-type": "video/mp4", "cache-control": "max-age=60" },
};

/** An answer, read to its end. */
export interface Answered {
  readonly bytes: Uint8Array;
  readonly status: number;
  readonly headers: Headers;
}

/** Made anew for every test. */
export interface Harness {
  source: FakeSource;
  budget: Budget;
  /** What was given to `waitUntil`. */
  waiting: Promise<unknown>[];
  begun: RequestFacts[];
  finishes: Finish[];
  /** A handler with one mount, `files` at `/files/`; facts are not remembered unless the options say so. */
  handlerFor(mount?: Partial<Mount>, options?: Partial<HandlerOptions>): Handler;
  ask(handle: Handler, path: string, init?: RequestInit): Promise<Answered>;
  /** GET of the film. */
  get(headers?: Record<string, string>, mount?: Partial<Mount>): Promise<Answered>;
  /** Until every request that reached a mount is finished. */
  settled(): Promise<void>;
}

/** Call once at the top of a test file. */
export function useHarness(): Harness {
  checkLeaks();
  const harness: Harness = {
    source: new FakeSource(),
    budget: new Budget(32 * KiB * KiB, 96),
    waiting: [],
    begun: [],
    finishes: [],
    handlerFor(mount = {}, options = {}) {
      return createHandler({
        mounts: [{ name: "files", prefix: "/files/", source: harness.source, ...mount }],
        budget: harness.budget,
        factsMs: 0,
        observer: {
          begin(facts) {
            harness.begun.push(facts);
            return {
              onEvent() {},
              serverTiming: () => "open;dur=1",
              finish: (finish) => harness.finishes.push(finish),
            };
          },
        },
        ...options,
      });
    },
    async ask(handle, path, init = {}) {
      const response = await handle(new Request(new URL(path, "http://edge.example"), init), {
        waitUntil: (promise) => void harness.waiting.push(promise),
      });
      const bytes = new Uint8Array(await response.arrayBuffer());
      return { bytes, status: response.status, headers: response.headers };
    },
    get: (headers = {}, mount = {}) =>
      harness.ask(harness.handlerFor(mount), "/files/film.mp4", { headers }),
    async settled() {
      await Promise.all(harness.waiting);
    },
  };

  beforeEach(() => {
    harness.source = new FakeSource();
    harness.source.objects.set("film.mp4", film);
    harness.budget = new Budget(32 * KiB * KiB, 96);
    harness.waiting = [];
    harness.begun = [];
    harness.finishes = [];
    watchBudget(harness.budget);
  });

  afterEach(async () => {
    const { source, begun, finishes } = harness;
    await harness.settled();
    expect(source.openBodies, "open bodies").toBe(0);
    expect(finishes, "one end for every beginning").toHaveLength(begun.length);
    expect(finishes.filter(({ totals }) => totals.openAfterClose > 0)).toEqual([]);
  });

  return harness;
}

/** Compares by the first difference: `toEqual` on a megabyte takes long. */
export function expectRamp(bytes: Uint8Array, start: number, end: number): void {
  expect(bytes.byteLength).toBe(end - start);
  expect(firstDifference(bytes, ramp(start, end))).toBe(-1);
}

/** A JSON body. */
export function problemOf(bytes: Uint8Array): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
}
