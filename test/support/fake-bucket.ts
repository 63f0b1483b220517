/**
 * An R2 bucket in memory that counts bodies and can answer late, wrongly or not at all. `production` gives the errors of
 * the real service, `simulator` those of miniflare 5.20261023 (measured): "Unspecified error (0)" at the very end of an
 * object and for every ranged get of an empty one.
 */
import type {
  R2BucketBinding,
  R2GetRequest,
  R2ListRequest,
  R2ObjectHead,
  R2ObjectWithBody,
  R2Stretch,
} from "../../src/sources/r2/binding.ts";

export interface FakeObject {
  readonly bytes: Uint8Array;
  readonly httpMetadata?: R2ObjectHead["httpMetadata"];
  readonly customMetadata?: Readonly<Record<string, string>>;
  readonly ssecKeyMd5?: string;
}

/** What happens to calls of one kind from now on. */
export interface BucketFault {
  /** Thrown instead of an answer. */
  readonly error?: Error;
  /** Awaited before the answer. */
  readonly until?: Promise<void>;
  /** Body bytes before silence. */
  readonly stallAfter?: number;
  /** Body bytes before the connection is lost. */
  readonly breakAfter?: number;
  /** Said to be the range, whatever was sent. */
  readonly range?: R2Stretch;
}

export interface FakeBucket extends R2BucketBinding {
  put(key: string, object: FakeObject): void;
  delete(key: string): void;
  /** Faults of every get (or head) from now on; `undefined` ends them. */
  fault(call: "get" | "head", fault: BucketFault | undefined): void;
  readonly calls: readonly { readonly call: string; readonly options?: R2GetRequest }[];
  /** Bodies handed out and neither read to the end nor cancelled. */
  readonly openBodies: number;
}

interface Stored extends FakeObject {
  readonly etag: string;
}

export function createFakeBucket(behaviour: "production" | "simulator"): FakeBucket {
  const objects = new Map<string, Stored>();
  const faults = new Map<string, BucketFault>();
  const calls: { call: string; options?: R2GetRequest }[] = [];
  let versions = 0;
  let openBodies = 0;

  function headOf(key: string, stored: Stored): R2ObjectHead {
    const { bytes, etag, httpMetadata, customMetadata, ssecKeyMd5 } = stored;
    return {
      key,
      size: bytes.length,
      etag,
      httpEtag: `"${etag}"`,
      // R2 keeps milliseconds, Last-Modified has none.
      uploaded: new Date(Date.UTC(2026, 0, 1) + 789),
      ...(httpMetadata === undefined ? {} : { httpMetadata }),
      ...(customMetadata === undefined ? {} : { customMetadata }),
      ...(ssecKeyMd5 === undefined ? {} : { ssecKeyMd5 }),
    };
  }

  function bodyOf(
    bytes: Uint8Array,
    { stallAfter = Infinity, breakAfter = Infinity }: BucketFault = {},
  ): ReadableStream<Uint8Array> {
    const limit = Math.min(stallAfter, breakAfter);
    openBodies += 1;
    let position = 0;
    let open = true;
    const end = () => {
      if (open) openBodies -= 1;
      open = false;
    };
    return new ReadableStream({
      type: "bytes",
      pull(controller) {
        if (position >= breakAfter) {
          end();
          controller.error(new Error("Network connection lost."));
          return undefined;
        }
        if (position >= stallAfter) return new Promise<void>(() => undefined);
        const block = bytes.slice(position, Math.min(position + 65_536, limit));
        position += block.length;
        controller.enqueue(block);
        if (position < bytes.length) return undefined;
        end();
        controller.close();
        controller.byobRequest?.respond(0);
        return undefined;
      },
      cancel: end,
    });
  }

  return {
    calls,
    get openBodies() {
      return openBodies;
    },
    put(key, object) {
      versions += 1;
      objects.set(key, { ...object, etag: `v${versions}` });
    },
    delete: (key) => void objects.delete(key),
    fault(call, fault) {
      if (fault === undefined) faults.delete(call);
      else faults.set(call, fault);
    },
    async head(key) {
      calls.push({ call: "head" });
      await faults.get("head")?.until;
      const error = faults.get("head")?.error;
      if (error !== undefined) throw error;
      const stored = objects.get(key);
      return stored === undefined ? null : headOf(key, stored);
    },
    async get(key, options = {}): Promise<R2ObjectHead | R2ObjectWithBody | null> {
      calls.push({ call: "get", options });
      const fault = faults.get("get");
      await fault?.until;
      if (fault?.error !== undefined) throw fault.error;
      const stored = objects.get(key);
      if (stored === undefined) return null;
      const head = headOf(key, stored);
      if (options.ssecKey === undefined && behaviour === "production" && stored.ssecKeyMd5)
        throw new Error("get: The object was stored with a key that must be provided (10099)");
      if (options.onlyIf !== undefined && !conditionsHold(options.onlyIf, head)) return head;
      const { range } = options;
      const { start, end } = resolve(range, head.size);
      if (range !== undefined && start >= head.size) {
        const unspecified = behaviour === "simulator" && start === head.size;
        throw new Error(
          unspecified
            ? "get: Unspecified error (0)"
            : "get: The requested range is not satisfiable (10039)",
        );
      }
      return {
        ...head,
        range: fault?.range ?? { offset: start, length: end - start },
        body: bodyOf(stored.bytes.subarray(start, end), fault),
      };
    },
    async list(options: R2ListRequest = {}) {
      calls.push({ call: "list" });
      const { prefix = "", startAfter = "", delimiter, limit = 1000 } = options;
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > startAfter);
      keys.sort((a, b) => (a < b ? -1 : 1));
      const found: R2ObjectHead[] = [];
      const prefixes = new Set<string>();
      let truncated = false;
      for (const key of keys) {
        const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
        const rolled = cut < 0 ? undefined : key.slice(0, cut + (delimiter?.length ?? 0));
        if (rolled !== undefined && prefixes.has(rolled)) continue;
        if (found.length + prefixes.size === limit) {
          truncated = true;
          break;
        }
        const stored = objects.get(key);
        if (rolled !== undefined) prefixes.add(rolled);
        else if (stored !== undefined) found.push(headOf(key, stored));
      }
      return { objects: found, delimitedPrefixes: [...prefixes], truncated };
    },
  };
}

function conditionsHold(onlyIf: { etagMatches: string } | Headers, head: R2ObjectHead): boolean {
  if (!(onlyIf instanceof Headers)) return onlyIf.etagMatches === head.etag;
  const match = onlyIf.get("if-match");
  if (match !== null && match !== "*" && !match.includes(head.httpEtag)) return false;
  const none = onlyIf.get("if-none-match");
  return none === null || (none !== "*" && !none.includes(head.httpEtag));
}

function resolve(range: R2Stretch | undefined, size: number): { start: number; end: number } {
  if (range === undefined) return { start: 0, end: size };
  if ("suffix" in range) return { start: Math.max(0, size - range.suffix), end: size };
  const start = range.offset ?? 0;
  return { start, end: Math.min(size, start + (range.length ?? Infinity)) };
}
