/**
 * A Worker around the library whose requests the runtime can kill without a word: it hands on no `waitUntil` and runs
 * without the flag that tells of leaving. `/handled/KEY` is the handler; `/inside/KEY` reads a MiB of a stream of its own and
 * then never answers. `/all` says whether the whole budget can be had, `/later?ms=` moves the budget's clock, and
 * everything else tells what is held.
 */
import { createHandler, type Handler } from "../../../src/http/handler.ts";
import { Budget } from "../../../src/readahead/budget.ts";
import { readahead } from "../../../src/readahead/object-stream.ts";
import { createHttpSource } from "../../../src/sources/http.ts";
import type { Source } from "../../../src/sources/source.ts";

const budget = new Budget(8 * 1024 * 1024, 96);
const clock = performance.now.bind(performance);
let skewMs = 0;
performance.now = () => clock() + skewMs;

let source: Source | undefined;
let handle: Handler | undefined;

export default {
  async fetch(request: Request, env: { readonly ORIGIN: string }): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const [, door, key = ""] = pathname.split("/");
    source ??= createHttpSource({ url: env.ORIGIN });
    handle ??= createHandler({
      mounts: [{ name: "handled", prefix: "/handled/", source }],
      budget,
      factsMs: 0,
    });
    switch (door) {
      case "handled":
        return handle(request);
      case "inside": {
        const reader = readahead({ source, key }, {}, { budget }).getReader();
        for (let read = 0; read < 1024 * 1024; ) read += (await reader.read()).value?.length ?? 0;
        return new Promise<Response>(() => {});
      }
      case "all": {
        const lease = budget.lease();
        const taken = lease.reserve(budget.bytes);
        lease.release();
        return Response.json({ taken });
      }
      case "later":
        skewMs += Number(searchParams.get("ms"));
        break;
      default:
    }
    const { held, open, leases } = budget;
    return Response.json({ held, open, leases });
  },
};
