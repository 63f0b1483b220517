/** What a byte costs, how soon the first one comes, and what a client that leaves has cost. */
import { GiB, KiB, MiB } from "../../test/support/units.ts";
import type { Bar, Case, Mode, ServerSpec, Variant } from "../harness/suite.ts";
import { ours, passThrough, roundsFor } from "./common.ts";

function pipe(partBytes: number): ServerSpec {
  return { kind: "baseline", worker: "pipe", partBytes, window: 6 };
}

const bareLoop: ServerSpec = {
  kind: "baseline",
  worker: "bare-loop",
  partBytes: 4 * MiB,
  window: 6,
};

export function cpu(mode: Mode): Case {
  const bytes = mode === "quick" ? 256 * MiB : GiB;
  const profile = {};
  const load = { kind: "download", bytes } as const;
  const small = { kind: "download", bytes: bytes / 16 } as const;
  const part_bytes = 64 * KiB;
  const full: Variant[] = [
    {
      name: "naive getReader() loop",
      server: { kind: "baseline", worker: "naive" },
      profile,
      load: small,
    },
    { name: "pipeTo per 64 KiB part", server: pipe(part_bytes), profile, load: small },
    { name: "ours, 64 KiB parts", server: ours({ part_bytes }), profile, load: small },
  ];
  return {
    name: "cpu",
    title: "CPU of the serving process, no latency",
    rounds: roundsFor(mode),
    variants: [
      { name: "pass-through", server: passThrough, profile, load },
      { name: "pipeTo per 4 MiB part", server: pipe(4 * MiB), profile, load },
      { name: "bare loop per 4 MiB part", server: bareLoop, profile, load },
      { name: "ours, default settings", server: ours(), profile, load },
      { name: "ours, window 1", server: ours({ window_parts: 1 }), profile, load },
      ...(mode === "quick" ? [] : full),
    ],
    bars: [
      {
        text: "CPU per GiB, default settings, over native pipeTo per part",
        metric: "cpuPerGiB",
        of: "ours, default settings",
        over: "pipeTo per 4 MiB part",
        atMost: 1,
        // Bytes that JavaScript touches are copied more often: 1.2 on one machine, 2.2 on another, of one build.
        grossAbove: 3.5,
      },
      {
        text: "CPU per GiB, default settings, over a bare loop of readAtLeast and enqueue",
        metric: "cpuPerGiB",
        of: "ours, default settings",
        over: "bare loop per 4 MiB part",
        atMost: 1.3,
      },
      {
        text: "CPU per GiB, default settings, over pass-through (1.8 would be a record)",
        metric: "cpuPerGiB",
        of: "ours, default settings",
        over: "pass-through",
        atMost: 2.2,
        grossAbove: 7,
      },
      ...(mode === "quick"
        ? []
        : [
            {
              text: "CPU per GiB, default settings, over the naive loop",
              metric: "cpuPerGiB",
              of: "ours, default settings",
              over: "naive getReader() loop",
              atMost: 0.17,
            } as const,
          ]),
    ],
    shows: ["cpuPerGiB", "mbps", "rssGrowthMiB"],
    warmBytes: 128 * MiB,
  };
}

/** Records and the code of the spans, while nobody collects traces: what every production request pays. */
export function watching(mode: Mode): Case {
  const profile = {};
  const load = { kind: "download", bytes: mode === "quick" ? 256 * MiB : 512 * MiB } as const;
  const unwatched = { kind: "baseline", worker: "unwatched" } as const;
  return {
    name: "watching",
    title: "CPU of watching a download: record, Server-Timing and spans' code, traces off",
    rounds: roundsFor(mode),
    variants: [
      { name: "nobody listens", server: unwatched, profile, load },
      { name: "ours, default settings", server: ours(), profile, load },
    ],
    bars: [
      {
        text: "CPU per GiB with records and the code of spans, traces off, over nobody listening",
        metric: "cpuPerGiB",
        of: "ours, default settings",
        over: "nobody listens",
        atMost: 1.05,
      },
    ],
    shows: ["cpuPerGiB", "mbps"],
    warmBytes: 128 * MiB,
  };
}

function firstByteBar(metric: "firstByteP50Ms" | "firstByteP99Ms"): Bar {
  return {
    text: `first byte ${metric === "firstByteP50Ms" ? "p50" : "p99"} at 10 ms over pass-through`,
    metric,
    of: "ours",
    over: "pass-through",
    atMost: 1.1,
  };
}

export function firstByte(mode: Mode): Case {
  const requests = mode === "quick" ? 40 : 100;
  const profile = { latencyMs: 10 };
  const load = { kind: "first-byte", bytes: MiB, requests } as const;
  return {
    name: "first-byte",
    title: `First body byte of ${requests} downloads of 1 MiB each round, object unknown, 10 ms`,
    rounds: roundsFor(mode),
    variants: [
      { name: "pass-through", server: passThrough, profile, load },
      { name: "ours", server: ours(), profile, load },
    ],
    bars: [firstByteBar("firstByteP50Ms"), firstByteBar("firstByteP99Ms")],
    shows: ["firstByteP50Ms", "firstByteP99Ms"],
    note: "Quantiles are of all rounds together; the spread is that of the rounds.",
  };
}

export function earlyLeave(mode: Mode): Case {
  const profile = { latencyMs: 5 };
  // So slow that every part is still being sent when the client leaves: there is something to close.
  const midBody = { latencyMs: 5, connectionRate: 2_000_000 };
  const load = {
    kind: "leave",
    bytes: GiB,
    clients: 1,
    afterBytes: MiB,
    afterMs: 300,
    ranged: true,
  } as const;
  return {
    name: "early-leave",
    title: "A client takes 1 MiB of an open-ended 1 GiB range, waits 0.3 s, resets",
    rounds: roundsFor(mode),
    variants: [
      { name: "pass-through", server: passThrough, profile, load },
      { name: "ours", server: ours(), profile, load },
      { name: "ours, upstreams mid-body", server: ours(), profile: midBody, load },
    ],
    bars: [
      {
        text: "early leave after 1 MiB and 0.3 s: what the origin wrote, over pass-through",
        metric: "originMiB",
        of: "ours",
        over: "pass-through",
        atMost: 0.6,
      },
      {
        text: "reset to the last upstream socket closed, ms",
        metric: "closeMs",
        of: "ours, upstreams mid-body",
        atMost: 200,
      },
      {
        text: "upstream responses open after the reset",
        metric: "openAfter",
        of: "ours, upstreams mid-body",
        atMost: 0,
      },
      {
        text: "upstream requests begun after the reset",
        metric: "lateRequests",
        of: "ours, upstreams mid-body",
        atMost: 0,
      },
    ],
    shows: ["originMiB", "originRequests", "closeMs", "openAfter", "lateRequests"],
  };
}
