/**
 * `LIMITS` and the same names inside a mount table: the one place where snake_case meets the engine's names. What each
 * limit means and costs stands in `readahead/limits.ts` and in wrangler.toml.
 */
import * as v from "valibot";
import { type Limits, limitBounds } from "../readahead/limits.ts";
import { count, flag } from "./fields.ts";

/** Schema of every limit, by its name in the configuration. */
export const limitEntries = {
  window_parts: v.optional(count("parts", limitBounds.windowParts)),
  part_bytes: v.optional(count("bytes", limitBounds.partBytes)),
  budget_bytes: v.optional(count("bytes", limitBounds.budgetBytes)),
  unanswered: v.optional(count("requests", limitBounds.unanswered)),
  subrequests: v.optional(count("requests", limitBounds.subrequests)),
  open_upstreams: v.optional(count("responses", limitBounds.openUpstreams)),
  hold_ms: v.optional(count("milliseconds", limitBounds.holdMs)),
  first_byte_ms: v.optional(count("milliseconds", limitBounds.firstByteMs)),
  stall_ms: v.optional(count("milliseconds", limitBounds.stallMs)),
  attempts: v.optional(count("attempts", limitBounds.attempts)),
  hedge: v.optional(flag),
};

type LimitName = keyof typeof limitEntries;

/** A validated table in the configuration's names; other keys are not looked at. */
export type LimitTable = {
  readonly [Name in LimitName]?: v.InferOutput<(typeof limitEntries)[Name]>;
};

/** The limits that the table sets, in the engine's names. */
export function toLimits(table: LimitTable): Partial<Limits> {
  const limits = {
    windowParts: table.window_parts,
    partBytes: table.part_bytes,
    budgetBytes: table.budget_bytes,
    unanswered: table.unanswered,
    subrequests: table.subrequests,
    openUpstreams: table.open_upstreams,
    holdMs: table.hold_ms,
    firstByteMs: table.first_byte_ms,
    stallMs: table.stall_ms,
    attempts: table.attempts,
    hedge: table.hedge,
  } satisfies { [Name in keyof Limits]: Limits[Name] | undefined };
  // Without the undefined ones, so that they can be spread over others.
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}
