/**
 * One test's corner of a fake store: its objects, its script, and what was seen of it. Knows no transport; a server
 * (store-server.ts) or an in-process fetch (store-fetch.ts) plays what `receive` plans and reports back.
 */
import type { Content } from "./object-bytes.ts";
import type { PlannedAnswer, StoreRequest } from "./store-answer.ts";
import { planAnswer } from "./store-answer.ts";
import type { Fault, SpaceScript, StoredObject } from "./store-script.ts";

/** One request as the store saw it. */
export interface SeenRequest extends StoreRequest {
  /** Milliseconds of `performance.now()` on arrival. */
  readonly at: number;
}

/** Counters, plain data. */
export interface StoreStats {
  readonly requests: number;
  /** Answers begun and neither ended nor given up by the client. */
  readonly openBodies: number;
  /** Requests that wait for headers now, queued ones included. */
  readonly unanswered: number;
  readonly maxUnanswered: number;
  readonly maxOpenBodies: number;
  /** Body bytes handed to the transport. */
  readonly bytesWritten: number;
  /** When clients gave up, by `performance.now()`; before headers and in bodies. */
  readonly abortedAt: readonly number[];
}

/** Handed to the transport for one request. */
export interface Exchange {
  readonly plan: PlannedAnswer;
  /** Headers go out now. */
  answered(): void;
  wrote(bytes: number): void;
  /** Over; `aborted` when the client gave up. Further calls do nothing. */
  ended(aborted: boolean): void;
}

// Well before any test runs, so that a date can pin; whole seconds, as HTTP dates are.
const longAgo = Date.UTC(2026, 0, 1);

export class StoreSpace {
  readonly seen: SeenRequest[] = [];
  readonly script: SpaceScript;
  readonly #objects = new Map<string, StoredObject>();
  readonly #always = new Map<string, Fault>();
  readonly #queue: (() => void)[] = [];
  #placesTaken = 0;
  #versions = 0;
  #gets = 0;
  #requests = 0;
  #openBodies = 0;
  #unanswered = 0;
  #maxUnanswered = 0;
  #maxOpenBodies = 0;
  #bytesWritten = 0;
  readonly #abortedAt: number[] = [];

  constructor(script: SpaceScript = {}) {
    this.script = script;
    for (const [key, object] of Object.entries(script.objects ?? {})) this.store(key, object);
  }

  /** Stores or replaces an object; gives it a tag and a date where it has none set. */
  store(key: string, object: StoredObject): void {
    this.#versions += 1;
    this.#objects.set(key, {
      ...object,
      etag: object.etag === undefined ? `"v${this.#versions}"` : object.etag,
      lastModified:
        object.lastModified === undefined ? longAgo + this.#versions * 1000 : object.lastModified,
    });
  }

  delete(key: string): void {
    this.#objects.delete(key);
  }

  /** Every GET and HEAD of the key meets this fault from now on; `undefined` ends it. */
  always(key: string, fault: Fault | undefined): void {
    if (fault === undefined) this.#always.delete(key);
    else this.#always.set(key, fault);
  }

  /** The object as it is now. */
  object(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  stats(): StoreStats {
    return {
      requests: this.#requests,
      openBodies: this.#openBodies,
      unanswered: this.#unanswered,
      maxUnanswered: this.#maxUnanswered,
      maxOpenBodies: this.#maxOpenBodies,
      bytesWritten: this.#bytesWritten,
      abortedAt: [...this.#abortedAt],
    };
  }

  /** Takes a request in. The transport plays the plan once `place` resolves (at once, unless places are limited). */
  receive(request: StoreRequest): Exchange {
    this.#requests += 1;
    this.seen.push({ ...request, at: performance.now() });
    const number = request.method === "GET" ? this.#gets++ : undefined;
    const scripted = this.script.faults?.find(({ at }) => at === number)?.fault;
    const fault = scripted ?? this.#always.get(request.key);
    if (fault?.kind === "changed") this.#change(request.key);
    const plan = planAnswer(request, this.#objects.get(request.key), fault, Date.now());
    return this.#exchange(plan);
  }

  /** Resolves when a place for an unanswered request is free; `release` gives it back. */
  async place(): Promise<() => void> {
    const places = this.script.unansweredPlaces ?? Infinity;
    if (this.#placesTaken >= places)
      await new Promise<void>((resolve) => {
        this.#queue.push(resolve);
      });
    else this.#placesTaken += 1;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const next = this.#queue.shift();
      // The place passes to the next in line without becoming free in between.
      if (next === undefined) this.#placesTaken -= 1;
      else next();
    };
  }

  #change(key: string): void {
    const object = this.#objects.get(key);
    if (object === undefined) return;
    const { etag, lastModified, ...rest } = object;
    const kept: Partial<StoredObject> = {};
    const weak = typeof etag === "string" && etag.startsWith("W/");
    this.store(key, {
      ...rest,
      ...kept,
      content: anotherVersion(object.content),
      etag: weak ? `W/"v${this.#versions + 1}"` : etag === null ? null : undefined,
      lastModified: typeof lastModified === "number" ? lastModified + 1000 : lastModified,
    });
  }

  #exchange(plan: PlannedAnswer): Exchange {
    let state: "unanswered" | "open" | "ended" = "unanswered";
    this.#unanswered += 1;
    this.#maxUnanswered = Math.max(this.#maxUnanswered, this.#unanswered);
    return {
      plan,
      answered: () => {
        if (state !== "unanswered") return;
        state = "open";
        this.#unanswered -= 1;
        this.#openBodies += 1;
        this.#maxOpenBodies = Math.max(this.#maxOpenBodies, this.#openBodies);
      },
      wrote: (bytes) => {
        this.#bytesWritten += bytes;
      },
      ended: (aborted) => {
        if (state === "ended") return;
        if (state === "unanswered") this.#unanswered -= 1;
        else this.#openBodies -= 1;
        state = "ended";
        if (aborted) this.#abortedAt.push(performance.now());
      },
    };
  }
}

/** Bytes that differ from those of the version before at every position. */
export function anotherVersion(content: Content): Content {
  switch (content.kind) {
    case "ramp":
      return { kind: "counter", seed: 1 };
    case "counter":
      // Differs in every byte of the word, but for carries.
      return { kind: "counter", seed: (content.seed + 0x01010101) % 2 ** 32 };
    case "bytes":
      return { kind: "bytes", bytes: content.bytes.map((byte) => byte ^ 255) };
    default:
      return content satisfies never;
  }
}
