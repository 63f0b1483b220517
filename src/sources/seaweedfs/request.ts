/**
 * One HTTP request to a server of the cluster, under a permit; and whole small answers (metadata, lookups, manifests).
 *
 * Filers and masters have no part of the engine's own failover, so a request for knowledge that another server could
 * answer has a deadline of its own here, below the engine's.
 */
import { ReadaheadError } from "../../errors.ts";
import { createBodyReader } from "../../readahead/body-reader.ts";
import type { Ask } from "../../readahead/permits.ts";
import type { Body, CallContext } from "../source.ts";
import { networkError } from "../upstream.ts";

/** What is passed to `fetch`. Gzip bodies are decoded by the platform (workerd and Node do, Content-Encoding stays). */
export interface SeaweedfsInit {
  readonly method: "GET" | "POST";
  readonly headers: Record<string, string>;
  readonly redirect: "manual";
  readonly signal: AbortSignal;
  readonly body?: string;
}

/** The platform's `fetch`, or that of a binding. */
export type SeaweedfsFetch = (url: string, init: SeaweedfsInit) => Promise<Response>;

/** What a call needs to know about its download; `suspect` where the engine told it. */
export interface ClusterContext extends Pick<CallContext, "permits" | "signal"> {
  suspect?(replica: string): boolean;
}

export interface ClusterRequest {
  readonly url: string;
  readonly replica: string;
  readonly purpose: Ask["purpose"];
  readonly headers: Record<string, string>;
  /** Another server could be asked instead. */
  readonly alternatives: boolean;
  readonly method?: "GET" | "POST";
  readonly body?: string;
}

/** Below the engine's 3 s for requests with alternatives, so that ours ends first and the next server is asked. */
const knowledgeDeadlineMs = 2_500;
/** A small answer that brings nothing for so long is given up: as long as `stallMs` of the default limits. */
const stallMs = 10_000;
/** One that comes by drops is given up, too: 30 s, and longer only as far as it brings more than a modem would. */
const patienceMs = 30_000;
const leastBytesPerMs = 16;
const blockBytes = 256 * 1024;

/**
 * Sends the request; resolves with headers. The caller owns the body.
 *
 * @throws ReadaheadError `unavailable` with `connection` where no answer came
 * @throws the signal's reason when aborted
 */
export function send(
  fetch: SeaweedfsFetch,
  request: ClusterRequest,
  context: ClusterContext,
): Promise<Response> {
  const { replica, purpose, alternatives } = request;
  return context.permits.request({ replica, purpose, alternatives }, async (signal) => {
    try {
      return await fetch(request.url, {
        method: request.method ?? "GET",
        headers: request.headers,
        redirect: "manual",
        signal,
        ...(request.body === undefined ? {} : { body: request.body }),
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw networkError(error, replica);
    }
  });
}

/** The error as one of a server beside which others can, or cannot, be asked. */
export function ofReplica(
  error: ReadaheadError,
  replica: string,
  alternatives: boolean,
): ReadaheadError {
  return new ReadaheadError(error.kind, error.message, {
    cause: error.cause,
    replica,
    alternatives,
    status: error.status,
    retryAfterMs: error.retryAfterMs,
    connection: error.connection,
    silent: error.silent,
  });
}

/** A whole answer; all that is asked for so is text. */
export interface SmallAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/**
 * Sends the request and reads its whole answer.
 *
 * @param limitBytes Longer answers are refused with `unsupported`
 */
export async function sendForAll(
  fetch: SeaweedfsFetch,
  request: ClusterRequest,
  context: ClusterContext,
  limitBytes: number,
): Promise<SmallAnswer> {
  const { replica, alternatives } = request;
  const deadline = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let response: Response;
  try {
    response = await send(
      (url, init) => {
        if (!alternatives) return fetch(url, init);
        // From here on, not from before the permit: waiting for a place says nothing about the server.
        timer = setTimeout(() => deadline.abort(), knowledgeDeadlineMs);
        return fetch(url, { ...init, signal: AbortSignal.any([init.signal, deadline.signal]) });
      },
      request,
      context,
    );
  } catch (error) {
    if (!deadline.signal.aborted || context.signal.aborted) throw error;
    throw silent(replica);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
  const { status, headers } = response;
  try {
    const bytes = await readWhole(response.body, { limitBytes, replica });
    return { status, headers, text: new TextDecoder().decode(bytes) };
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason;
    throw error;
  }
}

export interface WholeBody {
  /** More bytes than this are refused, or dropped. */
  readonly limitBytes: number;
  /** What is past the limit belongs to nobody: it is let go. Default: it is refused. */
  readonly dropSurplus?: boolean | undefined;
  /** How many are expected; saves a copy. */
  readonly expectedBytes?: number | undefined;
  readonly replica?: string | undefined;
  /** Told the bytes of each block, also where the body then breaks. */
  readonly onRead?: ((bytes: number) => void) | undefined;
}

/**
 * Reads a body to its end into one buffer, giving up when nothing comes for 10 s, or too little for 30 s.
 *
 * @throws ReadaheadError `unsupported` past the limit, `unavailable` when it stalls or breaks
 */
export async function readWhole(
  body: Body | null,
  { limitBytes, dropSurplus, expectedBytes, replica, onRead }: WholeBody,
): Promise<Uint8Array<ArrayBuffer>> {
  if (body === null) return new Uint8Array(0);
  const reader = createBodyReader(body);
  // Blocks are copied: a buffer that was lent to a body does not always come back at its end.
  let bytes = new Uint8Array(Math.min(limitBytes, expectedBytes ?? blockBytes));
  let block = new ArrayBuffer(blockBytes);
  let length = 0;
  const from = performance.now();
  try {
    for (;;) {
      if (performance.now() - from > patienceMs + length / leastBytesPerMs) throw silent(replica);
      const { view, done } = await inTime(reader.read(new Uint8Array(block), 1), replica);
      onRead?.(view.byteLength);
      const taken = dropSurplus === true ? view.subarray(0, limitBytes - length) : view;
      if (length + taken.byteLength > limitBytes)
        throw new ReadaheadError("unsupported", `An answer is longer than ${limitBytes} bytes`, {
          replica,
        });
      if (length + taken.byteLength > bytes.byteLength) {
        const larger = new Uint8Array(Math.min(limitBytes, bytes.byteLength * 2 + blockBytes));
        larger.set(bytes);
        bytes = larger;
      }
      bytes.set(taken, length);
      length += taken.byteLength;
      if (taken.byteLength < view.byteLength) {
        reader.cancel(undefined);
        return bytes.subarray(0, length);
      }
      if (done || view.byteLength === 0) return bytes.subarray(0, length);
      block = view.buffer.byteLength === blockBytes ? view.buffer : new ArrayBuffer(blockBytes);
    }
  } catch (error) {
    reader.cancel(error);
    if (error instanceof ReadaheadError) throw error;
    throw new ReadaheadError("unavailable", "The store broke its answer off", {
      cause: error,
      replica,
      connection: true,
    });
  }
}

async function inTime<T>(promise: Promise<T>, replica: string | undefined): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(silent(replica)), stallMs);
      }),
    ]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}

function silent(replica: string | undefined): ReadaheadError {
  return new ReadaheadError("unavailable", "A server of the cluster did not answer in time", {
    replica,
    connection: true,
    silent: true,
  });
}
