/**
 * An HTTP origin whose every answer is scripted: delay, rate, status, a cut, silence. Serves ramps of prime period 251
 * under `/ramp/BYTES`, with ranges, a strong ETag and nothing else; counts what is open.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** One request, as the script sees it. */
export interface ScriptedRequest {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  /** How often this path was asked for this start before. */
  readonly before: number;
}

/** What to do with it; empty: answer at once. */
export interface Behaviour {
  readonly delayMs?: number;
  /** Bytes per second. */
  readonly rate?: number;
  /** Answer with this status, and no object bytes. */
  readonly status?: number;
  /** Destroy the connection after so many bytes of the body. */
  readonly cutAfter?: number;
  /** Never answer. */
  readonly silent?: boolean;
}

export interface ScriptedOrigin {
  readonly url: string;
  script: (asked: ScriptedRequest) => Behaviour;
  /** Requests being waited for or answered now. */
  open(): number;
  /** Resolves when the next request for `path` comes. */
  asked(path: string): Promise<void>;
  close(): Promise<void>;
}

const PERIOD = 251;
const BLOCK = PERIOD * 256;
const block = Uint8Array.from({ length: BLOCK }, (_, i) => i % PERIOD);

/** Listens on 127.0.0.1. */
export async function startScriptedOrigin(): Promise<ScriptedOrigin> {
  const open = new Set<ServerResponse>();
  const seen = new Map<string, number>();
  const waiting = new Map<string, (() => void)[]>();
  const server = createServer((request, response) => {
    open.add(response);
    const closed = (): void => {
      open.delete(response);
      request.socket.off("close", closed);
    };
    // A response whose socket was reset while its request was still being read never says that it closed (Node 22).
    response.once("close", closed);
    request.socket.once("close", closed);
    if (request.socket.destroyed) closed();
    answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "/";
    for (const tell of waiting.get(path)?.splice(0) ?? []) tell();
    const size = Number(/^\/ramp\/(\d+)/.exec(path)?.[1] ?? Number.NaN);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const start = range === null ? 0 : Number(range[1]);
    const end = range === null || range[2] === "" ? size : Math.min(size, Number(range[2]) + 1);
    const name = `${path} ${start}`;
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    const behaviour = origin.script({ path, start, end, before });
    if (behaviour.silent === true) return;
    if (behaviour.delayMs !== undefined) await sleep(behaviour.delayMs);
    if (Number.isNaN(size)) return void response.writeHead(404).end();
    if (behaviour.status !== undefined) return void response.writeHead(behaviour.status).end();
    if (range !== null && start >= size)
      return void response.writeHead(416, { "content-range": `bytes */${size}` }).end();
    response.writeHead(range === null ? 200 : 206, {
      etag: `"ramp-${size}"`,
      "accept-ranges": "bytes",
      "content-type": "application/octet-stream",
      "content-length": end - start,
      ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${size}` }),
    });
    if (request.method === "HEAD") return void response.end();
    await write(response, start, end, behaviour);
  }

  const origin: ScriptedOrigin = {
    url: "",
    script: () => ({}),
    open: () => open.size,
    asked: (path) =>
      new Promise((resolve) => {
        waiting.set(path, [...(waiting.get(path) ?? []), resolve]);
      }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(origin, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
}

async function write(
  response: ServerResponse,
  start: number,
  end: number,
  behaviour: Behaviour,
): Promise<void> {
  const until = behaviour.cutAfter === undefined ? end : Math.min(end, start + behaviour.cutAfter);
  const { rate } = behaviour;
  const step =
    rate === undefined
      ? BLOCK - PERIOD
      : Math.max(1024, Math.min(BLOCK - PERIOD, Math.floor(rate / 50)));
  for (let at = start; at < until && response.socket?.destroyed === false; at += step) {
    const from = at % PERIOD;
    const piece = block.subarray(from, from + Math.min(step, until - at));
    if (!response.write(piece)) await drained(response);
    if (rate !== undefined) await sleep((piece.length / rate) * 1000);
  }
  if (until < end) response.destroy();
  else response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const { socket } = response;
    const done = (): void => {
      response.off("drain", done);
      socket?.off("close", done);
      resolve();
    };
    if (socket === null || socket.destroyed) return resolve();
    response.once("drain", done);
    socket.once("close", done);
  });
}
