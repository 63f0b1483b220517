/**
 * A Worker around the library whose store has three replicas, asked in turn, and two keys that break: what the shipped
 * sources cannot be made to do without a cluster. `REPLICAS` is a JSON list of origins (scripted-origin.ts).
 */
import { ReadaheadError } from "../../../src/errors.ts";
import { createHandler, type Handler } from "../../../src/http/handler.ts";
import { createObserver } from "../../../src/observe/observer.ts";
import type { TracingLike } from "../../../src/observe/spans.ts";
import type { ByteRange } from "../../../src/readahead/byte-range.ts";
import type { Limits } from "../../../src/readahead/limits.ts";
import type { Answer, CallContext, OpenObject, Source } from "../../../src/sources/source.ts";

interface Env {
  readonly REPLICAS: readonly string[];
  readonly LIMITS?: Partial<Limits>;
}

interface Context {
  waitUntil(promise: Promise<unknown>): void;
  readonly tracing: TracingLike;
}

let handler: Handler | undefined;

export default {
  fetch(request: Request, env: Env, context: Context): Promise<Response> {
    handler ??= createHandler({
      mounts: [{ name: "replicas", prefix: "/replicas/", source: replicatedSource(env.REPLICAS) }],
      limits: env.LIMITS,
      observer: createObserver({ tracing: context.tracing }),
    });
    return handler(request, context);
  },
};

/** Keys are `BYTES` or `BYTES-broken` (the source throws an error of no kind from the second MiB on). */
function replicatedSource(replicas: readonly string[]): Source {
  const unit = 64 * 1024;

  async function read(
    key: string,
    range: ByteRange,
    avoid: (replica: string) => boolean,
    context: CallContext,
  ): Promise<Answer> {
    const turn = Math.floor(range.start / unit);
    const order = replicas.map((_, i) => replicas[(turn + i) % replicas.length] ?? "");
    const replica = order.find((each) => !avoid(each)) ?? order[0] ?? "";
    const alternatives = order.some((each) => each !== replica && !avoid(each));
    const response = await context.permits.request(
      { replica, purpose: "read", alternatives },
      (signal) =>
        fetch(`${replica}/ramp/${Number.parseInt(key, 10)}`, {
          headers: {
            range: `bytes=${range.start}-${range.end - 1}`,
            "accept-encoding": "identity",
          },
          signal,
        }),
    );
    if (response.status === 206 && response.body !== null) return { body: response.body, replica };
    await response.body?.cancel();
    throw new ReadaheadError("unavailable", `The replica answered ${response.status}`, {
      replica,
      status: response.status,
      alternatives,
    });
  }

  return {
    async open(key) {
      const size = Number.parseInt(key, 10);
      if (!Number.isInteger(size)) throw new ReadaheadError("not-found", "No such ramp");
      const object: OpenObject = {
        facts: {
          size,
          etag: `"ramp-${size}"`,
          pin: { by: "etag", value: `"ramp-${size}"` },
          headers: {},
        },
        read(_piece, range, context) {
          if (key.endsWith("-broken") && range.start >= 1024 * 1024)
            throw new TypeError("The store's code is broken");
          return read(key, range, (each) => context.tried(each), context);
        },
      };
      return object;
    },
  };
}
