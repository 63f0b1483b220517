/** SeaweedFS: volume servers behind the window, the way to the first byte, and what decryption costs. */
import { GiB, KiB, MiB } from "../../test/support/units.ts";
import type { Bar, Case, Mode, OurLimits, ServerSpec, Variant } from "../harness/suite.ts";
import { roundsFor } from "./common.ts";

function weed(limits: OurLimits = {}): ServerSpec {
  return { kind: "ours", limits, seaweedfs: {} };
}

/** The model commit's shape, through the SeaweedFS source: the chunk list known, volume servers slow to answer. */
export function weedSmall(mode: Mode): Case {
  const latencies = mode === "quick" ? [10] : [5, 10, 20];
  const variant = (latencyMs: number, window_parts: number): Variant => ({
    name: `window ${window_parts}, ${latencyMs} ms`,
    server: weed({ window_parts }),
    profile: { latencyMs, chunkBytes: 64 * KiB },
    load: { kind: "download", bytes: 4 * MiB, known: true },
  });
  return {
    name: "seaweedfs-small",
    title: "SeaweedFS: 64 chunks of 64 KiB, metadata warm",
    rounds: roundsFor(mode),
    variants: latencies.flatMap((latencyMs) => [variant(latencyMs, 1), variant(latencyMs, 4)]),
    bars: latencies.map((latencyMs) => ({
      text: `SeaweedFS, 64 chunks of 64 KiB, window 4 over window 1 at ${latencyMs} ms (SeaweedFS itself: ${{ 5: 3.8, 10: 3.89, 20: 3.91 }[latencyMs]})`,
      metric: "mbps",
      of: `window 4, ${latencyMs} ms`,
      over: `window 1, ${latencyMs} ms`,
      atLeast: 3.7,
    })),
    shows: ["mbps", "seconds", "originRequests", "lookups"],
  };
}

/** A large object far away. Window 1 takes long: fewer rounds, and a quarter of the object where no bar hangs on it. */
export function weedLarge(mode: Mode): Case {
  const variant = (latencyMs: number, window_parts: number): Variant => ({
    name: `window ${window_parts}, ${latencyMs} ms`,
    server: weed({ window_parts }),
    profile: { latencyMs, chunkBytes: 4 * MiB },
    load: { kind: "download", bytes: window_parts === 1 && latencyMs < 20 ? GiB / 4 : GiB },
    ...(latencyMs < 20 ? { rounds: 2 } : window_parts === 1 ? { rounds: 3 } : {}),
  });
  const bar = (latencyMs: number, atLeast: number): Bar => ({
    text: `SeaweedFS, 1 GiB in 4 MiB chunks, window 4 over window 1 at ${latencyMs} ms`,
    metric: "mbps",
    of: `window 4, ${latencyMs} ms`,
    over: `window 1, ${latencyMs} ms`,
    atLeast,
  });
  return {
    name: "seaweedfs-large",
    title: "SeaweedFS: 1 GiB in 4 MiB chunks",
    rounds: roundsFor(mode, 5),
    variants: [5, 10, 20, 50].flatMap((latencyMs) => [
      variant(latencyMs, 4),
      variant(latencyMs, 1),
    ]),
    bars: [bar(20, 3.3), bar(50, 3.6)],
    shows: ["mbps", "seconds", "cpuPerGiB", "originRequests", "lookups"],
    note: "At 5 and 10 ms window 1 reads a quarter of the object. curl with 4 connections measured 3.5 and 3.7 at 20 and 50 ms. 5 and 10 ms are bound by the CPU of two cores.",
  };
}

export function weedFirstByte(mode: Mode): Case {
  const profile = { latencyMs: 10, lookupMs: 10, chunkBytes: 4 * MiB };
  const load = {
    kind: "first-byte",
    bytes: GiB,
    firstBytes: 64 * KiB,
    requests: mode === "quick" ? 10 : 20,
  } as const;
  const bar = (of: string, trips: number): Bar => ({
    text: `SeaweedFS, first byte of 1 GiB, ${of}, over ${trips} round trip${trips === 1 ? "" : "s"} as measured + 5 ms`,
    metric: "firstByteP50Ms",
    of,
    over: "one round trip",
    times: trips,
    plus: 5,
    atMost: 1,
  });
  return {
    name: "seaweedfs-first-byte",
    title: "SeaweedFS: first byte of a 1 GiB object; filer, master and volume server 10 ms away",
    rounds: roundsFor(mode),
    variants: [
      { name: "cold", server: weed(), profile: { ...profile, freshVolumes: true }, load },
      { name: "lookup warm", server: weed(), profile, load },
      { name: "metadata warm", server: weed(), profile, load: { ...load, known: true } },
      {
        name: "one round trip",
        server: { kind: "origin" },
        profile: { latencyMs: 10 },
        load,
      },
    ],
    bars: [bar("cold", 3), bar("lookup warm", 2), bar("metadata warm", 1)],
    shows: ["firstByteP50Ms", "firstByteP99Ms", "lookups", "originRequests"],
    note: "A round trip is the origin's first byte without anybody between: a new connection adds half a millisecond to its 10. With 10 ms exactly the bars would be 35, 25 and 15 ms. Lookups count metadata too.",
  };
}

export function weedSse(mode: Mode): Case {
  const bytes = mode === "quick" ? 64 * MiB : 256 * MiB;
  const chunkBytes = 4 * MiB;
  const load = { kind: "download", bytes } as const;
  const bar = (of: string): Bar => ({
    text: `SeaweedFS, CPU per GiB of ${of} over a plain read`,
    metric: "cpuPerGiB",
    of,
    over: "plain",
    atMost: 2,
  });
  return {
    name: "seaweedfs-sse",
    title: `SeaweedFS: ${bytes / MiB} MiB in 4 MiB chunks, encrypted by the S3 gateway`,
    rounds: roundsFor(mode),
    variants: [
      { name: "plain", server: weed(), profile: { chunkBytes }, load },
      {
        name: "SSE-C",
        server: weed(),
        profile: { chunkBytes, sse: "sse-c" },
        load: { ...load, withKey: true },
      },
      { name: "SSE-S3", server: weed(), profile: { chunkBytes, sse: "sse-s3" }, load },
    ],
    bars: [bar("SSE-C"), bar("SSE-S3")],
    shows: ["cpuPerGiB", "mbps", "originRequests", "lookups"],
    warmBytes: 32 * MiB,
  };
}
