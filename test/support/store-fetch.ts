/**
 * An in-process `fetch` over a {@link StoreSpace}: fast and deterministic, for property tests in Node and for tests inside
 * workerd. Bodies are byte streams that give one block per pull; no timer runs unless the script asks for latency,
 * trickle or late headers. Honours the signal: before headers by rejecting with its reason, in a body by erroring it.
 */
import { contentBytes } from "./object-bytes.ts";
import type { Exchange, StoreSpace } from "./store-space.ts";

/** As much of RequestInit as is looked at. */
export interface StoreFetchInit {
  readonly method?: string;
  readonly headers?: ConstructorParameters<typeof Headers>[0];
  readonly signal?: AbortSignal | null;
}

export type StoreFetch = (url: string, init?: StoreFetchInit) => Promise<Response>;

/** What a reset connection looks like from `fetch`. */
export class ConnectionReset extends TypeError {
  constructor() {
    super("Network connection lost.");
  }
}

/** Answers for `https://any.host/<key>`. The URL's path is the key, percent-decoded. */
export function createStoreFetch(space: StoreSpace): StoreFetch {
  return async (url, init = {}) => {
    const signal = init.signal ?? new AbortController().signal;
    signal.throwIfAborted();
    const headers: Record<string, string> = {};
    for (const [name, value] of new Headers(init.headers)) headers[name] = value;
    const key = decodeURIComponent(new URL(url).pathname.slice(1));
    const method = init.method ?? "GET";
    const exchange = space.receive({ method, key, headers });
    const { plan } = exchange;
    try {
      const release = await orAborted(space.place(), signal, (late) => late());
      try {
        const waitMs = plan.lateMs ?? space.script.latencyMs ?? 0;
        if (waitMs > 0) await pause(waitMs, signal);
        if (plan.beforeHeaders === "stall")
          await orAborted(new Promise<never>(() => undefined), signal);
        if (plan.beforeHeaders === "reset") throw new ConnectionReset();
      } finally {
        release();
      }
    } catch (error) {
      exchange.ended(signal.aborted);
      throw error;
    }
    exchange.answered();
    const bodyless = method === "HEAD" || plan.status === 304 || plan.end === plan.start;
    const body = bodyless ? null : createBody(exchange, space, signal);
    if (bodyless) exchange.ended(false);
    return new Response(body, { status: plan.status, headers: plan.headers });
  };
}

function createBody(
  exchange: Exchange,
  space: StoreSpace,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const { plan } = exchange;
  const blocks = space.script.blockBytes ?? [64 * 1024];
  let position = plan.start;
  let turn = 0;
  let over = false;
  let onAbort: () => void = () => undefined;
  const end = (aborted: boolean) => {
    over = true;
    signal.removeEventListener("abort", onAbort);
    exchange.ended(aborted);
  };
  const limit = plan.start + (plan.breaks?.after ?? plan.end - plan.start);
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      onAbort = () => {
        if (over) return;
        end(true);
        controller.error(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      if (plan.trickle !== undefined)
        await pause(plan.trickle.everyMs, signal).catch(() => undefined);
      if (over) return;
      if (position >= limit && plan.breaks !== undefined) {
        if (plan.breaks.kind === "stall")
          return orAborted(new Promise<void>(() => undefined), signal).catch(() => undefined);
        end(false);
        controller.error(new ConnectionReset());
        return;
      }
      const size = plan.trickle?.bytes ?? blocks[turn++ % blocks.length] ?? 1;
      const next = Math.min(limit, position + Math.max(1, size));
      const bytes = contentBytes(plan.content, position, next);
      position = next;
      exchange.wrote(bytes.length);
      controller.enqueue(bytes);
      if (position < plan.end) return;
      end(false);
      controller.close();
      // A byte stream with a BYOB read pending closes only once that read was answered.
      controller.byobRequest?.respond(0);
    },
    cancel() {
      if (!over) end(true);
    },
  });
}

/** The promise, or a rejection with the signal's reason; what arrives too late goes to `late`. */
function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  late?: (value: T) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => {
      reject(signal.reason);
      if (late !== undefined) promise.then(late, () => undefined);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(
      (value) => {
        signal.removeEventListener("abort", onAbort);
        if (!signal.aborted) resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      },
    );
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return orAborted(elapsed, signal).finally(() => clearTimeout(timer));
}
