/**
 * The Worker: env -> mounts -> handler. Nothing else reads `env`; nothing here decides anything about a request.
 *
 * The configuration is validated once per environment. Where it is wrong, every request is answered with a 500 whose
 * problem document names the variable and the remedy, and the same is logged.
 */
import { tracing } from "cloudflare:workers";
import { readConfig } from "./config/config.ts";
import type { Env } from "./config/env.ts";
import { ReadaheadError } from "./errors.ts";
import { createHandler, type Handler, requestId } from "./http/handler.ts";
import { problemResponse, refusalOf } from "./http/problem.ts";
import { asDataset } from "./observe/analytics.ts";
import { createExplain } from "./observe/explain.ts";
import { createObserver } from "./observe/observer.ts";

const handlers = new WeakMap<Env, Handler>();

export default {
  fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    return handlerOf(env)(request, context);
  },
};

function handlerOf(env: Env): Handler {
  const known = handlers.get(env);
  if (known !== undefined) return known;
  const made = makeHandler(env);
  handlers.set(env, made);
  return made;
}

function makeHandler(env: Env): Handler {
  try {
    const config = readConfig(env);
    return createHandler({
      ...config.handler,
      observer: createObserver({
        tracing,
        write: config.logsText ? (record) => console.log(JSON.stringify(record)) : undefined,
        dataset: asDataset(env["DOWNLOADS"]),
        showsReplicas: config.showsReplicas,
      }),
      explain: createExplain(config),
    });
  } catch (error) {
    return refuseAll(error);
  }
}

function refuseAll(error: unknown): Handler {
  const refusal = refusalOf(error);
  return (request) => {
    const known = error instanceof ReadaheadError;
    console.error("edge-readahead is not configured:", known ? refusal.detail : error);
    return Promise.resolve(problemResponse(refusal, requestId(request), request.method));
  };
}
