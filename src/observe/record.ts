/**
 * The one log record of a request that reached a mount: a pure reducer from the engine's events and a few facts of the
 * request to a plain object under 8 KB. Writing it, once, is the observer's business (`observer.ts`).
 *
 * The names of the fields are a fixed interface (dashboards and `wrangler tail --search edge-readahead` rely on them);
 * what is unknown is null. `timeline`, `error`, `retriedFor`, `explain` and `unversioned` alone may be missing.
 */
import { ReadaheadError } from "../errors.ts";
import type { Finish } from "../http/observer.ts";
import { type Outcome, RequestRefusal } from "../http/problem.ts";
import { maxRanges } from "../http/range.ts";
import type { EndedBy, ReadaheadEvent, Totals } from "../readahead/events.ts";
import { decideOutcome, isLeaving } from "./outcome.ts";
import type { ReplicaLabels } from "./replica-labels.ts";
import { createTimeline, type SlowestPart, TIMELINE_PARTS } from "./timeline.ts";
import type { Timeline } from "./timeline-columns.ts";

/** Value of `record`: what `wrangler tail --search` looks for. */
export const RECORD_MARKER = "edge-readahead";

/** Bytes of the record as JSON, at most. Under 8,192 with room for what a log pipeline wraps around it. */
export const RECORD_BYTES = 8000;

/** Bytes of JSON that a key may take; S3 keys have 1,024 bytes at most, but a path can be longer and escapes grow. */
const KEY_BYTES = 1200;
const MESSAGE_CHARACTERS = 200;
const SHORT_TEXT_CHARACTERS = 100;

/** The summary record, version 1. */
export interface SummaryRecord {
  readonly record: typeof RECORD_MARKER;
  readonly version: 1;
  /** The ray id where there is one, else random: the same as `x-request-id`. */
  readonly request: string;
  readonly mount: string;
  /** Decoded key; cut, with an ellipsis, where it is very long. Null where the path names none (`%zz`). */
  readonly key: string | null;
  readonly method: string;
  /** The plan was asked for (`?explain`), no byte of the object. Absent: a download, or a HEAD. */
  readonly explain?: true;
  /** Null when nothing was sent. */
  readonly status: number | null;
  readonly outcome: Outcome;
  readonly endedBy: EndedBy;
  /** Ranges of the object that were to be sent, half-open. */
  readonly ranges: readonly (readonly [number, number | null])[];
  readonly size: number | null;
  /** Handed to the runtime: the client's kernel may have seen less. */
  readonly bytesSent: number;
  readonly bytesFetched: number;
  readonly bytesWasted: number;
  readonly parts: number;
  readonly attempts: number;
  readonly retries: number;
  /** Retries of parts by the kind of failure before them; those of opening and listing are in `retries` alone. Absent: none. */
  readonly retriedFor?: Readonly<Record<string, number>>;
  readonly hedges: number;
  readonly letGo: number;
  readonly subrequests: number;
  readonly openAfterClose: number;
  readonly abortMs: number;
  /** From the beginning of the request to the first checked headers with object bytes. */
  readonly firstByteMs: number | null;
  readonly totalMs: number;
  readonly slowest: SlowestPart | null;
  /** Why resume was off. Absent where the version was pinned. */
  readonly unversioned?: string;
  /** What went wrong, or why the request was refused. Absent where nothing did. */
  readonly error?: { readonly kind: string | null; readonly message: string };
  /** Absent where no store was asked. */
  readonly timeline?: Timeline;
}

/** The facts of the request that the record names. */
export interface RecordedRequest {
  readonly id: string;
  readonly mount: string;
  /** Null where the path names no key. */
  readonly key: string | null;
  readonly method: string;
}

/** Collects one download. Bounded memory, whatever the number of parts. */
export interface Recorder {
  onEvent(event: ReadaheadEvent): void;
  /** The record, from what was seen so far. @param nowMs `performance.now()` of the end */
  record(finish: Finish, nowMs: number): SummaryRecord;
}

