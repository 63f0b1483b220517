/** Baseline for the cost of watching: our handler and engine with nobody listening: no record, no spans, no events. */
import { createHandler, type Handler } from "../../src/http/handler.ts";
import { createHttpSource } from "../../src/sources/http.ts";

interface Env {
  readonly ORIGIN: string;
}

let handle: Handler | undefined;

export default {
  fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    const source = () => createHttpSource({ url: `${env.ORIGIN}/` });
    handle ??= createHandler({ mounts: [{ name: "origin", prefix: "/", source: source() }] });
    return handle(request, context);
  },
};
