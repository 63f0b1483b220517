/**
 * One object for one GET or HEAD: prepared (`prepare.ts`), started, answered. Speaks no error format of its own: a
 * {@link Dialect} renders refusals, so the plain mounts (problem documents) and the S3 front (XML) share every step.
 *
 * Headers are sent only after part 0's answer was checked, so whatever fails here is a clean status. Whatever fails
 * later breaks the transfer visibly; that is the engine's part.
 */
import { ReadaheadError } from "../errors.ts";
import { discardBody } from "../readahead/body-reader.ts";
import type { Download } from "../readahead/download.ts";
import { type Layout, layoutBytes } from "../readahead/layout.ts";
import type { Facts, OpenObject, PinnedFacts } from "../sources/source.ts";
import { frontAcceptEncoding } from "./accept-encoding.ts";
import { hasConditions } from "./conditional.ts";
import { type Decision, rangesOf } from "./decision.ts";
import type { Exchange } from "./exchange.ts";
import { onTrial, withoutFirst } from "./opened.ts";
import { asTold, layOut, prepare, rangeSpecs, type ServeRequest } from "./prepare.ts";
import { type Refusal, refusalOf, refuse } from "./problem.ts";
import { resolveRanges } from "./range.ts";
import { notModifiedHeaders, objectHeaders, respond } from "./response.ts";

/** How a front words its answers. */
export interface Dialect {
  refuse(refusal: Refusal): Response | Promise<Response>;
  /** Adds to the headers of 200, 206 and 304. */
  decorate?(headers: Headers, facts: Facts, decision: Decision): void;
}

/** The answer to a client that left before headers, which reaches nobody: nginx's status, no fault of anybody's. */
export function clientGone(): Response {
  return new Response(null, { status: 499 });
}

/** Kinds that facts remembered a moment too long can cause. */
const staleKinds: ReadonlySet<string> = new Set([
  "changed",
  "protocol",
  "not-found",
  "denied",
  "unsatisfiable",
]);

/**
 * Answers with the object, or with what stands in its way. Never rejects for a reason of the store.
 *
 * What was remembered of the object and turned out stale is forgotten, and the object opened again, once. The caller
 * ends the exchange.
 *
 * @returns Every refusal goes through the dialect; 499 without a body when the client left before headers
 */
export async function serveObject(
  exchange: Exchange,
  asked: ServeRequest,
  dialect: Dialect,
): Promise<Response> {
  const known = recallFacts(exchange, asked);
  const cold = known === undefined;
  try {
    return await answer(exchange, asked, dialect, known);
  } catch (error) {
    if (!isStale(error, cold) || exchange.clientLeft) return refused(exchange, dialect, error);
  }
  exchange.recentFacts.forget(factsName(exchange, asked));
  exchange.note(undefined);
  try {
    return await answer(exchange, asked, dialect, undefined);
  } catch (error) {
    return refused(exchange, dialect, error);
  }
}

async function answer(
  exchange: Exchange,
  asked: ServeRequest,
  dialect: Dialect,
  known: PinnedFacts | undefined,
): Promise<Response> {
  const download = exchange.download();
  try {
    const plan = asked.method === "HEAD" ? "facts" : "read";
    const { object, decision } = await prepare(exchange, download, asked, plan, known);
    const { facts } = object;
    exchange.note({
      ranges: asked.method === "HEAD" ? [] : rangesOf(decision),
      size: facts.size,
      unversioned: facts.unversioned,
    });
    if (decision.kind === "precondition-failed" || decision.kind === "unsatisfiable") {
      discardBody(object.first?.body);
      download.close("done");
      const refusal =
        decision.kind === "unsatisfiable"
          ? refusalOf(unsatisfiable(decision.size))
          : refuse("precondition-failed");
      return await dialect.refuse(refusal);
    }
    if (decision.kind === "not-modified") {
      discardBody(object.first?.body);
      download.close("done");
      const headers = notModifiedHeaders(facts, exchange.mount);
      return finishHeaders(exchange, dialect, headers, facts, decision, null, 304);
    }
    const told = asTold(object, asked);
    const { layout, multipartType } = layOut(told, decision, asked.key);
    const length = layoutBytes(layout);
    // A source may have asked although facts were known: what it was just told needs no trial. Facts that came from memory
    // are not kept anew, or a type that was changed beside the same bytes would never show while requests keep coming.
    const fresh = known === undefined || object.first !== undefined;
    const source = fresh ? object : onTrial(object);
    const stream = await read(exchange, download, asked, source, decision, layout);
    if (fresh) keepFacts(exchange, asked, facts);
    const headers = objectHeaders(told, decision, {
      key: asked.key,
      acceptEncoding: frontAcceptEncoding(exchange.request),
      cacheControl: asked.overrides?.["cache-control"] ?? exchange.mount.cacheControl,
      attachment: asked.attachment,
      length: Number.isFinite(length) ? length : undefined,
      multipartType,
    });
    const status = decision.kind === "whole" ? 200 : 206;
    return finishHeaders(exchange, dialect, headers, facts, decision, stream, status);
  } catch (thrown) {
    const error = ofTheStore(thrown, asked);
    download.fail(error);
    throw error;
  }
}

