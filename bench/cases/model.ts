/**
 * The model commit's benchmark: objects of 16 and 64 chunks of 64 KiB, 0 to 20 ms, windows 1 to 8, with the facts known
 * as SeaweedFS knows its chunk list, and the same objects unknown for the bars that say so.
 *
 * SeaweedFS's own figures stand beside it: MB/s of its sequential reader and its prefetch, as run on two cores like
 * these, and as claimed in the commit (hardware not stated). They are constants: nothing of SeaweedFS runs here.
 */
import { KiB } from "../../test/support/units.ts";
import type { Bar, Case, Mode, Variant } from "../harness/suite.ts";
import { ours, roundsFor } from "./common.ts";

const chunkBytes = 64 * KiB;

/** MB/s for 64 chunks of 64 KiB, by latency in ms. */
export const seaweedfsFigures = {
  asRun: {
    sequential: { 0: 1356, 5: 12.05, 10: 6.2, 20: 3.18 },
    prefetch4: { 0: 1086, 5: 45.7, 10: 24.1, 20: 12.4 },
    prefetch8: { 5: 80.8 },
  },
  asClaimed: {
    sequential: { 0: 1058, 5: 11.0, 10: 5.9, 20: 3.1 },
    prefetch4: { 0: 2362, 5: 41.7, 10: 23.3, 20: 12.1 },
  },
} as const;

/** The name of one cell of the matrix. */
export function cellName(
  chunks: number,
  latencyMs: number,
  window: number,
  known: boolean,
): string {
  return `${chunks} chunks, ${latencyMs} ms, window ${window}${known ? "" : ", unknown"}`;
}

function cell(chunks: number, latencyMs: number, window: number, known: boolean): Variant {
  return {
    name: cellName(chunks, latencyMs, window, known),
    server: ours({ window_parts: window, part_bytes: chunkBytes, unanswered: 8 }),
    profile: { latencyMs },
    load: { kind: "download", bytes: chunks * chunkBytes, known },
  };
}

export function model(mode: Mode): Case {
  const latencies = mode === "quick" ? [10] : [0, 5, 10, 20];
  const windows = mode === "quick" ? [1, 4] : [1, 2, 4, 8];
  const sizes: readonly (16 | 64)[] = mode === "quick" ? [64] : [64, 16];
  const variants = sizes.flatMap((chunks) =>
    latencies.flatMap((latencyMs) => [
      ...windows.map((window) => cell(chunks, latencyMs, window, true)),
      ...(latencyMs === 0 ? [] : [1, 4].map((window) => cell(chunks, latencyMs, window, false))),
    ]),
  );
  const required = { known: { 64: 3.8, 16: 3.6 }, unknown: { 64: 3.5, 16: 2.9 } } as const;
  const bar = (chunks: 16 | 64, latencyMs: number, known: boolean): Bar => ({
    text: `window 4 over window 1 at ${latencyMs} ms, ${chunks} parts of 64 KiB, ${known ? "facts known" : "object unknown"}`,
    metric: "mbps",
    of: cellName(chunks, latencyMs, 4, known),
    over: cellName(chunks, latencyMs, 1, known),
    atLeast: required[known ? "known" : "unknown"][chunks],
  });
  return {
    name: "model",
    title: "The model commit's matrix: chunks of 64 KiB",
    rounds: roundsFor(mode),
    variants,
    bars: latencies
      .filter((latencyMs) => latencyMs > 0)
      .flatMap((latencyMs) =>
        sizes.flatMap((chunks) => [bar(chunks, latencyMs, true), bar(chunks, latencyMs, false)]),
      ),
    shows: ["mbps", "originRequests"],
    note: [
      "SeaweedFS, 64 chunks, MB/s at 0/5/10/20 ms. As run on two cores: sequential 1356/12.05/6.20/3.18, prefetch 4",
      "1086/45.7/24.1/12.4, prefetch 8 at 5 ms 80.8. As claimed in its commit: sequential 1058/11.0/5.9/3.1,",
      "prefetch 4 2362/41.7/23.3/12.1. Ours may have 8 requests unanswered here (default: 6), else window 8 would be 6.",
    ].join(" "),
  };
}
