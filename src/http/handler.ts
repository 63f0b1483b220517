/**
 * The way of a request, top to bottom. Finds the mount, reads the key once, asks whether the client may, serves the
 * object. Decisions are in the pure files around it; nothing here reads bytes.
 *
 * @example
 * const handle = createHandler({ mounts: [{ name: "files", prefix: "/files/", source }] });
 * const response = await handle(new Request("https://edge.example/files/film.mp4"), { waitUntil });
 */
import { ReadaheadError } from "../errors.ts";
import type { Budget } from "../readahead/budget.ts";
import type { Download } from "../readahead/download.ts";
import { type Limits, resolveLimits } from "../readahead/limits.ts";
import { addCorsHeaders, allowedMethods, optionsResponse } from "./cors.ts";
import { Exchange } from "./exchange.ts";
import { faviconResponse, frontPage, healthPage } from "./front-page.ts";
import { decodeKey, encodeKey } from "./key.ts";
import { listingPage } from "./listing-page.ts";
import type { Front, Mount } from "./mount.ts";
import type { Observer } from "./observer.ts";
import { type LaidOut, layOut, type Prepared, prepare, type ServeRequest } from "./prepare.ts";
import { logFault, problemResponse, type Refusal, reasonOf, refusalOf, refuse } from "./problem.ts";
import { RecentFacts } from "./recent-facts.ts";
import { createRouter, placeOf } from "./route.ts";
import { clientGone, serveObject } from "./serve.ts";

/** What `?explain` is answered from; the object is not read. */
export interface ExplainContext extends Prepared, LaidOut {
  readonly exchange: Exchange;
  /** Allowance for lookups; closed by the handler. */
  readonly download: Download;
  readonly key: string;
}

/** Options of {@link createHandler}. Never changed. */
export interface HandlerOptions {
  /** Names and prefixes are distinct. */
  readonly mounts: readonly Mount[];
  /** Overrides of `defaultLimits`, for every mount. */
  readonly limits?: Partial<Limits> | undefined;
  /** Default: the one budget of the isolate, of which every download takes while its own limits allow it. */
  readonly budget?: Budget | undefined;
  /** Told of every request that reached a mount. Default: nobody watches. */
  readonly observer?: Observer | undefined;
  /** Builds the answer to `?explain`, for mounts that allow it. */
  readonly explain?: ((context: ExplainContext) => Promise<Response>) | undefined;
  /** Protocols asked before any routing by path (S3). */
  readonly fronts?: readonly Front[] | undefined;
  /**
   * How long facts of an object are believed, ms. 0 to 3,600,000, default 5,000; 0 opens every object anew. Raising it
   * tells of deleted objects for longer.
   */
  readonly factsMs?: number | undefined;
}

/** What the runtime hands to a Worker beside the request; elsewhere leave it out. */
export interface HandlerContext {
  waitUntil(promise: Promise<unknown>): void;
}

/** Answers one request. Never rejects: what goes wrong before headers is a problem document. */
export type Handler = (request: Request, context?: HandlerContext) => Promise<Response>;

/** Names of the query that are ours on every mount; so are all that start with `edge-` (signed links). */
const reservedQuery: readonly string[] = ["download", "explain"];

/**
 * Makes a handler for a set of mounts.
 *
 * The response's body is the engine's stream: bounded by the limits, ended by cancelling it or by the request's
 * signal (in Workers that needs the flag `enable_request_signal`, or a compatibility date from 2026-11-17 on).
 * `waitUntil` gets one promise per request that reached a mount; it settles after the record was written.
 *
 * @throws RangeError for a limit, of the handler or of a mount, for prefixes (of fronts, too), and for a `factsMs` that
 * cannot be
 * @throws TypeError for a mount's `cacheControl` or CORS header names that cannot stand in a header, and for CORS
 * origins that are neither `"*"` nor a list
 */
