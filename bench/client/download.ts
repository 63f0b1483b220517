/**
 * One GET over one raw connection that throws its bytes away as cheaply as Node can: reads land in one buffer, which is
 * used again at once. Counts bytes, notes times, and compares the ends of every read with the ramp, so that a
 * displaced slice shows without a cost that would be measured.
 *
 * A download never rejects: a failure is a result with `complete: false` and a word why.
 */
import { connect, type Socket } from "node:net";
import { rampPeriod } from "../origin/ramp.ts";

export interface Target {
  readonly port: number;
  readonly path: string;
}

/** How the client reads. */
export interface Reading {
  /** Bytes a second; absent: as fast as it goes. */
  readonly bytesPerSecond?: number | undefined;
  /** Stop reading after so many body bytes, hold the connection so long, then reset it. */
  readonly leave?: { readonly afterBytes: number; readonly afterMs: number } | undefined;
  /** Give up and reset after so long, ms. */
  readonly limitMs: number;
  /** Further request headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly range?: { readonly start: number; readonly end?: number } | undefined;
  /** Notes the bytes so far every so often, ms. */
  readonly sampleMs?: number | undefined;
}

export interface Result {
  readonly complete: boolean;
  readonly status: number;
  /** Body bytes; framing of a chunked answer included (under 0.2 %). */
  readonly bytes: number;
  /** From connecting to the first body byte. */
  readonly firstByteMs: number;
  readonly totalMs: number;
  /** From the first body byte to the last read. */
  readonly readingMs: number;
  /** Milliseconds since the epoch at which the client reset the connection; 0 when it did not. */
  readonly resetAt: number;
  readonly problem?: string | undefined;
  /** `[ms since connecting, bytes]`, where samples were asked for. */
  readonly samples?: readonly (readonly [number, number])[] | undefined;
}

interface Framing {
  readonly status: number;
  /** Body bytes to come, or `undefined` when chunked. */
  readonly length: number | undefined;
  /** Object offset of the first body byte. */
  readonly offset: number;
}

const fullSpeedBuffer = 256 * 1024;
/** Four reads a second at 64 KiB/s: small enough that a slow client is slow all the time. */
const slowBuffer = 16 * 1024;

export function download(target: Target, reading: Reading): Promise<Result> {
  return new Promise((resolve) => new Downloader(target, reading, resolve).start());
}

class Downloader {
  readonly #target: Target;
  readonly #reading: Reading;
  readonly #done: (result: Result) => void;
  readonly #startedAt = performance.now();
  readonly #samples: [number, number][] = [];
  #socket: Socket | undefined;
  #head = "";
  #framing: Framing | undefined;
  #bytes = 0;
  #firstByteAt = 0;
  #lastReadAt = 0;
  #resetAt = 0;
  #tail = "";
  #stopped = false;
  #timers: NodeJS.Timeout[] = [];
  #paceTimer: NodeJS.Timeout | undefined;

  constructor(target: Target, reading: Reading, done: (result: Result) => void) {
    this.#target = target;
    this.#reading = reading;
    this.#done = done;
  }

