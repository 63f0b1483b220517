/**
 * One Analytics Engine data point per download, for questions about many downloads (what share failed, by mount; the 95th
 * percentile of the first byte). Written where a dataset is bound, nothing otherwise; the write does not wait for the network.
 *
 * Columns are positions, so their order is an interface: new ones are added at the end.
 */
import type { SummaryRecord } from "./record.ts";

/** The part of an Analytics Engine binding that is used. */
export interface Dataset {
  writeDataPoint(point: DataPoint): void;
}

/** At most 1 index of 96 bytes, 20 blobs of 16 KB together, 20 doubles (limits of the platform, June 2025). */
export interface DataPoint {
  readonly indexes: string[];
  readonly blobs: (string | null)[];
  readonly doubles: number[];
}

/** What a double says where the record says null: no count or time is negative. */
const UNKNOWN = -1;

/** The record as a data point. Index: the mount, by which points are sampled. */
export function toDataPoint(record: SummaryRecord): DataPoint {
  return {
    indexes: [record.mount],
    blobs: [
      record.mount,
      record.outcome,
      record.endedBy,
      record.method,
      record.error?.kind ?? null,
      record.slowest?.replica ?? null,
      record.key,
      record.request,
    ],
    doubles: [
      record.status ?? UNKNOWN,
      record.bytesSent,
      record.bytesFetched,
      record.bytesWasted,
      record.parts,
      record.attempts,
      record.retries,
      record.hedges,
      record.letGo,
      record.subrequests,
      record.firstByteMs ?? UNKNOWN,
      record.totalMs,
      record.slowest?.ms ?? UNKNOWN,
      record.size ?? UNKNOWN,
    ],
  };
}

/** The dataset among the bindings of a Worker, if `value` is one. */
export function asDataset(value: unknown): Dataset | undefined {
  return isDataset(value) ? value : undefined;
}

function isDataset(value: unknown): value is Dataset {
  return (
    typeof value === "object" &&
    value !== null &&
    "writeDataPoint" in value &&
    typeof value.writeDataPoint === "function"
  );
}
