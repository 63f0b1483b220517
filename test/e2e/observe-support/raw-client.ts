/** A client on a bare socket, which can leave in every way that a real one can: reset, close, or stop reading. */
import { connect, type Socket } from "node:net";

export interface RawClient {
  readonly socket: Socket;
  /** Resolves when so many bytes, headers included, have arrived; rejects when the connection ends before. */
  received(bytes: number): Promise<void>;
  /** Resolves with everything when the server has closed. */
  readonly ended: Promise<Buffer>;
  /** Leaves with a reset (RST). */
  reset(): void;
}

/** Sends a GET at once. */
export function rawGet(url: string, headers: Readonly<Record<string, string>> = {}): RawClient {
  const { hostname, port, pathname, search, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const pieces: Buffer[] = [];
  let count = 0;
  const watchers = new Set<() => void>();
  socket.on("data", (piece) => {
    pieces.push(piece);
    count += piece.length;
    for (const watch of watchers) watch();
  });
  socket.on("error", () => {});
  const ended = new Promise<Buffer>((resolve) =>
    socket.once("close", () => resolve(Buffer.concat(pieces))),
  );
  const lines = Object.entries({ host, connection: "close", ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n`);
  return {
    socket,
    ended,
    received: (bytes) =>
      new Promise((resolve, reject) => {
        const watch = (): void => {
          if (count < bytes) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        void ended.then(() => reject(new Error(`The connection ended after ${count} bytes`)));
        watch();
      }),
    reset: () => {
      socket.resetAndDestroy();
    },
  };
}
