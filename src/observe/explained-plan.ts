/**
 * The plan of a download that is not started: which parts, from which pieces, on which replicas, at what cost. Walks the
 * same planner and the same arithmetic as the engine, for a client that keeps up in an isolate without other
 * downloads; reads no object byte. Looking pieces and locations up may cost requests of the store.
 *
 * Bounded: {@link WALKED_PARTS} parts are walked, {@link LISTED_PARTS} listed, {@link LOCATED_PIECES} located; the rest is
 * estimated from the part size and said to be so.
 */
import { askAheadBytes } from "../readahead/ask-ahead.ts";
import type { ByteRange } from "../readahead/byte-range.ts";
import type { Layout } from "../readahead/layout.ts";
import { layoutBytes } from "../readahead/layout.ts";
import type { Limits } from "../readahead/limits.ts";
import { SMALL_BLOCK } from "../readahead/pace.ts";
import { firstPartBytes, partEnd } from "../readahead/plan.ts";
import { Planner, type StoredStretch } from "../readahead/planner.ts";
import type { CallContext, OpenObject, StoredPiece } from "../sources/source.ts";
import type { ReplicaLabels } from "./replica-labels.ts";

/** A 5 TiB object in 4 MiB parts has 1.3 million; this many take a few milliseconds and cover 80 GB. */
const WALKED_PARTS = 20_000;
/** About 40 KB of JSON. */
const LISTED_PARTS = 400;
/** Each may cost a lookup. */
const LOCATED_PIECES = 64;

/** One stretch of the answer. */
export type ExplainedPart =
  | {
      readonly kind: "read";
      readonly part: number;
      readonly range: ByteRange;
      /** True where the store's piece cannot be cut (ciphered or compressed chunk). */
      readonly whole?: true;
      /** Labels; absent where the store has one door, or too many pieces to look all up. */
      readonly replicas?: readonly string[];
    }
  | { readonly kind: "zeros"; readonly bytes: number }
  | { readonly kind: "literal"; readonly bytes: number };

/** See {@link explainPlan}. */
export interface ExplainedPlan {
  /** Bytes of the answer's body; null when unknown. */
  readonly bytes: number | null;
  /** Upstream reads; an estimate where `estimated`. */
  readonly parts: number;
  readonly estimated: boolean;
  /** In order; the first of them, where there are more. */
  readonly list: readonly ExplainedPart[];
  /** Parts in flight at the same time, at most. */
  readonly windowParts: number;
  readonly smallestPartBytes: number | null;
  readonly largestPartBytes: number | null;
  /** Pieces of the store that were met while walking. */
  readonly pieces: number;
  /** Why it is one stream without resume; absent otherwise. */
  readonly sequential?: string;
  /** What this download holds in memory at most. */
  readonly heldBytes: number;
}

/** What {@link explainPlan} plans. */
export interface PlanQuestion {
  readonly object: OpenObject;
  readonly layout: Layout;
  readonly limits: Limits;
  /** Allowance for lookups. */
  readonly context: CallContext;
  readonly labels: ReplicaLabels;
}

/** @throws ReadaheadError what looking pieces up can throw; aborts with the context's signal */
export async function explainPlan(question: PlanQuestion): Promise<ExplainedPlan> {
  const { object, layout, limits, context } = question;
  const sequential =
    object.rangeable === false ? "the store ignores ranges" : object.facts.unversioned;
  const total = layoutBytes(layout);
  const planner = new Planner(object, layout, context);
  const locate = createLocator(question);
  const list: ExplainedPart[] = [];
  const pieces = new Set<StoredPiece>();
  let parts = 0;
  let smallest = Infinity;
  let largest = 0;
  try {
    for (;;) {
      const stretch = await planner.peek();
      if (stretch === undefined) break;
      if (stretch.kind !== "stored") {
        const bytes = stretch.kind === "zeros" ? stretch.count : stretch.bytes.byteLength;
        if (list.length < LISTED_PARTS) list.push({ kind: stretch.kind, bytes });
        planner.advance(bytes);
        continue;
      }
      if (parts >= WALKED_PARTS) break;
      const end =
        sequential === undefined ? endOf(stretch, planner, parts, limits) : stretch.range.end;
      const range = { start: stretch.range.start, end };
      pieces.add(stretch.piece);
      if (list.length < LISTED_PARTS) {
        const replicas = await locate(stretch.piece);
        list.push({
          kind: "read",
          part: parts,
          range,
          ...(stretch.piece.atomic === true ? { whole: true } : {}),
          ...(replicas === undefined ? {} : { replicas }),
        });
      }
      parts++;
      smallest = Math.min(smallest, end - range.start);
      largest = Math.max(largest, end - range.start);
      planner.advance(end - range.start);
    }
    const estimated = !planner.ended;
    if (estimated) parts += Math.ceil(planner.remaining / limits.partBytes);
    const windowParts = sequential === undefined ? Math.min(limits.windowParts, parts) : 1;
    return {
      bytes: Number.isFinite(total) ? total : null,
      parts,
      estimated,
      list,
      windowParts,
      smallestPartBytes: Number.isFinite(smallest) ? smallest : null,
      largestPartBytes: largest > 0 && Number.isFinite(largest) ? largest : null,
      pieces: pieces.size,
      ...(sequential === undefined ? {} : { sequential }),
      heldBytes: held(object, layout, limits, sequential === undefined ? windowParts * largest : 0),
    };
  } finally {
    planner.end();
  }
}

function endOf(stretch: StoredStretch, planner: Planner, parts: number, limits: Limits): number {
  if (stretch.piece.atomic === true) return stretch.range.end;
  const { start, end } = stretch.range;
  // The request that opens the object brings its first part along.
  if (parts === 0) return Math.min(end, start + firstPartBytes(limits));
  return partEnd(
    {
      position: start,
      end,
      planned: planner.planned,
      remaining: planner.remaining,
      subrequestsLeft: limits.subrequests - parts,
      shareBytes: limits.budgetBytes,
      askAheadBytes: askAheadBytes(planner.planned, Infinity),
    },
    limits,
  );
}

function held(object: OpenObject, layout: Layout, limits: Limits, windowBytes: number): number {
  const reserve = object.reserve?.(layout)?.bytes ?? 0;
  // The head may always hold a small block beside the budget.
  return Math.min(limits.budgetBytes, windowBytes + reserve) + SMALL_BLOCK;
}

/** Labels of the replicas of a piece, each looked up once, the first pieces only. */
function createLocator({
  object,
  context,
  labels,
}: PlanQuestion): (piece: StoredPiece) => Promise<readonly string[] | undefined> {
  const known = new Map<StoredPiece, readonly string[]>();
  return async (piece) => {
    if (object.replicas === undefined) return undefined;
    const before = known.get(piece);
    if (before !== undefined || known.size >= LOCATED_PIECES) return before;
    const replicas = (await object.replicas(piece, context)).map((name) => labels.label(name));
    known.set(piece, replicas);
    return replicas;
  };
}