  start(): void {
    const { port, path } = this.#target;
    const { range, limitMs, sampleMs, bytesPerSecond, headers = {} } = this.#reading;
    const buffer = Buffer.allocUnsafe(bytesPerSecond === undefined ? fullSpeedBuffer : slowBuffer);
    const socket = connect({
      port,
      host: "127.0.0.1",
      noDelay: true,
      onread: { buffer, callback: (length) => this.#read(buffer, length) },
    });
    this.#socket = socket;
    socket.on("error", (error) => this.#finish(error.message));
    socket.on("close", () => this.#finish("closed early"));
    const rangeLine =
      range === undefined
        ? ""
        : `Range: bytes=${range.start}-${range.end === undefined ? "" : range.end - 1}\r\n`;
    const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: bench.test\r\n${rangeLine}${more.join("")}\r\n`);
    this.#timers.push(setTimeout(() => this.#reset("time limit"), limitMs));
    if (sampleMs !== undefined) {
      this.#timers.push(
        setInterval(
          () => this.#samples.push([Math.round(performance.now() - this.#startedAt), this.#bytes]),
          sampleMs,
        ),
      );
    }
  }

  /** Returns false to pause the socket. */
  #read(buffer: Buffer, length: number): boolean {
    if (this.#stopped) return false;
    let from = 0;
    if (this.#framing === undefined) {
      const before = this.#head.length;
      this.#head += buffer.toString("latin1", 0, length);
      const end = this.#head.indexOf("\r\n\r\n");
      if (end < 0) return true;
      this.#framing = parseFraming(this.#head.slice(0, end));
      from = end + 4 - before;
    }
    const framing = this.#framing;
    const count = length - from;
    if (count > 0) {
      if (this.#firstByteAt === 0) this.#firstByteAt = performance.now();
      this.#lastReadAt = performance.now();
      if (framing.length === undefined) {
        this.#tail = (
          this.#tail + buffer.toString("latin1", Math.max(from, length - 7), length)
        ).slice(-7);
      } else if (framing.status < 300 && !this.#matchesRamp(buffer, from, length, framing)) {
        this.#reset("wrong bytes");
        return false;
      }
      this.#bytes += count;
    }
    if (this.#bytes === framing.length || this.#tail === "\r\n0\r\n\r\n") {
      this.#finish();
      return false;
    }
    const { leave } = this.#reading;
    if (leave !== undefined && this.#bytes >= leave.afterBytes) {
      this.#stopped = true;
      this.#timers.push(setTimeout(() => this.#reset("left"), leave.afterMs));
      return false;
    }
    return this.#keepPace();
  }

  #keepPace(): boolean {
    const { bytesPerSecond } = this.#reading;
    if (bytesPerSecond === undefined || this.#firstByteAt === 0) return true;
    const dueMs = (this.#bytes / bytesPerSecond) * 1000 - (performance.now() - this.#firstByteAt);
    if (dueMs <= 1) return true;
    this.#paceTimer = setTimeout(() => this.#socket?.resume(), dueMs);
    return false;
  }

  #matchesRamp(buffer: Buffer, from: number, to: number, framing: Framing): boolean {
    const first = framing.offset + this.#bytes;
    const last = first + (to - from) - 1;
    return buffer[from] === first % rampPeriod && buffer[to - 1] === last % rampPeriod;
  }

  #reset(problem: string): void {
    this.#resetAt = Date.now();
    this.#socket?.resetAndDestroy();
    this.#finish(problem);
  }

  #finish(problem?: string): void {
    for (const timer of this.#timers) clearTimeout(timer);
    clearTimeout(this.#paceTimer);
    this.#timers = [];
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    if (!socket.destroyed) socket.destroy();
    const now = performance.now();
    const framing = this.#framing;
    this.#done({
      complete: problem === undefined && framing !== undefined && framing.status < 300,
      status: framing?.status ?? 0,
      bytes: this.#bytes,
      firstByteMs:
        this.#firstByteAt === 0 ? now - this.#startedAt : this.#firstByteAt - this.#startedAt,
      totalMs: now - this.#startedAt,
      readingMs: this.#firstByteAt === 0 ? 0 : this.#lastReadAt - this.#firstByteAt,
      resetAt: this.#resetAt,
      problem:
        problem ??
        (framing !== undefined && framing.status >= 300 ? `status ${framing.status}` : undefined),
      samples: this.#reading.sampleMs === undefined ? undefined : this.#samples,
    });
  }
}

function parseFraming(head: string): Framing {
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
  const length = /^content-length:\s*(\d+)/im.exec(head)?.[1];
  const start = /^content-range:\s*bytes (\d+)-/im.exec(head)?.[1];
  return {
    status,
    length: length === undefined ? undefined : Number(length),
    offset: start === undefined ? 0 : Number(start),
  };
}