export function createHandler(options: HandlerOptions): Handler {
  const fronts = options.fronts ?? [];
  const route = createRouter(placesOf(options.mounts, fronts));
  const prefixOf = (path: string) => route(path)?.mount.prefix;
  const names = options.mounts.map((mount) => mount.name);
  for (const mount of options.mounts) checkHeaders(mount);
  const recentFacts = new RecentFacts({ factsMs: options.factsMs });
  const common = resolveLimits(options.limits);
  const limitsOf = (mount: Mount) => resolveLimits({ ...common, ...given(mount.limits) });
  const limits = new Map(options.mounts.map((mount) => [mount, limitsOf(mount)]));

  async function handle(
    id: string,
    request: Request,
    context: HandlerContext | undefined,
  ): Promise<Response> {
    // workerd hands on what a malformed Host makes of it.
    const url = URL.parse(request.url);
    if (url === null) return problemResponse(refuse("bad-request"), id, request.method);

    for (const front of fronts) {
      const claim = front.claim(request, url, prefixOf);
      if (claim === undefined) continue;
      if (claim.mount === undefined) return claim.answer(id);
      return within(begin(id, request, url, claim.mount, claim.rawKey), context, claim.answer);
    }

    if (url.pathname === "/healthz") return readOnly(request, id, healthPage);
    const found = route(url.pathname);
    const mount = found?.mount.mount;
    if (found !== undefined && mount !== undefined) {
      const exchange = begin(id, request, url, mount, found.rawKey);
      return within(exchange, context, () => answerMount(exchange));
    }
    if (url.pathname === "/favicon.ico") return readOnly(request, id, faviconResponse);
    if (url.pathname === "/") return readOnly(request, id, (asked) => frontPage(asked, names));
    return problemResponse(notFound(), id, request.method);
  }

  function begin(id: string, request: Request, url: URL, mount: Mount, rawKey: string): Exchange {
    const { budget, observer } = options;
    const key = decodeKey(rawKey);
    return new Exchange({
      id,
      request,
      url,
      mount,
      rawKey,
      key,
      // A front's mounts need not stand among ours.
      limits: limits.get(mount) ?? limitsOf(mount),
      budget,
      observer,
      recentFacts,
    });
  }

  /** A plain mount, step by step. */
  async function answerMount(exchange: Exchange): Promise<Response> {
    const { request, mount, url, key } = exchange;
    if (request.method === "OPTIONS") return optionsResponse(mount.cors, request);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return refused(exchange, refuse("method-not-allowed", { allow: allowedMethods }));
    }
    if (key === undefined) return refused(exchange, refuse("bad-path"));
    const denial = await mount.authorise?.({ request, url, mount, key });
    if (denial !== undefined) throw denial;
    const asked = askedFor(exchange, request.method, key);
    const isFolder = asked.key === "" || asked.key.endsWith("/");
    if (isFolder && mount.listing === true) return listingPage(exchange, asked.key);
    if (asked.key === "" && mount.root !== true)
      return refused(exchange, await explainedNotFound(exchange, notFound()));
    if (mount.explain === true && url.searchParams.has("explain") && options.explain) {
      return explainObject(exchange, asked, options.explain);
    }
    return serveObject(exchange, asked, {
      refuse: async (refusal) => {
        // A folder without its index object is listed where the mount lists.
        if (asked.key !== key && mount.listing === true && refusal.code === "not-found")
          return listingPage(exchange, key);
        return refused(exchange, await explainedNotFound(exchange, refusal));
      },
    });
  }

  return async (request, context) => {
    const id = requestId(request);
    try {
      return await handle(id, request, context);
    } catch (error) {
      // No mount was reached, so no record will tell: a fault of ours, or of a front.
      logFault(id, error);
      return problemResponse(refusalOf(error), id, request.method);
    }
  };
}

/** Every prefix that has an owner: a mount, or (without `mount`) a front, so that no mount above answers for it. */
function placesOf(
  mounts: readonly Mount[],
  fronts: readonly Front[],
): { readonly prefix: string; readonly mount?: Mount }[] {
  const reserved = new Map(
    fronts.flatMap(({ prefixes = [] }) => prefixes).map((prefix) => [placeOf(prefix), { prefix }]),
  );
  for (const { prefix } of mounts) reserved.delete(placeOf(prefix));
  return [...mounts.map((mount) => ({ prefix: mount.prefix, mount })), ...reserved.values()];
}

/** Without what is undefined, so that it can be spread over others. */
function given(limits: Partial<Limits> = {}): Partial<Limits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

/** What would throw at every answer throws at the start. */
function checkHeaders({ name, cacheControl = "", cors }: Mount): void {
  if (cors !== undefined && cors.origins !== "*" && !Array.isArray(cors.origins))
    throw new TypeError(`cors.origins of mount ${name} must be "*" or a list of origins`);
  try {
    const headers = new Headers({ "cache-control": cacheControl });
    for (const header of [...(cors?.allowHeaders ?? []), ...(cors?.exposeHeaders ?? [])])
      headers.set(header, "");
  } catch (cause) {
    throw new TypeError(`Mount ${name} has a cacheControl or CORS headers that no header can be`, {
      cause,
    });
  }
}

/** Runs the answer of an exchange and ends it: CORS on every answer, the record on every way out. */
async function within(
  exchange: Exchange,
  context: HandlerContext | undefined,
  answer: (exchange: Exchange) => Promise<Response>,
): Promise<Response> {
  context?.waitUntil(exchange.finished);
  let response: Response;
  let failure: unknown;
  try {
    response = withCors(exchange, await answer(exchange));
  } catch (error) {
    failure = error;
    const refusal = exchange.clientLeft ? clientGone() : refused(exchange, refusalOf(error));
    response = withCors(exchange, refusal);
  }
  exchange.end(exchange.clientLeft ? null : response.status, failure);
  return response;
}

