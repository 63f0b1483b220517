/**
 * A store in memory for the handler's tests: one object per key, a ramp of prime period. Counts open bodies and keeps
 * every `open` and `read`, so that a test can say what was asked of it.
 */
import { ReadaheadError } from "../../src/errors.ts";
import type { ByteRange } from "../../src/readahead/byte-range.ts";
import type {
  Facts,
  ListPage,
  ListRequest,
  OpenObject,
  OpenRequest,
  Source,
  StoredPiece,
} from "../../src/sources/source.ts";

/** One version of an object. */
export interface FakeObject {
  readonly size: number;
  readonly etag?: string | undefined;
  readonly lastModified?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What the store does not say, or cannot do. */
  readonly sizeless?: boolean | undefined;
  readonly ignoresRange?: boolean | undefined;
  readonly unversioned?: string | undefined;
}

/** The bytes of every fake object. */
export function ramp(start: number, end: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(end - start);
  for (let index = 0; index < bytes.length; index++) bytes[index] = (start + index) % 251;
  return bytes;
}

export class FakeSource implements Source {
  readonly objects = new Map<string, FakeObject>();
  readonly opens: (OpenRequest & { readonly key: string })[] = [];
  readonly reads: ByteRange[] = [];
  /** Thrown by the n-th open (from 0) instead of an answer. */
  readonly openFaults = new Map<number, unknown>();
  /** Thrown by every read. */
  readFault: unknown;
  /** Until this settles, opens wait (or their signal ends). */
  gate: Promise<void> | undefined;
  openBodies = 0;
  list?: (prefix: string, request: ListRequest) => Promise<ListPage>;

  async open(key: string, request: OpenRequest): Promise<OpenObject> {
    const fault = this.openFaults.get(this.opens.length);
    this.opens.push({ ...request, key });
    const known = request.known;
    if (known !== undefined && fault === undefined) return this.#object(key, known, undefined);
    return request.permits.request({ replica: "fake", purpose: "open" }, async (signal) => {
      if (this.gate !== undefined) await raceAbort(this.gate, signal);
      if (fault !== undefined) throw fault;
      const object = this.objects.get(key);
      if (object === undefined) throw new ReadaheadError("not-found", `No object ${key}`);
      const facts = factsOf(object);
      if (request.want === "facts") return this.#object(key, facts, undefined);
      return this.#object(key, facts, this.#firstRange(object, request.want));
    });
  }

  #firstRange(object: FakeObject, want: Exclude<OpenRequest["want"], "facts">): ByteRange {
    const { size } = object;
    if (object.ignoresRange === true) {
      return { start: 0, end: object.sizeless === true ? Number.POSITIVE_INFINITY : size };
    }
    if ("suffix" in want) return { start: Math.max(0, size - want.suffix), end: size };
    // An empty object has no first byte to range over: a store says 416, a source makes it an empty answer.
    if (size === 0 && want.start === 0) return { start: 0, end: 0 };
    if (want.start >= size) {
      throw new ReadaheadError("unsatisfiable", "Past the end", {
        size: object.sizeless === true ? undefined : size,
      });
    }
    if (object.sizeless === true && want.end === undefined) {
      return { start: want.start, end: Number.POSITIVE_INFINITY };
    }
    return { start: want.start, end: Math.min(size, want.end ?? size) };
  }

  #object(key: string, facts: Facts, range: ByteRange | undefined): OpenObject {
    const size = this.objects.get(key)?.size ?? 0;
    return {
      facts,
      ...(this.objects.get(key)?.ignoresRange === true && { rangeable: false }),
      ...(range && { first: { range, replica: "fake", body: this.#body(range, size) } }),
      read: async (_piece: StoredPiece, wanted: ByteRange, { permits }) => {
        this.reads.push(wanted);
        return permits.request({ replica: "fake", purpose: "read" }, async () => {
          if (this.readFault !== undefined) throw this.readFault;
          const now = this.objects.get(key);
          if (now === undefined) throw new ReadaheadError("not-found", "Gone");
          if (now.etag !== facts.etag) throw new ReadaheadError("changed", "Another version");
          return { body: this.#body(wanted, size), replica: "fake" };
        });
      },
    };
  }

  /** A byte stream of at most 4 KiB a block, counted while it is open. */
  #body(range: ByteRange, size: number): ReadableStream<Uint8Array> {
    const end = Math.min(range.end, size);
    let position = range.start;
    this.openBodies++;
    let open = true;
    const over = () => {
      if (open) this.openBodies--;
      open = false;
    };
    return new ReadableStream({
      type: "bytes",
      pull(controller) {
        const next = Math.min(end, position + 4_096);
        if (next > position) controller.enqueue(ramp(position, next));
        position = next;
        if (position < end) return;
        over();
        controller.close();
        controller.byobRequest?.respond(0);
      },
      cancel: over,
    });
  }
}

function factsOf(object: FakeObject): Facts {
  const { etag } = object;
  return {
    size: object.sizeless === true ? undefined : object.size,
    etag,
    lastModified: object.lastModified,
    headers: object.headers ?? {},
    unversioned: object.unversioned,
    pin: etag === undefined ? undefined : { by: "etag", value: etag },
  };
}

function raceAbort(gate: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    gate.then(resolve, reject);
  });
}
