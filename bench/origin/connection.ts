/**
 * One connection of the benchmark origin: reads request heads, waits the latency, writes ramp bytes.
 *
 * One write is in flight at a time and the next starts in its callback, so `bytesWritten` is what the kernel took and
 * back-pressure holds. Requests that arrive early wait in the text buffer. The connection owns its timer and is the
 * only one to end a response; the pacer only gives credit.
 */
import type { Socket } from "node:net";
import { after } from "./clock.ts";
import { pace, unpace } from "./pacer.ts";
import type { ActiveProfile, Fate } from "./profile.ts";
import { blockBytes, rampBlock } from "./ramp.ts";
import {
  type Decision,
  decide,
  formatDocument,
  formatRefusal,
  formatResponseHead,
  parseRequestHead,
  type RequestHead,
} from "./request.ts";
import { findRoute, type Profiles, type ServedObject } from "./route.ts";

interface Response {
  readonly profile: ActiveProfile;
  readonly fate: Fate;
  /** What lies at an offset. Blocks are asked for in order. */
  readonly block: (offset: number, length: number) => Buffer;
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
  readonly #profiles: Profiles;
  readonly #served = new Set<ActiveProfile>();
  #text = "";
  #busy = false;
  #writing = false;
  #callOff: (() => void) | undefined;
  #response: Response | undefined;

  /** Serves the socket until it closes; nobody else needs to hold the connection. */
  static serve(socket: Socket, profiles: Profiles): void {
    const connection = new Connection(socket, profiles);
    socket.on("data", (data: Buffer) => connection.#received(data));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => connection.#closed());
  }

  private constructor(socket: Socket, profiles: Profiles) {
    this.#socket = socket;
    this.#profiles = profiles;
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
    this.#busy = true;
    const arrivedAt = performance.now();
    const route = findRoute(head.path, this.#profiles, this.#socket.localPort ?? 0);
    if (route === undefined) {
      this.#reply(formatRefusal(404));
      return;
    }
    const { profile } = route;
    this.#serve(profile);
    profile.counters.lastRequestAt = Date.now();
    profile.counters.firstRequestAt ||= profile.counters.lastRequestAt;
    if (route.kind === "object") {
      this.#answer(head, profile, route.object);
      return;
    }
    profile.counters.lookups++;
    // Making a chunk list up takes half a millisecond, which a filer that has it does not take.
    const waited = performance.now() - arrivedAt;
    const delayMs = Math.max(0, (profile.behaviour.lookupMs ?? 0) - waited);
    this.#after(delayMs, () => this.#reply(formatDocument(route.text)));
  }

  #answer(head: RequestHead, profile: ActiveProfile, object: ServedObject): void {
    const { counters } = profile;
    counters.requests++;
    if (head.method === "GET") counters.gets++;
    else if (head.method === "HEAD") counters.heads++;
    const fate: Fate = head.method === "GET" ? profile.fate() : { kind: "whole" };
    if (fate.kind === "hang") {
      counters.hangs++;
      return;
    }
    const decision = decide(head, object);
    this.#after(profile.latencyMs(), () => {
      if (head.method !== "GET" && head.method !== "HEAD") {
        this.#reply(formatRefusal(405, "Allow: GET, HEAD\r\n"));
      } else if (fate.kind === "unavailable") {
        counters.refusals++;
        this.#reply(formatRefusal(503, `Retry-After: ${fate.retryAfterS}\r\n`));
      } else if (head.method === "HEAD" || decision.start >= decision.end) {
        this.#reply(formatResponseHead(decision, object));
      } else {
        this.#start(profile, fate, decision, object);
      }
    });
  }

  #after(delayMs: number, act: () => void): void {
    if (delayMs === 0) act();
    else this.#callOff = after(delayMs, () => this.#socket.destroyed || act());
  }

  #reply(text: string): void {
    this.#socket.write(text, () => this.#free());
  }

  #start(profile: ActiveProfile, fate: Fate, decision: Decision, object: ServedObject): void {
    const length = decision.end - decision.start;
    const { connectionRate: rate, totalRate } = profile.behaviour;
    const limited = rate !== undefined || totalRate !== undefined;
    profile.counters.openResponses++;
    this.#response = {
      profile,
      fate,
      block: blocksOf(object, decision.start),
      end: decision.end,
      strikesAt:
        "at" in fate ? decision.start + Math.max(1, Math.floor(length * fate.at)) : Infinity,
      offset: decision.start,
      rate,
      credit: limited ? 0 : Infinity,
    };
    if (limited) pace(this);
    this.#socket.cork();
    this.#socket.write(formatResponseHead(decision, object));
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
    this.#socket.write(response.block(response.offset, length), (error) => {
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
      this.#callOff = after(fate.ms, () => {
        this.#writing = false;
        this.#pump();
      });
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
    this.#callOff?.();
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

function blocksOf(object: ServedObject, start: number): Response["block"] {
  const { rampOffset } = object;
  const encrypt = object.encrypt?.(start);
  if (encrypt === undefined) return (offset, length) => rampBlock(rampOffset + offset, length);
  return (offset, length) => encrypt(rampBlock(rampOffset + offset, length));
}
