/**
 * A stretch of a body that starts in the middle: skips to what is wanted, ends after it, lets go of the rest.
 *
 * Reads only while the engine does (no queue of its own). Its blocks are taken from the download's budget while they are
 * held; without a grant it goes on in blocks of 16 KiB. A body that ends early ends early here too: the engine counts.
 */
import { ReadaheadError } from "../../errors.ts";
import { createBodyReader } from "../../readahead/body-reader.ts";
import type { Permits } from "../../readahead/permits.ts";

export interface SliceOptions {
  /** Bytes to throw away first. */
  readonly skip: number;
  /** Bytes to hand on after them. */
  readonly length: number;
  readonly permits: Pick<Permits, "take" | "give">;
  /** With it, the last block is handed on only when the body has ended well: see proven-body.ts. */
  readonly onWhole?: ((bodyBytes: number) => void) | undefined;
  readonly onUnproven?: (() => void) | undefined;
  /** Told, once, how many bytes were thrown away. */
  readonly onSkipped: (bytes: number) => void;
}

/** Measured: 256 KiB blocks cost a quarter more CPU than 1 MiB ones, and hold a quarter of the memory. */
const largeBlock = 256 * 1024;
const firstBlock = 64 * 1024;
const smallBlock = 16 * 1024;
/** A block within this time is followed by one that is waited for whole. */
const quickBlockMs = 25;

/** @returns A byte stream of at most `length` bytes */
export function sliceBody(
  body: ReadableStream<Uint8Array>,
  { skip, length, permits, onWhole, onUnproven, onSkipped }: SliceOptions,
): ReadableStream<Uint8Array> {
  const reader = createBodyReader(body);
  let toSkip = skip;
  let left = length;
  let quick = false;
  let ended = false;
  let told = false;
  /** Bytes behind the stretch. */
  let surplus = 0;
  /** Bytes were handed on, and the end of the body was not read yet. */
  let unproven = false;

  function tell(): void {
    if (!told) onSkipped(skip - toSkip + surplus);
    told = true;
  }

  /** The wanted bytes of one block, none while it skips; `undefined` at the end of the body. */
  async function readBlock(wanted: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = Math.min(wanted, toSkip + left);
    const from = performance.now();
    const min = quick ? bytes : 1;
    const result = await reader.read(new Uint8Array(bytes), min);
    quick = performance.now() - from <= quickBlockMs;
    if (result.view.byteLength < min || result.done) ended = true;
    if (result.view.byteLength === 0) return undefined;
    const skipped = Math.min(toSkip, result.view.byteLength);
    toSkip -= skipped;
    const view = result.view.subarray(skipped, skipped + left);
    left -= view.byteLength;
    return view;
  }

  async function pull(controller: ReadableByteStreamController): Promise<void> {
    const request = controller.byobRequest;
    const wanted = request?.view?.byteLength ?? firstBlock;
    const size = Math.min(Math.max(wanted, firstBlock), largeBlock);
    for (;;) {
      const granted = permits.take(size);
      try {
        const atEnd = left === 0 || ended;
        const block = atEnd ? undefined : await readBlock(granted ? size : smallBlock);
        if (block === undefined) {
          if (left === 0) await readEnd();
          else if (unproven) onUnproven?.();
          tell();
          controller.close();
          request?.respond(0);
          return;
        }
        if (block.byteLength === 0) continue;
        if (left === 0 && onWhole !== undefined) {
          await readSurplus();
          onWhole(skip + length + surplus);
          unproven = false;
        } else unproven = true;
        controller.enqueue(block);
        return;
      } finally {
        if (granted) permits.give(size);
      }
    }
  }

  /** To the end of the body, which may be an error. */
  async function readSurplus(): Promise<void> {
    let buffer = new ArrayBuffer(smallBlock);
    while (!ended) {
      const { view, done } = await reader.read(new Uint8Array(buffer), 1);
      surplus += view.byteLength;
      ended = done || view.byteLength === 0;
      buffer = view.buffer.byteLength === smallBlock ? view.buffer : new ArrayBuffer(smallBlock);
    }
  }

  /** Past the last byte of the whole, so that the connection is free again; a longer rest is let go. */
  async function readEnd(): Promise<void> {
    if (!ended) {
      try {
        const { view, done } = await reader.read(new Uint8Array(1), 1);
        if (done || view.byteLength === 0) return;
      } catch {
        // Every byte is here: how the connection ends does not matter.
      }
    }
    reader.cancel(undefined);
  }

  return new ReadableStream({
    type: "bytes",
    pull: async (controller) => {
      try {
        await pull(controller);
      } catch (error) {
        if (unproven) onUnproven?.();
        tell();
        reader.cancel(error);
        controller.error(error);
      }
    },
    cancel: (reason) => {
      // Given up because nothing came any more: Node's fetch is silent about what it cannot inflate.
      if (unproven && reason instanceof ReadaheadError) onUnproven?.();
      tell();
      reader.cancel(reason);
    },
  });
}
