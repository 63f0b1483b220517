/**
 * One random download against a store that follows a fault script: what is generated, how it is run on a fake clock,
 * and what must hold whatever happened. The engine is passed in, so that broken ones can be shown to fail.
 */
import fc from "fast-check";
import { vi } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import type { Budget } from "../../src/readahead/budget.ts";
import type { createDownload } from "../../src/readahead/download.ts";
import type { ReadaheadEvent } from "../../src/readahead/events.ts";
import type { openObject } from "../../src/readahead/open.ts";
import type { createHttpSource } from "../../src/sources/http.ts";
import { type Content, contentBytes, firstDifference } from "../support/object-bytes.ts";
import { createStoreFetch } from "../support/store-fetch.ts";
import type { Fault, ScriptedFault } from "../support/store-script.ts";
import { anotherVersion, StoreSpace } from "../support/store-space.ts";

/** The parts of the project that a case runs. */
export interface EngineUnderTest {
  readonly Budget: typeof Budget;
  readonly createDownload: typeof createDownload;
  readonly openObject: typeof openObject;
  readonly createHttpSource: typeof createHttpSource;
}

export interface RecoveryCase {
  readonly size: number;
  readonly start: number;
  readonly end: number;
  readonly firstBytes: number;
  readonly partBytes: number;
  readonly windowParts: number;
  readonly unanswered: number;
  readonly budgetBytes: number;
  readonly blockBytes: readonly number[];
  readonly seed: number;
  /** False: the store ignores If-Match, as some do, and only our own check is left. */
  readonly conditions: boolean;
  readonly faults: readonly ScriptedFault[];
  /** The client leaves after so many bytes; absent: it stays. */
  readonly leavesAfter: number | undefined;
}

/** Every way in which a store can fail, by the name under which the cases are counted. */
export const faultClasses = {
  "status-503": fc.constant<Fault>({ kind: "status", status: 503 }),
  "status-500": fc.constant<Fault>({ kind: "status", status: 500 }),
  "status-429": fc.constant<Fault>({
    kind: "status",
    status: 429,
    headers: { "retry-after": "1" },
  }),
  "status-404": fc.constant<Fault>({ kind: "status", status: 404 }),
  "status-403": fc.constant<Fault>({ kind: "status", status: 403 }),
  "status-416": fc.constant<Fault>({ kind: "status", status: 416 }),
  "ignore-range": fc.constant<Fault>({ kind: "ignore-range" }),
  "wrong-range": fc
    .integer({ min: 1, max: 300 })
    .map<Fault>((shift) => ({ kind: "wrong-range", shift })),
  "no-content-range": fc.constant<Fault>({ kind: "no-content-range" }),
  short: fc.integer({ min: 1, max: 5_000 }).map<Fault>((bytes) => ({ kind: "short", bytes })),
  long: fc.integer({ min: 1, max: 5_000 }).map<Fault>((bytes) => ({ kind: "long", bytes })),
  changed: fc.constant<Fault>({ kind: "changed" }),
  gzip: fc.constant<Fault>({ kind: "gzip" }),
  multipart: fc.constant<Fault>({ kind: "multipart" }),
  "reset-before-headers": fc.constant<Fault>({ kind: "reset", after: "before-headers" }),
  "reset-mid-body": fc
    .integer({ min: 0, max: 40_000 })
    .map<Fault>((after) => ({ kind: "reset", after })),
  "reset-last-byte": fc.constant<Fault>({ kind: "reset", after: "last-byte" }),
  "stall-before-headers": fc.constant<Fault>({ kind: "stall", after: "before-headers" }),
  "stall-mid-body": fc
    .integer({ min: 0, max: 40_000 })
    .map<Fault>((after) => ({ kind: "stall", after })),
  trickle: fc
    .integer({ min: 500, max: 3_000 })
    .map<Fault>((bytes) => ({ kind: "trickle", bytes, everyMs: 200 })),
  "late-headers": fc
    .integer({ min: 1, max: 60_000 })
    .map<Fault>((ms) => ({ kind: "late-headers", ms })),
} satisfies Record<string, fc.Arbitrary<Fault>>;

export type FaultClass = keyof typeof faultClasses;
export const faultClassNames = Object.keys(faultClasses) as FaultClass[];

/** Faults after which the same object can still be had: the download must complete. */
const passing = new Set<Fault["kind"]>([
  "wrong-range",
  "no-content-range",
  "short",
  "long",
  "gzip",
  "multipart",
  "reset",
  "stall",
  "trickle",
  "late-headers",
]);

/** Faults that cost no time but that of a retry. */
const immediate = new Set<Fault["kind"]>([
  "wrong-range",
  "no-content-range",
  "short",
  "long",
  "gzip",
  "multipart",
  "reset",
]);
/** More than five back-offs can take, less than one first-byte deadline. */
const PROMPT_MS = 25_000;

