/** Hiding latency: windows against one read at a time, on an origin that waits before it answers. */
import { KiB, MiB } from "../../test/support/units.ts";
import type { Bar, Case, Mode, Variant } from "../harness/suite.ts";
import { ours, roundsFor } from "./common.ts";

const part_bytes = 64 * KiB;
const latencies = [5, 10, 20] as const;

function wideBar(unanswered: number, atLeast: number): Bar {
  return {
    text: `window 16, unanswered ${unanswered}, 20 ms, 64 KiB parts, over window 1`,
    metric: "mbps",
    of: `window 16, unanswered ${unanswered}, 20 ms`,
    over: "window 1, 20 ms",
    atLeast,
  };
}

/** 1,024 parts that the Worker has never heard of, and the wide windows. */
export function latency(mode: Mode): Case {
  const bytes = mode === "quick" ? 4 * MiB : 64 * MiB;
  // One read at a time is as fast in the middle as at the end: fewer of them say the same in less time.
  const sequentialBytes = mode === "quick" ? 2 * MiB : 10 * MiB;
  const used = mode === "quick" ? ([10, 20] as const) : latencies;
  const parts = bytes / part_bytes;
  const windows: Variant[] = used.map((latencyMs) => ({
    name: `window 4, ${latencyMs} ms`,
    server: ours({ window_parts: 4, part_bytes }),
    profile: { latencyMs },
    load: { kind: "download", bytes },
  }));
  const wide = (unanswered: number): Variant => ({
    name: `window 16, unanswered ${unanswered}, 20 ms`,
    server: ours({ window_parts: 16, part_bytes, unanswered }),
    profile: { latencyMs: 20 },
    load: { kind: "download", bytes },
  });
  const sequential: Variant[] = used.flatMap((latencyMs): Variant[] => {
    const profile = { latencyMs };
    return [
      {
        name: `window 1, ${latencyMs} ms`,
        server: ours({ window_parts: 1, part_bytes }),
        profile,
        load: { kind: "download", bytes: sequentialBytes },
      },
      {
        name: `curl, same ranges, ${latencyMs} ms`,
        server: { kind: "origin" },
        profile,
        load: { kind: "curl-ranges", bytes: sequentialBytes, partBytes: part_bytes },
      },
    ];
  });
  const bars = used.flatMap((latencyMs): Bar[] => [
    {
      text: `window 4 over window 1 at ${latencyMs} ms, 64 KiB parts, object unknown, ${parts} parts`,
      metric: "mbps",
      of: `window 4, ${latencyMs} ms`,
      over: `window 1, ${latencyMs} ms`,
      atLeast: mode === "quick" ? 3.5 : 3.8,
    },
    {
      text: `window 1 over curl reading the same ranges at ${latencyMs} ms`,
      metric: "mbps",
      of: `window 1, ${latencyMs} ms`,
      over: `curl, same ranges, ${latencyMs} ms`,
      atLeast: 0.95,
    },
  ]);
  return {
    name: "latency",
    title: `${bytes / MiB} MiB in ${parts} parts of 64 KiB, object unknown`,
    rounds: roundsFor(mode),
    variants: [...windows, wide(16), wide(6), ...sequential],
    bars: [
      ...bars,
      wideBar(16, mode === "quick" ? 10 : 15),
      wideBar(6, mode === "quick" ? 5 : 5.8),
    ],
    shows: ["mbps", "seconds", "originRequests"],
    note: `Window 1 and curl read the first ${sequentialBytes / MiB} MiB.`,
  };
}

/** No latency: a window must cost nothing. */
export function noLatency(mode: Mode): Case {
  const bytes = mode === "quick" ? 16 * MiB : 64 * MiB;
  const variant = (window_parts: number): Variant => ({
    name: `window ${window_parts}`,
    server: ours({ window_parts, part_bytes }),
    profile: {},
    load: { kind: "download", bytes },
  });
  return {
    name: "no-latency",
    title: `${bytes / MiB} MiB in 64 KiB parts, 0 ms`,
    rounds: roundsFor(mode),
    variants: [1, 4, 8].map(variant),
    bars: [
      {
        text: "window 4 over window 1 at 0 ms (SeaweedFS: 0.80)",
        metric: "mbps",
        of: "window 4",
        over: "window 1",
        atLeast: 1,
      },
    ],
    shows: ["mbps", "cpuPerGiB"],
    warmBytes: 32 * MiB,
  };
}
