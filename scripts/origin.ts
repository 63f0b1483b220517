/**
 * A small HTTP origin for `npm start` and the end-to-end tests: serves samples with ranges and validators, after an
 * adjustable delay and at an adjustable rate, and counts what it sees, so that read-ahead and cancellation can be felt.
 *
 * `GET /-/` tells the counters, `POST /-/?delay_ms=50&rate=10000000` changes delay and rate of the requests to come. It is
 * no benchmark origin (that is `bench/`) and injects no faults (that is `test/support`).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createSamples, type Sample } from "./samples.ts";

export interface OriginOptions {
  readonly port?: number;
  readonly samples?: readonly Sample[];
  /** Milliseconds before the headers of each answer. */
  readonly delayMs?: number;
  /** Bytes per second of each connection; 0 is unlimited. */
  readonly rate?: number;
}

/** What the origin has seen. */
export interface OriginCounts {
  readonly requests: number;
  /** Requests being waited for or answered now. */
  readonly open: number;
  readonly mostOpen: number;
  /** Requests whose connection ended before the answer did. */
  readonly cutShort: number;
  readonly bytesWritten: number;
}

export interface Origin {
  readonly url: string;
  readonly port: number;
  counts(): OriginCounts;
  /** Resolves as soon as no request is open. Rejects after `timeoutMs`. */
  idle(timeoutMs: number): Promise<void>;
  set(change: { delayMs?: number; rate?: number }): void;
  close(): Promise<void>;
}

const blockBytes = 64 * 1024;

/** Listens on 127.0.0.1. @throws Error `EADDRINUSE` when the port is taken */
export async function startOrigin(options: OriginOptions = {}): Promise<Origin> {
  const state = { delayMs: options.delayMs ?? 0, rate: options.rate ?? 0 };
  const counts = { requests: 0, open: 0, mostOpen: 0, cutShort: 0, bytesWritten: 0 };
  const whenIdle = new Set<() => void>();
  const byPath = new Map(
    (options.samples ?? createSamples()).map((sample) => [`/${sample.key}`, sample]),
  );

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://origin");
    if (url.pathname === "/-/") return control(request, response, url);
    counts.requests += 1;
    counts.open += 1;
    counts.mostOpen = Math.max(counts.mostOpen, counts.open);
    const gone = new AbortController();
    const { socket } = request;
    const end = () => {
      if (gone.signal.aborted) return;
      socket.off("close", end);
      gone.abort();
      counts.open -= 1;
      if (!response.writableFinished) counts.cutShort += 1;
      if (counts.open === 0) for (const tell of whenIdle) tell();
    };
    response.once("close", end);
    // A response that waits behind an older one on its connection has no socket yet and is never told that it closed
    // (Node 22.23: seen for the next request on a connection that was reset as soon as it was reused).
    socket.once("close", end);
    answer(request, response, byPath.get(url.pathname), gone.signal).catch((error: unknown) => {
      if (!gone.signal.aborted) response.destroy(error instanceof Error ? error : undefined);
    });
  });

  function control(request: IncomingMessage, response: ServerResponse, url: URL): void {
    if (request.method === "POST") {
      for (const [name, field] of [
        ["delay_ms", "delayMs"],
        ["rate", "rate"],
      ] as const) {
        const value = url.searchParams.get(name);
        if (value !== null && /^\d+$/.test(value)) state[field] = Number(value);
      }
    }
    response.setHeader("content-type", "application/json");
    response.end(`${JSON.stringify({ delay_ms: state.delayMs, rate: state.rate, ...counts })}\n`);
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    sample: Sample | undefined,
    gone: AbortSignal,
  ): Promise<void> {
    const rate = state.rate;
    if (state.delayMs > 0) await sleep(state.delayMs, undefined, { signal: gone });
    if (sample === undefined || (request.method !== "GET" && request.method !== "HEAD")) {
      response.writeHead(sample === undefined ? 404 : 405).end();
      return;
    }
    const etag = `"${sample.key}-${sample.size}"`;
    const ifMatch = request.headers["if-match"];
    if (ifMatch !== undefined && ifMatch !== "*" && ifMatch !== etag) {
      response.writeHead(412).end();
      return;
    }
    const range = parseRange(request.headers.range, sample.size);
    response.setHeader("accept-ranges", "bytes");
    if (range === "unsatisfiable") {
      response.writeHead(416, { "content-range": `bytes */${sample.size}` }).end();
      return;
    }
    const { start, end } = range ?? { start: 0, end: sample.size };
    response.writeHead(range === undefined ? 200 : 206, {
      "content-type": sample.contentType,
      "content-length": end - start,
      etag,
      "last-modified": "Sat, 03 Jan 2026 00:00:00 GMT",
      ...(range === undefined
        ? {}
        : { "content-range": `bytes ${start}-${end - 1}/${sample.size}` }),
    });
    response.flushHeaders();
    if (request.method === "GET") await send(response, sample, start, end, rate, gone);
    response.end();
  }

  async function send(
    response: ServerResponse,
    sample: Sample,
    start: number,
    end: number,
    rate: number,
    gone: AbortSignal,
  ): Promise<void> {
    for (let at = start; at < end && !gone.aborted; at += blockBytes) {
      const block = sample.bytes(at, Math.min(at + blockBytes, end));
      counts.bytesWritten += block.byteLength;
      if (!response.write(block)) await drained(response);
      if (rate > 0) await sleep((block.byteLength / rate) * 1000, undefined, { signal: gone });
    }
  }

  const port = await listen(server, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    counts: () => ({ ...counts }),
    idle: (timeoutMs) => (counts.open === 0 ? Promise.resolve() : untilIdle(whenIdle, timeoutMs)),
    set: (change) => {
      Object.assign(state, change);
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function untilIdle(whenIdle: Set<() => void>, timeoutMs: number): Promise<void> {
  return new Promise((done, fail) => {
    const tell = () => {
      clearTimeout(timer);
      whenIdle.delete(tell);
      done();
    };
    const timer = setTimeout(() => {
      whenIdle.delete(tell);
      fail(new Error(`The origin still has open requests after ${timeoutMs} ms`));
    }, timeoutMs);
    whenIdle.add(tell);
  });
}

/** Resolves when more can be written, and also when nobody is there to read. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((done) => {
    const settle = () => {
      response.off("drain", settle);
      response.off("close", settle);
      done();
    };
    response.once("drain", settle);
    response.once("close", settle);
  });
}

/** One range of RFC 9110 14.1.2 as [start, end); several, or what it cannot read, it ignores as 14.2 allows. */
function parseRange(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (match === null || (first === "" && last === "")) return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  return start < end ? { start, end } : "unsatisfiable";
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((done, fail) => {
    server.once("error", fail);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      done(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
