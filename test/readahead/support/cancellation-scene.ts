/** One download of the cancellation table: the store it reads, how far it has come, and what brings it there. */
import { vi } from "vitest";
import type { Lease } from "../../../src/readahead/budget.ts";
import type { OpenObject, Source } from "../../../src/sources/source.ts";
import { KiB } from "../../support/units.ts";
import { expectRamp } from "./read-stream.ts";
import type { WatchedDownload } from "./watched-download.ts";

/** Faults that every fake store can play: of the n-th request with bytes, from 0. */
export interface TableFault {
  readonly at: number;
  readonly fault:
    | { readonly kind: "status"; readonly status: number }
    | { readonly kind: "reset" | "stall"; readonly after: number | "before-headers" };
}

/** What the table needs of a store. */
export interface TableStore {
  readonly source: Source;
  /** Signals of every upstream request sent. */
  readonly signals: readonly AbortSignal[];
  stats(): {
    readonly requests: number;
    readonly openBodies: number;
    readonly unanswered: number;
  };
  /** The object, from facts known before: no request, no first answer. */
  known(watched: WatchedDownload): OpenObject | Promise<OpenObject>;
  /** The same with a `refresh` that waits for a lookup that never comes; absent: the source has no lookups. */
  withLookup?(watched: WatchedDownload): OpenObject | Promise<OpenObject>;
}

export interface TableScript {
  readonly size: number;
  readonly faults: readonly TableFault[];
}

/** Of the downloads' parts, bytes. */
export const PART = 256 * KiB;
/** Of the object, bytes. */
export const SIZE = 24 * PART + 77;
/** What another download holds, in the states that have one. */
export const OTHER_BYTES = 2 * 1024 * KiB;

/** A download that somebody is going to leave. */
export interface Scene {
  readonly store: TableStore;
  readonly watched: WatchedDownload;
  readonly client: AbortController;
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** What the state left pending; settles when the client is gone. */
  readonly pending: Promise<unknown>[];
  read: number;
  /** The lease of a download beside this one. */
  other?: Lease;
}

/** Until everything that needs no time has happened. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await vi.advanceTimersByTimeAsync(0);
}

/** Until headers can be sent; the window behind the first answer is still shut. */
export async function beginAlone(scene: Scene): Promise<void> {
  scene.reader = (await scene.watched.stream(scene.store.source)).getReader();
}

/** Until the window is open. */
export async function begin(scene: Scene): Promise<void> {
  await beginAlone(scene);
  await vi.advanceTimersByTimeAsync(2);
}

/** Reads until a read stays pending; that one is kept. */
export async function readUntilPending(scene: Scene): Promise<void> {
  for (;;) {
    const read = scene.reader?.read();
    if (read === undefined) throw new Error("The scene has no stream");
    let result: Awaited<typeof read> | undefined;
    const seen = read.then((value) => {
      result = value;
      if (value.done) return;
      expectRamp(value.value, scene.read);
      scene.read += value.value.byteLength;
    });
    // Whoever leaves decides how it ends; the rejection has its handler here.
    seen.catch(() => undefined);
    await settle();
    if (result === undefined) {
      scene.pending.push(seen);
      return;
    }
    if (result.done) return;
  }
}

/** Keeps what the state leaves pending; its rejection has a handler from here on. */
export function keep(scene: Scene, work: Promise<unknown>): void {
  work.catch(() => undefined);
  scene.pending.push(work);
}
