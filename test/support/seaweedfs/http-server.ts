/**
 * One HTTP server of a fake cluster: counts requests and open bodies, answers late, and misbehaves on demand. Ordinary
 * behaviour is a function from request to reply; faults are scripted before it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** An ordinary answer. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array | string | undefined;
}

/** What to do instead of answering. */
export type Fault =
  | { readonly do: "reply"; readonly reply: Reply }
  /** Resets the connection before headers. */
  | { readonly do: "reset" }
  /** Accepts, and never answers. */
  | { readonly do: "hang" }
  /** Headers of the whole answer, `bytes` bytes of the body, `text` after them, then a clean close. */
  | { readonly do: "cut"; readonly bytes: number; readonly text?: string }
  /** As `cut`, with a reset. */
  | { readonly do: "break"; readonly bytes: number }
  /** Headers, `bytes` bytes, then nothing. */
  | { readonly do: "stall"; readonly bytes: number };

export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
}

export class FakeServer {
  readonly seen: SeenRequest[] = [];
  /** Judges each request before it is answered; `undefined` lets it pass. */
  fault: ((request: SeenRequest, index: number) => Fault | undefined) | undefined;
  /** Before headers, ms. */
  delayMs = 0;
  /** Answers begun and neither finished nor given up. */
  openBodies = 0;
  /** Requests that the client gave up. */
  aborted = 0;
  #server: Server;
  #port = 0;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #answer: (request: SeenRequest) => Reply;

  constructor(answer: (request: SeenRequest) => Reply) {
    this.#answer = answer;
    this.#server = this.#create();
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get url(): string {
    return `http://${this.host}/`;
  }

  /** @param port 0: any */
  start(port = this.#port): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () => {
        this.#port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  /** Dies at once: every connection is reset, new ones are refused. */
  async kill(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    if (this.#server.listening)
      await new Promise((resolve) => {
        this.#server.close(resolve);
      });
    this.#server = this.#create();
  }

  #create(): Server {
    const server = createServer({ keepAliveTimeout: 30_000 }, (request, response) =>
      this.#handle(request, response),
    );
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => undefined);
    });
    return server;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const seen = {
      method: request.method ?? "GET",
      target: request.url ?? "/",
      headers: request.headers,
    };
    const index = this.seen.push(seen) - 1;
    request.resume();
    this.openBodies += 1;
    response.on("close", () => {
      this.openBodies -= 1;
      if (!response.writableFinished) this.aborted += 1;
    });
    response.on("error", () => undefined);
    if (this.delayMs === 0) {
      this.#respond(seen, index, response);
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!response.destroyed) this.#respond(seen, index, response);
    }, this.delayMs);
    this.#timers.add(timer);
  }

  #respond(seen: SeenRequest, index: number, response: ServerResponse): void {
    const fault = this.fault?.(seen, index);
    if (fault?.do === "hang") return;
    if (fault?.do === "reset") {
      response.socket?.resetAndDestroy();
      return;
    }
    const reply = fault?.do === "reply" ? fault.reply : this.#answer(seen);
    const body =
      typeof reply.body === "string" ? Buffer.from(reply.body) : (reply.body ?? Buffer.alloc(0));
    const headers: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(reply.headers ?? {}))
      headers[name] = typeof value === "string" ? value : [...value];
    if (headers["Content-Length"] === undefined && headers["Transfer-Encoding"] === undefined)
      headers["Content-Length"] = String(body.byteLength);
    response.writeHead(reply.status, headers);
    if (seen.method === "HEAD") {
      response.end();
      return;
    }
    if (fault === undefined || fault.do === "reply") {
      response.end(body);
      return;
    }
    response.write(body.subarray(0, fault.bytes), () => {
      if (fault.do === "break") response.socket?.resetAndDestroy();
      if (fault.do !== "cut") return;
      if (fault.text === undefined) response.socket?.end();
      else response.write(fault.text, () => response.socket?.end());
    });
    if (fault.bytes === 0) response.flushHeaders();
  }
}
