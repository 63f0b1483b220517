/**
 * From position and state to the next part. Pure arithmetic; lazy walking of pieces is in `planner.ts`.
 *
 * The first part is small, so that the first byte comes as fast as from a plain GET; parts grow with the bytes planned
 * before them, so that a window of them fits what may be asked for; and they shrink at the end, so that all connections
 * end together. Ends lie on 256 KiB boundaries of the object: two downloads of one object then ask for the same ranges.
 */
import { ReadaheadError } from "../errors.ts";
import type { Limits } from "./limits.ts";

/** Granularity of part ends, and the first part's size. */
export const PLAN_UNIT = 256 * 1024;
/** A `partBytes` below this is meant literally: no ramp, no alignment. */
const LITERAL_BELOW = 1024 * 1024;
/**
 * How steeply parts grow and shrink, in windows of parts: a part is the bytes before it over 4/3 windows, and at most
 * the bytes after it over 2/3 of a window. Best of a grid simulated for six connections of 10 MB/s and 20 ms (5.52x one
 * connection; one window and one window give 5.46x, fixed parts of 8 MiB 5.19x).
 */
const RAMP_WINDOWS = 4 / 3;
const LAST_WINDOWS = 2 / 3;
/** Smaller parts at the end cost more round trips than they level out. */
const SMALLEST_LAST = 512 * 1024;
/** Beside its bytes a part needs the byte that shows the end, and the tail that a block carries over. */
export const GRANT_MARGIN = 1024;
/** With less memory than this for each part, the window gets narrower instead of its parts smaller. */
const SMALLEST_SHARED = 1024 * 1024;
/** Share of the subrequests that a plan may use; the rest is for retries and hedges. */
const PLANNED_SHARE = 0.9;

/** What the size of the next part depends on. */
export interface PlanState {
  /** First byte of the part. */
  readonly position: number;
  /** End of the stretch that may become parts: of the piece, cut to what was asked for. May be `Infinity`. */
  readonly end: number;
  /** Bytes of the answer planned before this part. */
  readonly planned: number;
  /** Bytes of the answer from this part on. */
  readonly remaining: number;
  /** Subrequests not yet spent. */
  readonly subrequestsLeft: number;
  /** The download's fair share of the isolate's memory now. */
  readonly shareBytes: number;
  /** What may be asked for beyond what was delivered. */
  readonly askAheadBytes: number;
  /** Set while the client is slow: ask this little, if the subrequests last. */
  readonly sliceBytes?: number | undefined;
}

type PlanLimits = Pick<Limits, "partBytes" | "windowParts" | "subrequests">;

/** Size of the first part: what `open` asks for before anything is known. */
export function firstPartBytes(limits: Pick<Limits, "partBytes">): number {
  return limits.partBytes < LITERAL_BELOW ? limits.partBytes : PLAN_UNIT;
}

/** End of the part that starts at `position`. */
export function partEnd(state: PlanState, limits: PlanLimits): number {
  const { position, end } = state;
  const floor = smallestAffordable(state, limits);
  if (state.sliceBytes !== undefined && slicesAreAffordable(state, limits)) {
    return Math.min(end, position + Math.max(state.sliceBytes, floor));
  }
  if (limits.partBytes < LITERAL_BELOW) {
    return Math.min(end, position + Math.max(limits.partBytes, floor));
  }
  const width = affordableWidth(state, limits);
  const ramp = Math.min(
    state.planned / (limits.windowParts * RAMP_WINDOWS),
    Math.max(SMALLEST_LAST, state.remaining / (limits.windowParts * LAST_WINDOWS)),
    state.shareBytes / width,
  );
  const wanted = Math.min(limits.partBytes, width === 1 ? aloneBytes(state) : ramp);
  const size = Math.max(PLAN_UNIT, Math.floor(wanted / PLAN_UNIT) * PLAN_UNIT, floor);
  if (position + size >= end) return end;
  // Aligned down, unless that would leave less than half of the size.
  const aligned = Math.floor((position + size) / PLAN_UNIT) * PLAN_UNIT;
  return aligned - position >= size / 2 ? aligned : Math.min(end, position + size);
}

/**
 * Refuses a plan that cannot end.
 *
 * @param pieces Upper bound of the requests that the object's own stretches in the answer need
 * @param left Upstream requests that may still be sent
 * @param atHand Bytes of the answer that came with the open
 * @param bytes Bytes of the answer, those of multipart boundaries included
 * @throws ReadaheadError `too-many-parts`
 */
export function assertAffordable(
  pieces: number,
  left: number,
  atHand: number,
  bytes: number,
): void {
  const affordable = Math.floor((left + (atHand > 0 ? 1 : 0)) * PLANNED_SHARE);
  if (pieces <= Math.max(1, affordable) && (left > 0 || bytes <= atHand)) return;
  throw new ReadaheadError(
    "too-many-parts",
    `The answer may need ${pieces} upstream requests, ${affordable} can be planned; ask for smaller ranges`,
  );
}

/**
 * How many parts fit the share. In a crowd fewer parts are worth more than smaller ones: each costs CPU, and the other
 * downloads hide the latency.
 */
function affordableWidth(state: PlanState, limits: PlanLimits): number {
  const fitting = Math.floor(state.shareBytes / SMALLEST_SHARED);
  return Math.max(1, Math.min(limits.windowParts, fitting));
}

/**
 * Size of a part that goes alone: what memory has room for, so that its connection is free soon; where there is not even
 * room for the smallest part, it streams, and may be all that may be asked for.
 */
function aloneBytes(state: PlanState): number {
  const fitting = Math.floor((state.shareBytes - GRANT_MARGIN) / PLAN_UNIT) * PLAN_UNIT;
  return fitting >= PLAN_UNIT ? Math.min(fitting, state.askAheadBytes) : state.askAheadBytes;
}

/** Smallest part with which the rest of the answer fits the subrequests left. */
function smallestAffordable(state: PlanState, limits: PlanLimits): number {
  if (!Number.isFinite(state.remaining)) return 0;
  const { planned, remaining, subrequestsLeft } = state;
  // By the whole as well as by the rest: of what is left a tenth is kept too, which comes to nothing at the end.
  const bytes = Math.max(
    (planned + remaining) / Math.max(1, Math.floor(limits.subrequests * PLANNED_SHARE)),
    remaining / Math.max(1, Math.floor(subrequestsLeft * PLANNED_SHARE)),
  );
  const smallest = Math.min(limits.partBytes, PLAN_UNIT);
  return bytes <= smallest ? 0 : Math.ceil(bytes / PLAN_UNIT) * PLAN_UNIT;
}

/** Small parts only while the requests left, at full part size, would still cover the rest. */
function slicesAreAffordable(state: PlanState, limits: PlanLimits): boolean {
  const requests = Math.floor(state.subrequestsLeft * PLANNED_SHARE) - 1;
  return state.remaining <= requests * limits.partBytes;
}