/** A client that asked for no range is told of none: a store that refuses one of ours is at fault itself. */
function ofTheStore(error: unknown, asked: ServeRequest): unknown {
  if (!(error instanceof ReadaheadError) || error.kind !== "unsatisfiable") return error;
  if (rangeSpecs(asked) !== undefined || asked.s3PartNumber !== undefined) return error;
  const { replica, status } = error;
  const message = "The store refused a range that no client had asked for";
  return new ReadaheadError("protocol", message, { cause: error, replica, status });
}

/** The body: the engine's stream, or `null` where there is nothing to send. */
async function read(
  exchange: Exchange,
  download: Download,
  asked: ServeRequest,
  object: OpenObject,
  decision: Decision,
  layout: Layout,
): Promise<ReadableStream<Uint8Array> | null> {
  if (asked.method === "HEAD" || layoutBytes(layout) === 0) {
    discardBody(object.first?.body);
    download.close("done");
    return null;
  }
  const start = rangesOf(decision)[0]?.start;
  const aligned = object.first?.range.start === start ? object : withoutFirst(object);
  const stream = await download.start(aligned, layout);
  exchange.stream(download);
  return stream;
}

function finishHeaders(
  exchange: Exchange,
  dialect: Dialect,
  headers: Headers,
  facts: Facts,
  decision: Decision,
  stream: ReadableStream<Uint8Array> | null,
  status: number,
): Response {
  headers.set("x-request-id", exchange.id);
  const timing = exchange.serverTiming();
  if (timing !== undefined) headers.set("server-timing", timing);
  dialect.decorate?.(headers, facts, decision);
  return respond(stream, status, headers);
}

async function refused(exchange: Exchange, dialect: Dialect, error: unknown): Promise<Response> {
  if (exchange.clientLeft) return clientGone();
  return dialect.refuse(refusalOf(error));
}

function unsatisfiable(size: number): ReadaheadError {
  return new ReadaheadError("unsatisfiable", "The range lies outside of the object", { size });
}

/** Facts seen lately, where they cannot mislead: a plain GET whose range they satisfy. */
function recallFacts(exchange: Exchange, asked: ServeRequest): PinnedFacts | undefined {
  if (asked.method !== "GET" || hasConditions(asked.headers) || isPrivate(asked)) return undefined;
  const known = exchange.recentFacts.recall(factsName(exchange, asked));
  if (known === undefined) return undefined;
  const specs = rangeSpecs(asked);
  if (specs !== undefined && resolveRanges(specs, known.size).kind === "unsatisfiable") {
    return undefined;
  }
  return known;
}

/** What an origin says to HEAD is not kept: fields that it makes with the content may be missing (RFC 9110 9.3.2). */
function keepFacts(exchange: Exchange, asked: ServeRequest, facts: Facts): void {
  if (asked.method === "GET" && !isPrivate(asked))
    exchange.recentFacts.remember(factsName(exchange, asked), facts);
}

/** Facts that hold for this request alone: its key opened the object, or they are about one part. */
function isPrivate(asked: ServeRequest): boolean {
  return asked.clientKeys !== undefined || asked.s3PartNumber !== undefined;
}

function factsName(exchange: Exchange, asked: ServeRequest): string {
  return JSON.stringify([
    exchange.mount.name,
    asked.version ?? null,
    asked.rawKey ?? asked.key,
    asked.query ?? null,
    asked.checksums ?? false,
  ]);
}

/** Whether opening again may go better: the object changed under us, or what we remembered is no longer so. */
function isStale(error: unknown, cold: boolean): boolean {
  if (!(error instanceof ReadaheadError)) return false;
  return error.kind === "changed" || (!cold && staleKinds.has(error.kind));
}