/** @param beganAt `performance.now()` at the beginning of the request */
export function createRecorder(
  request: RecordedRequest,
  beganAt: number,
  labels: ReplicaLabels,
): Recorder {
  const timeline = createTimeline(beganAt, labels);
  return {
    onEvent: (event) => timeline.onEvent(event),
    record(finish, nowMs) {
      const { error, endedBy } = finish;
      const retriedFor = timeline.retriedFor();
      const totalMs = Math.max(0, Math.round(nowMs - beganAt));
      const slim: SummaryRecord = {
        record: RECORD_MARKER,
        version: 1,
        request: cut(request.id, SHORT_TEXT_CHARACTERS),
        mount: cut(request.mount, SHORT_TEXT_CHARACTERS),
        key: request.key === null ? null : cutToJson(request.key, KEY_BYTES),
        method: cut(request.method, SHORT_TEXT_CHARACTERS),
        ...(finish.explain === true && { explain: true }),
        status: finish.status,
        outcome: decideOutcome(finish),
        endedBy,
        ranges: finish.ranges
          .slice(0, maxRanges)
          .map(({ start, end }) => [start, Number.isFinite(end) ? end : null]),
        size: finish.size,
        ...totals(finish.totals),
        ...(retriedFor !== undefined && { retriedFor }),
        firstByteMs: timeline.firstByteMs(),
        totalMs,
        slowest: timeline.slowest(totalMs),
        ...(finish.unversioned === undefined
          ? {}
          : { unversioned: cut(finish.unversioned, SHORT_TEXT_CHARACTERS) }),
        ...(error === undefined || isLeaving(endedBy) ? {} : { error: describe(error) }),
      };
      for (let rows = TIMELINE_PARTS; rows >= 1; rows = Math.floor(rows * 0.75)) {
        const snapshot = timeline.snapshot(rows);
        if (snapshot === null) break;
        const record = { ...slim, timeline: snapshot };
        if (jsonBytes(record) <= RECORD_BYTES) return record;
      }
      return slim;
    },
  };
}

/** Exactly the fixed names, so that a counter added to the engine does not change the record's version. */
function totals(all: Totals): Totals {
  return {
    bytesSent: all.bytesSent,
    bytesFetched: all.bytesFetched,
    bytesWasted: all.bytesWasted,
    parts: all.parts,
    attempts: all.attempts,
    retries: all.retries,
    hedges: all.hedges,
    letGo: all.letGo,
    subrequests: all.subrequests,
    openAfterClose: all.openAfterClose,
    abortMs: Math.round(all.abortMs),
  };
}

function describe(error: unknown): { kind: string | null; message: string } {
  if (error instanceof ReadaheadError) {
    const cause = namedCause(error);
    const message = cause === undefined ? error.message : `${error.message} (${cause})`;
    return { kind: error.kind, message: cut(message, MESSAGE_CHARACTERS) };
  }
  if (error instanceof RequestRefusal)
    return { kind: error.code, message: cut(error.message, MESSAGE_CHARACTERS) };
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { kind: null, message: cut(text, MESSAGE_CHARACTERS) };
}

/** Why a store was not reached, where that names no address: Node's code, or one of workerd's two sentences. */
function namedCause({ cause }: Error): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const code: unknown = Reflect.get(cause, "code");
  if (typeof code === "string" && /^[A-Z][A-Z0-9_]{1,40}$/.test(code)) return code;
  if (/^(?:Network connection lost\.|internal error; reference = \w+)$/.test(cause.message))
    return cause.message;
  return namedCause(cause);
}

function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1).toWellFormed()}…`;
}

/** Cuts by what the text costs as JSON: a control character takes six bytes, an emoji four. */
function cutToJson(text: string, bytes: number): string {
  let kept = text;
  while (kept.length > 0 && jsonBytes(kept) > bytes)
    kept = cut(kept, Math.max(1, Math.floor(kept.length * 0.9)));
  return kept;
}

const encoder = new TextEncoder();

/** Bytes of the value as JSON in UTF-8. */
export function jsonBytes(value: unknown): number {
  return encoder.encode(JSON.stringify(value)).byteLength;
}
