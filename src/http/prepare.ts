/**
 * The first half of an answer: the object is opened with the first bytes that may be needed, the decision is made on what it
 * turned out to be, and its bytes are laid out. `serve.ts` answers with that, `?explain` only tells it.
 */
import { ReadaheadError } from "../errors.ts";
import { discardBody } from "../readahead/body-reader.ts";
import type { ByteRange } from "../readahead/byte-range.ts";
import type { Download } from "../readahead/download.ts";
import type { Layout } from "../readahead/layout.ts";
import { openObject } from "../readahead/open.ts";
import { firstPartBytes } from "../readahead/plan.ts";
import type { ClientKeys, OpenObject, PinnedFacts, Want } from "../sources/source.ts";
import {
  comparedBy,
  conditionsOf,
  contradicts,
  evaluateConditions,
  hasConditions,
  isDoubtful,
} from "./conditional.ts";
import { type Decision, decide, rangesOf } from "./decision.ts";
import type { Exchange } from "./exchange.ts";
import { layOutMultipart } from "./multipart.ts";
import { parseRange, type RangeSpec, wantOf } from "./range.ts";
import { objectType } from "./response.ts";

/** What is asked for, once a front has read the request. */
export interface ServeRequest {
  readonly method: "GET" | "HEAD";
  /** Whether Range counts for HEAD, too. Not in HTTP (RFC 9110 14.2); in S3, where AWS's CRT clients ask so. Default false. */
  readonly rangedHead?: boolean | undefined;
  /** Range and If-* are read from here. */
  readonly headers: Headers;
  readonly key: string;
  readonly rawKey?: string | undefined;
  readonly query?: string | undefined;
  readonly version?: string | undefined;
  readonly s3PartNumber?: number | undefined;
  readonly clientKeys?: ClientKeys | undefined;
  /** Whether the store should name checksums (S3). */
  readonly checksums?: boolean | undefined;
  /** Name to be saved under, the value of `?download`; `undefined`: not asked for. */
  readonly attachment?: string | undefined;
  /** Headers of a 200 or 206 in the place of the object's own (S3's `response-*`), by lower-case name. */
  readonly overrides?: Readonly<Record<string, string>> | undefined;
}

/** An object, opened and decided on. Its `first`, if any, is still unread. */
export interface Prepared {
  readonly object: OpenObject;
  readonly decision: Decision;
}

/** What the answer sends, with the Content-Type of the framing where there is one. */
export interface LaidOut {
  readonly layout: Layout;
  readonly multipartType?: string | undefined;
}

/**
 * Opens the object with the first bytes that the answer needs, and decides.
 *
 * @param plan `facts`: read nothing along (HEAD, `?explain`)
 * @throws ReadaheadError of the source; `unsatisfiable` only with the object's size
 */
export async function prepare(
  exchange: Exchange,
  download: Download,
  asked: ServeRequest,
  plan: "facts" | "read",
  known: PinnedFacts | undefined,
): Promise<Prepared> {
  const specs = rangeSpecs(asked);
  const firstBytes = firstPartBytes(exchange.limits);
  const question = { headers: asked.headers, specs, now: Date.now() };
  const wish = {
    rawKey: asked.rawKey,
    query: asked.query,
    version: asked.version,
    s3PartNumber: asked.s3PartNumber,
    clientKeys: asked.clientKeys,
    checksums: asked.checksums,
    known,
  };
  const openWith = (want: Want, conditions: Headers | undefined): Promise<OpenObject> =>
    openObject(exchange.mount.source, asked.key, { ...wish, conditions, want }, download);
  const open = async (want: Want): Promise<OpenObject> => {
    const { headers } = asked;
    const opened = await openWith(want, conditionsOf(headers));
    const { verdict, facts } = opened;
    if (verdict === undefined) return opened;
    if (!contradicts(verdict, headers, facts)) {
      if (!isDoubtful(verdict, headers, facts)) return opened;
      const { facts: shown } = await openWith("facts", undefined);
      if (comparedBy(verdict, headers, shown) === undefined) return opened;
      if (evaluateConditions(headers, shown, false, 0) === verdict) return opened;
    }
    return unjudged(await openWith(want, undefined));
  };

  let want = plan === "facts" ? "facts" : wantOf(specs, firstBytes);
  const object = await open(want).catch((error: unknown) => {
    // The store refused the first range. Conditions come before ranges (13.2.2), and other ranges may do: ask for facts.
    if (want === "facts" || !mustKnowFacts(error, asked, specs)) throw error;
    want = "facts";
    return open(want);
  });
  const decision = decide(question, asTold(object, asked));
  if (object.locked !== undefined && rangesOf(decision).length > 0) throw object.locked;
  // Facts from memory come without bytes on purpose: the engine then starts at full width.
  const withoutBytes = known !== undefined && want !== "facts";
  const again =
    plan === "facts" || withoutBytes ? undefined : wantAgain(object, decision, firstBytes);
  if (again === undefined) return { object, decision };
  discardBody(object.first?.body);
  const reopened = await open(again);
  return { object: reopened, decision: decide(question, asTold(reopened, asked)) };
}

