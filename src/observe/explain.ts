/**
 * The answer to `?explain`: what a GET of the same URL would do, as JSON, or as a page for a browser. Built from the
 * object's facts and its plan; of the object at most two bytes are read. No secret, and no upstream address unless the mount shows them.
 */
import type { Decision } from "../http/decision.ts";
import { rangesOf } from "../http/decision.ts";
import type { ExplainContext } from "../http/handler.ts";
import { problems } from "../http/problem.ts";
import { byteLength } from "../readahead/byte-range.ts";
import { isLiteral, layoutBytes } from "../readahead/layout.ts";
import type { Limits } from "../readahead/limits.ts";
import { assertAffordable, firstPartBytes } from "../readahead/plan.ts";
import { formatExplainPage } from "./explain-page.ts";
import { type ExplainedPlan, explainPlan } from "./explained-plan.ts";
import { createReplicaLabels } from "./replica-labels.ts";

/** What `?explain` tells; the names are for people and may grow. */
export interface Explanation {
  readonly request: string;
  readonly mount: {
    readonly name: string;
    readonly prefix: string;
    readonly source: string | null;
  };
  readonly key: string;
  readonly object: {
    readonly size: number | null;
    readonly etag: string | null;
    readonly lastModified: string | null;
    readonly versionId: string | null;
    /** How reads are tied to this version, or why they cannot be. */
    readonly pinnedBy: string | null;
    readonly unversioned: string | null;
    readonly headers: Readonly<Record<string, string>>;
  };
  readonly answer: {
    readonly kind: Decision["kind"] | "too-many-parts";
    readonly status: number;
    readonly ranges: readonly (readonly [number, number | null])[];
    readonly bytes: number | null;
  };
  readonly plan: ExplainedPlan;
  readonly cost: {
    /**
     * Upstream reads; the one that opens the object brings the first part along. Lookups, and a second look at an object
     * that is empty or cannot be ranged, come on top.
     */
    readonly subrequests: number;
    readonly subrequestsAllowed: number;
    /** GetObject calls, which R2 bills as class B operations; null for stores that are not R2. */
    readonly r2ClassB: number | null;
    /** Held in memory for this download at most; and by all downloads of the isolate together. */
    readonly heldBytes: number;
    readonly budgetBytes: number;
  };
  readonly limits: Limits;
}

/** Options of {@link createExplain}. */
export interface ExplainOptions {
  readonly showsReplicas?: ((mount: string) => boolean) | undefined;
  /** Kind of a mount's source, `r2` say. */
  readonly sourceOf?: ((mount: string) => string | undefined) | undefined;
}

const STATUS: Readonly<Record<Decision["kind"], number>> = {
  whole: 200,
  single: 206,
  several: 206,
  "not-modified": 304,
  "precondition-failed": 412,
  unsatisfiable: 416,
};

/**
 * Makes what the handler calls for `?explain`. It costs what looking the object and its locations up costs.
 *
 * @throws ReadaheadError (when called) of the source's lookups
 */
export function createExplain(
  options: ExplainOptions = {},
): (context: ExplainContext) => Promise<Response> {
  return async (context) => {
    const explanation = await explain(context, options);
    const page = prefersPage(context.exchange.request.headers.get("accept"));
    const body = page
      ? formatExplainPage(explanation)
      : `${JSON.stringify(explanation, undefined, 2)}\n`;
    return new Response(body, {
      headers: {
        "content-type": page ? "text/html; charset=utf-8" : "application/json",
        "cache-control": "no-store",
        vary: "Accept",
        "x-content-type-options": "nosniff",
        "x-request-id": explanation.request,
        ...(page
          ? { "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'" }
          : {}),
      },
    });
  };
}

async function explain(context: ExplainContext, options: ExplainOptions): Promise<Explanation> {
  const { exchange, object, decision, layout, download, key } = context;
  const { mount, limits } = exchange;
  const { facts } = object;
  const labels = createReplicaLabels(options.showsReplicas?.(mount.name) === true);
  const plan = await explainPlan({ object, layout, limits, context: download, labels });
  const source = options.sourceOf?.(mount.name) ?? null;
  const ranges = rangesOf(decision);
  const refused = await isRefused(context, limits);
  return {
    request: exchange.id,
    mount: { name: mount.name, prefix: mount.prefix, source },
    key,
    object: {
      size: facts.size ?? null,
      etag: facts.etag ?? null,
      lastModified:
        facts.lastModified === undefined ? null : new Date(facts.lastModified).toISOString(),
      versionId: facts.versionId ?? null,
      pinnedBy: facts.pin?.by ?? null,
      unversioned: facts.unversioned ?? null,
      headers: facts.headers,
    },
    answer: {
      kind: refused ? "too-many-parts" : decision.kind,
      status: refused ? problems["too-many-parts"].status : STATUS[decision.kind],
      ranges: ranges.map(({ start, end }) => [start, Number.isFinite(end) ? end : null]),
      bytes: layout.some((segment) => !isLiteral(segment)) ? plan.bytes : 0,
    },
    plan,
    cost: {
      subrequests: Math.max(1, plan.parts),
      subrequestsAllowed: limits.subrequests,
      r2ClassB: source === "r2" ? Math.max(1, plan.parts) : null,
      heldBytes: plan.heldBytes,
      budgetBytes: limits.budgetBytes,
    },
    limits,
  };
}

/** Whether the engine would refuse the plan before headers. */
async function isRefused(
  { object, layout, download }: ExplainContext,
  limits: Limits,
): Promise<boolean> {
  const ranges = layout.flatMap((segment) => (isLiteral(segment) ? [] : [segment]));
  const [first] = ranges;
  if (first === undefined) return false;
  // The request that opened it is spent.
  const left = limits.subrequests - 1;
  let pieces = 0;
  for (const range of ranges) pieces += (await object.pieceCount?.(range, left, download)) ?? 1;
  const atHand = Math.min(byteLength(first), firstPartBytes(limits));
  try {
    assertAffordable(pieces, left, atHand, layoutBytes(layout));
    return false;
  } catch {
    return true;
  }
}

/** A browser names text/html; curl and fetch accept anything and get JSON. */
function prefersPage(accept: string | null): boolean {
  return accept !== null && /\btext\/html\b/i.test(accept);
}
