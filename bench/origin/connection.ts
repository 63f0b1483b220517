/**
 * One connection of the benchmark origin: reads request heads, waits the latency, writes ramp bytes.
 *
 * One write is in flight at a time and the next starts in its callback, so `bytesWritten` is what the kernel took and
 * back-pressure holds. Requests that arrive early wait in the text buffer. The connection owns its timer and is the
 * only one to end a response; the pacer only gives credit.
 */
import type { Socket } from "node:net";
import { pace, unpace } from "./pacer.ts";
import type { ActiveProfile, Fate } from "./profile.ts";
import { blockBytes, rampBlock } from "./ramp.ts";
import {
  type Decision,
  decide,
  formatRefusal,
  formatResponseHead,
  parsePath,
  parseRequestHead,
} from "./request.ts";

/** Looks a profile up by the name in the path. */
export type FindProfile = (name: string) => ActiveProfile | undefined;

interface Response {
  readonly profile: ActiveProfile;
  readonly fate: Fate;
  readonly end: number;
  /** Object offset where the fate strikes; `Infinity` when it never does. */
  strikesAt: number;
  offset: number;
  /** Bytes a second, or `undefined` for as fast as it goes. */
  rate: number | undefined;
  /** Bytes that may be written now; `Infinity` when nothing limits the rate. */
  credit: number;
}

export class Connection {
  readonly #socket: Socket;
  readonly #find: FindProfile;
  readonly #served = new Set<ActiveProfile>();
  #text = "";
  #busy = false;
  #writing = false;
  #timer: NodeJS.Timeout | undefined;
  #response: Response | undefined;

  /** Serves the socket until it closes; nobody else needs to hold the connection. */
  static serve(socket: Socket, find: FindProfile): void {
    const connection = new Connection(socket, find);
    socket.on("data", (data: Buffer) => connection.#received(data));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => connection.#closed());
  }

  private constructor(socket: Socket, find: FindProfile) {
    this.#socket = socket;
    this.#find = find;
  }

  #received(data: Buffer): void {
    this.#text += data.toString("latin1");
    this.#next();
  }

  /** Adds what the rate allows for the time gone by; unused credit beyond 20 ms of it is lost, so there is no burst. */
  tick(elapsedMs: number, sharers: number): void {
    const response = this.#response;
    if (response === undefined) return;
    const { totalRate = Infinity } = response.profile.behaviour;
    const rate = Math.min(response.rate ?? Infinity, totalRate / sharers);
    response.credit = Math.min(rate / 50, response.credit + (rate * elapsedMs) / 1000);
    this.#pump();
  }

  #next(): void {
    if (this.#busy) return;
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = parseRequestHead(this.#text.slice(0, end));
    this.#text = this.#text.slice(end + 4);
    if (head === undefined) {
      this.#socket.destroy();
      return;
    }
    const object = parsePath(head.path);
    const profile = object === undefined ? undefined : this.#find(object.profile);
    if (object === undefined || profile === undefined) {
      this.#busy = true;
      this.#socket.write(formatRefusal(404), () => this.#free());
      return;
    }
    this.#serve(profile);
    this.#busy = true;
    const { counters } = profile;
    counters.requests++;
    counters.lastRequestAt = Date.now();
    if (head.method === "GET") counters.gets++;
    else if (head.method === "HEAD") counters.heads++;
    const fate: Fate = head.method === "GET" ? profile.fate() : { kind: "whole" };
    if (fate.kind === "hang") {
      counters.hangs++;
      return;
    }
    const decision = decide(head, object);
    const answer = () => {
      if (this.#socket.destroyed) return;
      if (head.method !== "GET" && head.method !== "HEAD") {
        this.#socket.write(formatRefusal(405, "Allow: GET, HEAD\r\n"), () => this.#free());
      } else if (fate.kind === "unavailable") {
        counters.refusals++;
        const extra = `Retry-After: ${fate.retryAfterS}\r\n`;
        this.#socket.write(formatRefusal(503, extra), () => this.#free());
      } else if (head.method === "HEAD" || decision.start >= decision.end) {
        this.#socket.write(formatResponseHead(decision, object), () => this.#free());
      } else {
        this.#start(profile, fate, decision, formatResponseHead(decision, object));
      }
    };
    const latencyMs = profile.latencyMs();
    if (latencyMs === 0) answer();
    else this.#timer = setTimeout(answer, latencyMs);
  }

  #start(profile: ActiveProfile, fate: Fate, decision: Decision, head: string): void {
    const length = decision.end - decision.start;
    const { connectionRate: rate, totalRate } = profile.behaviour;
    const limited = rate !== undefined || totalRate !== undefined;
    profile.counters.openResponses++;
    this.#response = {
      profile,
      fate,
      end: decision.end,
      strikesAt:
        "at" in fate ? decision.start + Math.max(1, Math.floor(length * fate.at)) : Infinity,
      offset: decision.start,
      rate,
      credit: limited ? 0 : Infinity,
    };
    if (limited) pace(this);
    this.#socket.cork();
    this.#socket.write(head);
    this.#pump();
    this.#socket.uncork();
  }

  #pump(): void {
    const response = this.#response;
    if (response === undefined || this.#writing || this.#socket.destroyed) return;
    if (response.offset >= response.strikesAt) {
      response.strikesAt = Infinity;
      if (this.#strike(response)) return;
    }
    const { profile } = response;
    const length = Math.min(
      blockBytes,
      response.end - response.offset,
      response.strikesAt - response.offset,
      Math.floor(response.credit),
    );
    if (length <= 0) return;
    response.credit -= length;
    this.#writing = true;
    this.#socket.write(rampBlock(response.offset, length), (error) => {
      this.#writing = false;
      if (error) return;
      response.offset += length;
      profile.counters.bytesWritten += length;
      if (response.offset < response.end) {
        this.#pump();
        return;
      }
      profile.counters.completed++;
      this.#over();
      this.#free();
    });
  }

  /** Lets the fault happen. Returns whether the response has to wait or is over. */
  #strike(response: Response): boolean {
    const { fate, profile } = response;
    if (fate.kind === "stall") {
      profile.counters.stalls++;
      this.#writing = true;
      this.#timer = setTimeout(() => {
        this.#writing = false;
        this.#pump();
      }, fate.ms);
      return true;
    }
    if (fate.kind === "trickle") {
      profile.counters.trickles++;
      response.rate = fate.rate;
      response.credit = 0;
      pace(this);
      return true;
    }
    if (fate.kind === "reset") {
      profile.counters.resets++;
      profile.counters.cutByFault++;
      this.#over();
      this.#socket.resetAndDestroy();
      return true;
    }
    return false;
  }

  #free(): void {
    this.#busy = false;
    this.#next();
  }

  #over(): void {
    if (this.#response !== undefined) this.#response.profile.counters.openResponses--;
    this.#response = undefined;
    unpace(this);
  }

  #serve(profile: ActiveProfile): void {
    if (this.#served.has(profile)) return;
    this.#served.add(profile);
    const { counters } = profile;
    counters.openSockets++;
    counters.peakSockets = Math.max(counters.peakSockets, counters.openSockets);
  }

  #closed(): void {
    clearTimeout(this.#timer);
    if (this.#response !== undefined) {
      this.#response.profile.counters.cutByClient++;
      this.#over();
    }
    const now = Date.now();
    for (const { counters } of this.#served) {
      counters.openSockets--;
      if (counters.closes.push(now) > 10_000) counters.closes.shift();
    }
  }
}
