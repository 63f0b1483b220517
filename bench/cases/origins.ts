/** Origins that are slow by the connection, and origins that stall and trickle. */
import { MiB } from "../../test/support/units.ts";
import type { Case, Mode, Variant } from "../harness/suite.ts";
import { ours, passThrough, roundsFor } from "./common.ts";

/** 10 MB/s a connection, without burst. */
const connectionRate = 10_000_000;

export function slowConnections(mode: Mode): Case {
  const bytes = mode === "quick" ? 48 * MiB : 256 * MiB;
  const profile = { latencyMs: 20, connectionRate };
  const load = { kind: "download", bytes } as const;
  return {
    name: "slow-connections",
    title: `${bytes / MiB} MiB, 10 MB/s a connection, 20 ms`,
    rounds: roundsFor(mode),
    variants: [
      {
        name: "ours, window 6",
        server: ours({ window_parts: 6 }),
        profile,
        load,
        lane: "ours",
      },
      {
        name: "pass-through",
        server: passThrough,
        profile,
        load: { kind: "download", bytes: bytes / 2 },
        lane: "pass-through",
        rounds: mode === "quick" ? 1 : 3,
      },
    ],
    bars: [
      {
        text: `origin limited to 10 MB/s per connection (no burst), 20 ms, ${bytes / MiB} MiB, window 6, over pass-through`,
        metric: "mbps",
        of: "ours, window 6",
        over: "pass-through",
        atLeast: mode === "quick" ? 4.8 : 5.5,
      },
    ],
    shows: ["mbps", "seconds", "originRequests"],
    note: "Pass-through is as fast in every round and to the end: it runs in the first ones only, beside ours, and reads half of it.",
  };
}

export function slowTail(mode: Mode): Case {
  const bytes = mode === "quick" ? 64 * MiB : 128 * MiB;
  const clean = { latencyMs: 5, connectionRate };
  const faulty = {
    ...clean,
    stall: { every: 40, ms: 3_000 },
    trickle: { every: 60, rate: 50_000 },
    seed: 7,
  };
  const load = { kind: "download", bytes, sampleMs: 20, limitMs: 120_000 } as const;
  const limits = { window_parts: 6, part_bytes: MiB };
  const without: Variant = {
    name: "with faults, hedging off",
    server: ours({ ...limits, hedge: false }),
    profile: faulty,
    load,
    rounds: 1,
  };
  return {
    name: "slow-tail",
    title: `${bytes / MiB} MiB in 1 MiB parts, 10 MB/s a connection, 5 ms; every 40th request stalls 3 s mid-way, every 60th trickles at 50 KB/s`,
    rounds: roundsFor(mode),
    variants: [
      { name: "without faults", server: ours(limits), profile: clean, load },
      { name: "with faults", server: ours(limits), profile: faulty, load },
      ...(mode === "quick" ? [] : [without]),
    ],
    bars: [
      {
        text: "stalls and trickles: time over the fault-free run",
        metric: "seconds",
        of: "with faults",
        over: "without faults",
        atMost: 1.3,
      },
      {
        text: "bytes asked for twice or not delivered, share of bytes sent",
        metric: "wasteShare",
        of: "with faults",
        atMost: 0.06,
      },
    ],
    shows: ["seconds", "mbps", "wasteShare", "hedges", "originRequests"],
  };
}
