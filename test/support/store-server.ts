/**
 * The fake store as a real HTTP server on a loopback port: resets are RSTs, stalls are silent sockets, the time of every
 * abort is the time its socket closed. Spaces live side by side under `/<space>/`, so that tests can share a server;
 * `/-/spaces/<space>` takes a script by PUT and a fault by POST, and gives the counters by GET, for tests that run in
 * workerd and cannot reach in.
 */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { contentBytes } from "./object-bytes.ts";
import type { Fault, SpaceScript, StoredObject } from "./store-script.ts";
import type { Exchange } from "./store-space.ts";
import { StoreSpace } from "./store-space.ts";

export interface StoreServer {
  /** `http://127.0.0.1:<port>/` */
  readonly url: string;
  /** Makes (or replaces) a space; its objects are at `<url><name>/<key>`. */
  space(name: string, script?: SpaceScript): StoreSpace;
  /** Sockets open now, kept-alive ones included. */
  readonly sockets: number;
  /** Destroys what is still open. */
  close(): Promise<void>;
}

const blockBytes = 64 * 1024;

/** Starts on a free port. */
export async function startStoreServer(): Promise<StoreServer> {
  const spaces = new Map<string, StoreSpace>();
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    serve(spaces, request, response).catch((error: unknown) => {
      // A fault of the fake itself must not pass for a fault it was told to play.
      console.error("Fake store failed:", error);
      response.destroy();
    });
  });
  server.keepAliveTimeout = 60_000;
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    space(name, script) {
      const space = new StoreSpace(script);
      spaces.set(name, space);
      return space;
    },
    get sockets() {
      return sockets.size;
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      if (server.listening) await once(server, "close");
    },
  };
}

async function serve(
  spaces: Map<string, StoreSpace>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? "/").split("?")[0] ?? "/";
  const [, name = "", ...rest] = path.split("/");
  if (name === "-") return control(spaces, rest[1] ?? "", request, response);
  const space = spaces.get(name);
  if (space === undefined) {
    response.writeHead(404).end();
    return;
  }
  const headers: Record<string, string> = {};
  for (const [header, value] of Object.entries(request.headers)) headers[header] = String(value);
  const key = decodeURIComponent(rest.join("/"));
  const exchange = space.receive({ method: request.method ?? "GET", key, headers });
  const gone = new AbortController();
  const { socket } = request;
  const over = () => {
    socket.off("close", over);
    gone.abort();
    exchange.ended(!response.writableFinished);
  };
  response.on("close", over);
  // An answer that queues behind another one on its connection is not told that this has closed.
  socket.on("close", over);
  const { plan } = exchange;
  const release = await space.place();
  try {
    await pause(plan.lateMs ?? space.script.latencyMs ?? 0, gone.signal);
    if (gone.signal.aborted) return;
    // The place stays taken as long as nobody is answered.
    if (plan.beforeHeaders === "stall")
      return await once(gone.signal, "abort").then(() => undefined);
    if (plan.beforeHeaders === "reset") return reset(request, exchange);
    response.writeHead(plan.status, plan.headers);
    exchange.answered();
    response.flushHeaders();
  } finally {
    release();
  }
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  await sendBody(space, exchange, request, response, gone.signal);
}

async function sendBody(
  space: StoreSpace,
  exchange: Exchange,
  request: IncomingMessage,
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  const { plan } = exchange;
  const rate = space.script.bytesPerSecond;
  // Fifty blocks a second make a pace that a client measures as even.
  const perBlock = plan.trickle?.bytes ?? (rate === undefined ? blockBytes : Math.ceil(rate / 50));
  const everyMs = plan.trickle?.everyMs ?? (rate === undefined ? 0 : 20);
  const limit = plan.start + (plan.breaks?.after ?? plan.end - plan.start);
  for (let position = plan.start; position < limit; position += perBlock) {
    const bytes = contentBytes(plan.content, position, Math.min(limit, position + perBlock));
    const drained = response.write(bytes);
    exchange.wrote(bytes.length);
    // A client that has every byte may send its next request at once: it must not wait for a pause.
    if (position + perBlock >= limit) break;
    if (!drained) await drainOrClose(response);
    await pause(everyMs, gone);
    if (gone.aborted) return;
  }
  if (plan.breaks === undefined) {
    response.end();
    return;
  }
  if (plan.breaks.kind === "stall") return;
  // A RST overtakes bytes still in our buffers; write's callback tells when the kernel has them.
  await new Promise<void>((resolve) => {
    response.write("", () => resolve());
    response.once("close", resolve);
  });
  reset(request, exchange);
}

function reset(request: IncomingMessage, exchange: Exchange): void {
  exchange.ended(false);
  request.socket.resetAndDestroy();
}

function pause(ms: number, gone: AbortSignal): Promise<void> {
  if (ms <= 0 || gone.aborted) return Promise.resolve();
  return new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      gone.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    gone.addEventListener("abort", done);
  });
}

/** What a POST to a space may carry. */
export type Command =
  | { readonly always: { readonly key: string; readonly fault?: Fault | undefined } }
  | { readonly store: { readonly key: string; readonly object: StoredObject } }
  | { readonly delete: { readonly key: string } };

async function control(
  spaces: Map<string, StoreSpace>,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  if (request.method === "PUT") spaces.set(name, new StoreSpace(JSON.parse(text) as SpaceScript));
  const space = spaces.get(name);
  if (space === undefined) {
    response.writeHead(404).end();
    return;
  }
  if (request.method === "POST") {
    const command = JSON.parse(text) as Command;
    if ("always" in command) space.always(command.always.key, command.always.fault);
    else if ("store" in command) space.store(command.store.key, command.store.object);
    else space.delete(command.delete.key);
  }
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ ...space.stats(), seen: space.seen }));
}

async function drainOrClose(response: ServerResponse): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  try {
    await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]);
  } finally {
    over.abort();
  }
}