/** No script of five faults takes this long. */
const LONGEST_MS = 600_000;

const blockSizes = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 4 });

/** Cases whose first fault is of the given class. */
export function recoveryCases(faultClass: FaultClass): fc.Arbitrary<RecoveryCase> {
  const anyFault = fc.oneof(...Object.values(faultClasses));
  const at = fc.integer({ min: 0, max: 6 });
  return fc
    .record({
      size: fc.oneof(
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }) },
        { weight: 9, arbitrary: fc.integer({ min: 4, max: 120_000 }) },
      ),
      from: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.double({ min: 0, max: 1, noNaN: true }),
      whole: fc.integer({ min: 0, max: 3 }).map((dice) => dice > 0),
      partBytes: fc.oneof(
        { weight: 3, arbitrary: fc.integer({ min: 1024, max: 8_000 }) },
        { weight: 1, arbitrary: fc.integer({ min: 1024, max: 60_000 }) },
      ),
      windowParts: fc.integer({ min: 1, max: 8 }),
      unanswered: fc.integer({ min: 1, max: 8 }),
      budgetBytes: fc.integer({ min: 0, max: 400_000 }),
      blockBytes: blockSizes,
      seed: fc.nat(),
      conditions: fc.boolean(),
      fault: faultClasses[faultClass],
      faultAt: at,
      more: fc.array(fc.record({ at, fault: anyFault }), { maxLength: 4 }),
      leaves: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 6, nil: undefined }),
    })
    .map((raw) => {
      const start = raw.whole ? 0 : Math.floor(raw.from * raw.size);
      const rest = raw.size - start;
      const end = raw.whole ? raw.size : Math.min(raw.size, start + Math.ceil(raw.length * rest));
      return {
        size: raw.size,
        start,
        end,
        firstBytes: raw.partBytes,
        partBytes: raw.partBytes,
        windowParts: raw.windowParts,
        unanswered: raw.unanswered,
        budgetBytes: raw.budgetBytes,
        blockBytes: raw.blockBytes,
        seed: raw.seed,
        conditions: raw.conditions,
        faults: [{ at: raw.faultAt, fault: raw.fault }, ...raw.more],
        leavesAfter: raw.leaves === undefined ? undefined : Math.floor(raw.leaves * (end - start)),
      };
    })
    .filter((one) => one.end > one.start);
}

/**
 * Runs the case and throws when a promise is broken. Needs fake timers.
 *
 * @returns Whether the first fault of the script was met
 */
export async function checkRecovery(one: RecoveryCase, engine: EngineUnderTest): Promise<boolean> {
  const content = { kind: "counter", seed: one.seed } as const;
  const space = new StoreSpace({
    objects: { object: { content, size: one.size, conditions: one.conditions } },
    faults: one.faults,
    blockBytes: one.blockBytes,
  });
  const budget = new engine.Budget(one.budgetBytes, 96);
  const source = engine.createHttpSource({
    url: "https://store.example/",
    fetch: createStoreFetch(space) as never,
  });
  const events: ReadaheadEvent[] = [];
  let mostHeld = 0;
  let mostUnanswered = 0;
  const download = engine.createDownload({
    budget,
    limits: {
      partBytes: one.partBytes,
      windowParts: one.windowParts,
      unanswered: one.unanswered,
      budgetBytes: one.budgetBytes,
      // More than the most faults of a script, silent ones counted twice.
      attempts: 11,
    },
    onEvent: (event) => {
      events.push(event);
      mostHeld = Math.max(mostHeld, budget.held);
      mostUnanswered = Math.max(mostUnanswered, space.stats().unanswered);
    },
  });
  const received: Uint8Array[] = [];
  let count = 0;
  const run = async (): Promise<"complete" | "left"> => {
    const want = { start: one.start, end: Math.min(one.end, one.start + one.firstBytes) };
    const object = await engine.openObject(source, "object", { want }, download);
    const layout = [{ start: one.start, end: one.end }];
    const stream = await download.start(object, layout);
    const reader = stream.getReader();
    for (;;) {
      if (one.leavesAfter !== undefined && count >= one.leavesAfter) {
        await reader.cancel();
        return "left";
      }
      const { done, value } = await reader.read();
      if (done) return "complete";
      received.push(value);
      count += value.byteLength;
    }
  };
  const began = performance.now();
  const outcome = await settle(run());
  const elapsedMs = performance.now() - began;
  if ("error" in outcome) download.close("upstream", outcome.error);
  await settle(download.closed);
  await turns(20);

  const bytes = concatenate(received, count);
  const wrong = versionsSeen(one).map((version) =>
    firstDifference(bytes, contentBytes(version, one.start, one.start + count)),
  );
  if (!wrong.includes(-1)) throw new Error(`Bytes of no version: differ at ${wrong.join()}`);
  if ("error" in outcome) {
    if (!(outcome.error instanceof ReadaheadError) && !isReadaheadError(outcome.error)) {
      throw new Error("Failed with something else than an error of ours", { cause: outcome.error });
    }
    if (mustComplete(one))
      throw new Error("Failed although it could recover", { cause: outcome.error });
  } else if (outcome.value === "complete" && count !== one.end - one.start) {
    throw new Error(`Complete with ${count} of ${one.end - one.start} bytes`);
  }
  if (one.faults.every(({ fault }) => immediate.has(fault.kind)) && elapsedMs > PROMPT_MS) {
    throw new Error(`Took ${elapsedMs} ms although nothing was slow`);
  }
  const stats = space.stats();
  if (stats.openBodies !== 0) throw new Error(`${stats.openBodies} bodies left open`);
  if (stats.unanswered !== 0) throw new Error(`${stats.unanswered} requests left unanswered`);
  if (budget.held !== 0 || budget.leases !== 0 || budget.open !== 0) {
    throw new Error(`Left: ${budget.held} bytes, ${budget.leases} leases, ${budget.open} open`);
  }
  if (mostHeld > one.budgetBytes) throw new Error(`Held ${mostHeld} of ${one.budgetBytes}`);
  if (mostUnanswered > one.unanswered) throw new Error(`${mostUnanswered} requests unanswered`);
  if (vi.getTimerCount() !== 0) throw new Error(`${vi.getTimerCount()} timers left`);
  checkEvents(events, one);
  return stats.requests > (one.faults[0]?.at ?? 0);
}

