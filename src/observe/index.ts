/**
 * The door for programs of their own (`edge-readahead/observe`): the record, spans, Server-Timing and `?explain` that the
 * Worker has, to give to `createHandler`. Named re-exports only.
 */
export type { Dataset } from "./analytics.ts";
export type { ExplainOptions, Explanation } from "./explain.ts";
export { createExplain } from "./explain.ts";
export type { ObserverOptions } from "./observer.ts";
export { createObserver } from "./observer.ts";
export type { SummaryRecord } from "./record.ts";
export type { TracingLike } from "./spans.ts";
export type { SlowestPart } from "./timeline.ts";
export type { Timeline } from "./timeline-columns.ts";