/** A front's or `explain`'s answer may come from `fetch` or `Response.redirect()`: its headers take no more, a copy's do. */
function withCors({ mount: { cors }, request }: Exchange, response: Response): Response {
  if (cors === undefined) return response;
  try {
    addCorsHeaders(response.headers, cors, request);
    return response;
  } catch {
    const copy = new Response(response.body, response);
    addCorsHeaders(copy.headers, cors, request);
    return copy;
  }
}

/**
 * The request in our words: index object, version, reserved names of the query.
 *
 * @throws ReadaheadError `unsupported` for a version where the mount has none
 */
function askedFor(exchange: Exchange, method: "GET" | "HEAD", key: string): ServeRequest {
  const { mount, url, request } = exchange;
  const index = key === "" || key.endsWith("/") ? mount.index : undefined;
  const version = url.searchParams.get("versionId") ?? undefined;
  if (version !== undefined && mount.versions !== true && mount.passQuery !== true) {
    throw new ReadaheadError("unsupported", "This mount does not serve versions by their id");
  }
  const wantsAttachment = mount.download !== false && url.searchParams.has("download");
  return {
    method,
    headers: request.headers,
    key: index === undefined ? key : key + index,
    rawKey: index === undefined ? exchange.rawKey : exchange.rawKey + encodeKey(index),
    query: mount.passQuery === true ? queryToPass(url) : undefined,
    version: mount.versions === true ? version : undefined,
    clientKeys: clientKeysOf(request.headers),
    attachment: wantsAttachment ? (url.searchParams.get("download") ?? "") : undefined,
  };
}

/** An SSE-C key as it came, complete or not: the source judges it, and one that knows no such keys refuses. */
function clientKeysOf(headers: Headers): ServeRequest["clientKeys"] {
  const name = "x-amz-server-side-encryption-customer";
  const algorithm = headers.get(`${name}-algorithm`) ?? "";
  const key = headers.get(`${name}-key`) ?? "";
  const keyMd5 = headers.get(`${name}-key-md5`) ?? "";
  if (algorithm === "" && key === "" && keyMd5 === "") return undefined;
  return { algorithm, key, keyMd5 };
}

/** The query without our names, spelled as it came. */
function queryToPass(url: URL): string | undefined {
  const kept = url.search
    .slice(1)
    .split("&")
    .filter((pair) => pair !== "" && !isReserved(new URLSearchParams(pair)));
  return kept.length === 0 ? undefined : `?${kept.join("&")}`;
}

/** Compared decoded: `edge%2Dsignature` is a signature too, and none of the origin's business. */
function isReserved(pair: URLSearchParams): boolean {
  return [...pair.keys()].some((name) => reservedQuery.includes(name) || name.startsWith("edge-"));
}

async function explainObject(
  exchange: Exchange,
  asked: ServeRequest,
  explain: NonNullable<HandlerOptions["explain"]>,
): Promise<Response> {
  const download = exchange.download();
  exchange.note({ ranges: [], size: undefined, unversioned: undefined, explain: true });
  try {
    const prepared = await prepare(exchange, download, asked, "facts", undefined);
    const laidOut = layOut(prepared.object, prepared.decision, asked.key);
    return await explain({ exchange, download, key: asked.key, ...prepared, ...laidOut });
  } catch (error) {
    download.fail(error);
    return refused(exchange, refusalOf(error));
  }
}

/** A 404 of an empty local bucket says what to do; every other one says nothing. */
async function explainedNotFound(exchange: Exchange, refusal: Refusal): Promise<Refusal> {
  const { mount } = exchange;
  if (refusal.code !== "not-found" || mount.explainEmpty !== true || !mount.source.list) {
    return refusal;
  }
  const { permits, signal, observe } = exchange.aside();
  const page = await mount.source
    .list("", { permits, signal, observe, limit: 1 })
    .catch(() => undefined);
  if (page === undefined || page.entries.length > 0 || page.prefixes.length > 0) return refusal;
  return {
    ...refusal,
    detail: `The store behind ${mount.prefix} is empty: put an object into it, then ask for ${mount.prefix} and its key`,
  };
}

function refused(exchange: Exchange, refusal: Refusal): Response {
  exchange.noteRefusal(reasonOf(refusal));
  return problemResponse(refusal, exchange.id, exchange.request.method);
}

function notFound(): Refusal {
  return refusalOf(new ReadaheadError("not-found", "No mount has this path"));
}

/** Our own pages are as read-only as the mounts. */
function readOnly(request: Request, id: string, page: (request: Request) => Response): Response {
  if (request.method === "GET" || request.method === "HEAD") return page(request);
  if (request.method === "OPTIONS") return optionsResponse(undefined, request);
  const refusal = refuse("method-not-allowed", { allow: allowedMethods });
  return problemResponse(refusal, id, request.method);
}

/** Cloudflare's ray id where there is one, so that all logs meet; else random. */
export function requestId(request: Request): string {
  const ray = request.headers.get("cf-ray");
  return ray !== null && /^[0-9a-f]{16}(?:-[A-Z]{3})?$/.test(ray) ? ray : crypto.randomUUID();
}