/** The object as stored, and what each fault of the kind `changed` made of it. */
function versionsSeen(one: RecoveryCase): readonly Content[] {
  const versions: Content[] = [{ kind: "counter", seed: one.seed }];
  for (const { fault } of one.faults) {
    const last = versions.at(-1);
    if (fault.kind === "changed" && last !== undefined) versions.push(anotherVersion(last));
  }
  return versions;
}

function checkEvents(events: readonly ReadaheadEvent[], one: RecoveryCase): void {
  const open = new Set<string>();
  const parts = new Set<number>();
  let most = 0;
  let closed = 0;
  for (const event of events) {
    if (event.type === "part-requested") {
      open.add(`${event.part}.${event.attempt}`);
      parts.add(event.part);
    } else if (event.type === "attempt-ended") {
      if (!open.delete(`${event.part}.${event.attempt}`)) throw new Error("An attempt ended twice");
    } else if (event.type === "part-delivered") parts.delete(event.part);
    else if (event.type === "closed") {
      closed += 1;
      if (event.totals.openAfterClose !== 0) throw new Error("Open after close");
    }
    most = Math.max(most, parts.size);
  }
  if (closed !== 1) throw new Error(`${closed} closed events`);
  if (open.size !== 0) throw new Error(`Attempts without an end: ${[...open].join()}`);
  if (most > one.windowParts) throw new Error(`${most} parts in a window of ${one.windowParts}`);
}

/** True when no fault of the script can justify a failure: each passes by itself, and there are fewer than attempts. */
function mustComplete(one: RecoveryCase): boolean {
  return one.faults.every(({ at, fault }) => {
    if (at === 0 || (fault.kind === "late-headers" && fault.ms > 30_000)) return at !== 0;
    if (fault.kind === "status") return [500, 503, 429].includes(fault.status);
    return passing.has(fault.kind) || fault.kind === "ignore-range";
  });
}

/** Another copy of the engine has another class. */
function isReadaheadError(error: unknown): boolean {
  return error instanceof Error && error.name === "ReadaheadError";
}

type Settled<T> = { readonly value: T } | { readonly error: unknown };

/** Waits for a promise on the fake clock: real turns while something moves, the next timer when nothing does. */
async function settle<T>(promise: Promise<T>): Promise<Settled<T>> {
  let settled: Settled<T> | undefined;
  promise.then(
    (value) => {
      settled = { value };
    },
    (error: unknown) => {
      settled = { error };
    },
  );
  const began = performance.now();
  for (let idle = 0; settled === undefined; idle += 1) {
    await turns(3);
    if (settled !== undefined) break;
    if (performance.now() - began > LONGEST_MS) throw new Error("Hangs: only its own clock moves");
    if (vi.getTimerCount() > 0) await vi.advanceTimersToNextTimerAsync();
    else if (idle > 2_000) throw new Error("Hangs: no timer runs and nothing moves");
  }
  return settled;
}

/** Lets everything that can go on without a clock go on. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise<void>((resolve) => {
      realSetImmediate(resolve);
    });
  }
}

const realSetImmediate = setImmediate;

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let position = 0;
  for (const chunk of chunks) {
    all.set(chunk, position);
    position += chunk.byteLength;
  }
  return all;
}
