/**
 * `Server-Timing` of an answer: what was known when its headers went out. The time of the body cannot be in it.
 *
 * Metrics (W3C Server Timing, 2): `open` is the request that opened the object, `lookup` the time during which
 * locations, manifests, facts or keys were asked for, `first-byte` the time from the beginning of the request to the
 * store's first checked headers. A metric without a measurement is left out. In production the clock stands still between
 * I/O events, so a `dur` of 0 means "no I/O in between", not "instant".
 */
import type { ReadaheadEvent } from "../readahead/events.ts";

/** Collects what the header needs. */
export interface ServerTimingCollector {
  onEvent(event: ReadaheadEvent): void;
  /** The header's value, or undefined while there is nothing to tell. */
  format(): string | undefined;
}

/** @param beganAt `performance.now()` at the beginning of the request */
export function createServerTiming(beganAt: number): ServerTimingCollector {
  const asked = new Map<number, { readonly at: number; readonly opens: boolean }>();
  let openMs: number | undefined;
  let lookups = 0;
  let lookupMs = 0;
  let firstByteMs: number | undefined;
  return {
    onEvent(event) {
      if (event.type === "lookup-requested") {
        asked.set(event.id, { at: event.at, opens: event.purpose === "open" });
      } else if (event.type === "lookup-answered") {
        const request = asked.get(event.id);
        if (request === undefined) return;
        asked.delete(event.id);
        const ms = Math.max(0, event.at - request.at);
        if (request.opens) {
          openMs = (openMs ?? 0) + ms;
          return;
        }
        lookups++;
        lookupMs += ms;
      } else if (event.type === "part-answered") {
        firstByteMs ??= Math.max(0, event.at - beganAt);
      }
    },
    format() {
      const metrics: string[] = [];
      if (openMs !== undefined) metrics.push(`open;dur=${tenths(openMs)}`);
      if (lookups > 0) metrics.push(`lookup;dur=${tenths(lookupMs)};desc="${lookups}"`);
      if (firstByteMs !== undefined) metrics.push(`first-byte;dur=${tenths(firstByteMs)}`);
      return metrics.length === 0 ? undefined : metrics.join(", ");
    },
  };
}

function tenths(ms: number): string {
  return String(Math.round(ms * 10) / 10);
}