/** Lays out what the decision sends. Multipart boundaries are made anew at every call. */
export function layOut(
  object: Pick<OpenObject, "facts">,
  decision: Decision,
  key: string,
): LaidOut {
  if (decision.kind !== "several" || object.facts.size === undefined) {
    return { layout: rangesOf(decision) };
  }
  const { layout, contentType } = layOutMultipart(
    decision.ranges,
    object.facts.size,
    objectType(object.facts, key),
  );
  return { layout, multipartType: contentType };
}

/**
 * What is looked at of the object to answer, with the headers that the request sets: a type decides what is done against
 * compression on the way and stands in the parts of a multipart answer, a coding lets no such answer be made.
 */
export function asTold(
  object: OpenObject,
  { overrides }: ServeRequest,
): Pick<OpenObject, "facts" | "rangeable" | "verdict" | "s3Part"> {
  if (overrides === undefined) return object;
  const { facts, rangeable, verdict, s3Part } = object;
  const headers = { ...facts.headers, ...overrides };
  return { facts: { ...facts, headers }, rangeable, verdict, s3Part };
}

/** The ranges that are asked for; `undefined` where there are none, or they do not count. */
export function rangeSpecs(asked: ServeRequest): readonly RangeSpec[] | undefined {
  const counts = asked.method === "GET" || asked.rangedHead === true;
  return counts ? parseRange(asked.headers.get("range")) : undefined;
}

/** Whether a refused first range may still have another answer than 416, or lacks the size that a 416 tells. */
function mustKnowFacts(
  error: unknown,
  asked: ServeRequest,
  specs: readonly RangeSpec[] | undefined,
): boolean {
  if (!(error instanceof ReadaheadError) || error.kind !== "unsatisfiable") return false;
  return error.size === undefined || specs?.length !== 1 || hasConditions(asked.headers);
}

/**
 * What to open with once more, now that the first byte of the answer is known: where only facts were asked for (a large
 * suffix), and where an object without a size did not start at 0. Without this the store's unwillingness to range, or
 * what it must hold in memory there, would show too late.
 */
function wantAgain(object: OpenObject, decision: Decision, firstBytes: number): Want | undefined {
  const range: ByteRange | undefined = rangesOf(decision)[0];
  if (range === undefined || range.start === range.end) return undefined;
  if (object.facts.size === undefined) {
    return object.first?.range.start === 0 ? undefined : { start: 0 };
  }
  if (object.first !== undefined) return undefined;
  return { start: range.start, end: Math.min(range.end, range.start + firstBytes) };
}

/** What was opened without conditions: a verdict would then keep what the client has stored alive for no reason. */
function unjudged(object: OpenObject): OpenObject {
  if (object.verdict === undefined) return object;
  throw new ReadaheadError("protocol", "Store judged conditions that it was not asked");
}
