/** What people use instead: nginx with its slice module, Traffic Server with its slice plugin. */
import { KiB, MiB } from "../../test/support/units.ts";
import type { Case, Mode, Variant } from "../harness/suite.ts";
import { ours, roundsFor } from "./common.ts";

export function nginx(mode: Mode): Case {
  const load = { kind: "download", bytes: 32 * MiB } as const;
  // One slice after the other: half of them say the same.
  const half = { ...load, bytes: 16 * MiB };
  const profile = { latencyMs: 10 };
  return {
    name: "nginx",
    title: "32 MiB (nginx slice 64k: 16 MiB) at 10 ms against nginx slice",
    rounds: roundsFor(mode),
    variants: [
      { name: "ours, default parts", server: ours(), profile, load },
      { name: "ours, 64 KiB parts", server: ours({ part_bytes: 64 * KiB }), profile, load },
      { name: "ours, 1 MiB parts", server: ours({ part_bytes: MiB }), profile, load },
      { name: "nginx slice 4m", server: { kind: "nginx", slice: "4m" }, profile, load },
      { name: "nginx slice 1m", server: { kind: "nginx", slice: "1m" }, profile, load },
      { name: "nginx slice 64k", server: { kind: "nginx", slice: "64k" }, profile, load: half },
    ],
    bars: [
      {
        text: "against nginx slice 64k at 10 ms, our default part sizes",
        metric: "mbps",
        of: "ours, default parts",
        over: "nginx slice 64k",
        atLeast: 8,
      },
      {
        text: "against nginx slice 64k at 10 ms, 64 KiB parts",
        metric: "mbps",
        of: "ours, 64 KiB parts",
        over: "nginx slice 64k",
        atLeast: 5.2,
      },
    ],
    shows: ["mbps", "cpuPerGiB", "originRequests", "firstByteP50Ms"],
    note: "Our default parts begin with 256 KiB and grow to 4 MiB.",
  };
}

export function trafficServer(mode: Mode): Case {
  const load = { kind: "download", bytes: 128 * MiB } as const;
  const profile = { latencyMs: 20 };
  const peer = (prefetch: number, slice = "1m"): Variant => ({
    name: `Traffic Server slice ${slice}, prefetch ${prefetch}`,
    server: { kind: "trafficserver", slice, prefetch },
    profile,
    load,
    ...(prefetch === 0 ? { rounds: 3 } : {}),
  });
  const peers = [0, 4, 16, 32].map((prefetch) => peer(prefetch));
  const larger = [6, 8].map((prefetch) => peer(prefetch, "4m"));
  return {
    name: "trafficserver",
    title: "128 MiB at 20 ms against Traffic Server slice",
    rounds: roundsFor(mode),
    variants: [
      { name: "ours, default parts", server: ours(), profile, load },
      { name: "ours, 1 MiB parts", server: ours({ part_bytes: MiB }), profile, load },
      ...peers,
      ...larger,
    ],
    bars: [
      {
        text: "against Traffic Server slice 1m at 20 ms, its best prefetch",
        metric: "mbps",
        of: "ours, default parts",
        over: peers.map(({ name }) => name),
        atLeast: 1.2,
      },
    ],
    shows: ["mbps", "cpuPerGiB", "originRequests", "firstByteP50Ms"],
    note: "Traffic Server's prefetch needs its cache, which is on and cold: every run asks for a new name. Our default parts begin with 256 KiB and grow to 4 MiB.",
  };
}
