/** Many clients at once: slow ones, ones that stop reading, fast ones. */
import { KiB, MiB } from "../../test/support/units.ts";
import type { Bar, Case, Mode, Variant } from "../harness/suite.ts";
import { ours, passThrough, roundsFor } from "./common.ts";

const counted = { kind: "ours", counted: true } as const;

export function slowClients(mode: Mode): Case {
  const crowds = mode === "quick" ? [100] : [100, 200, 500];
  const seconds = mode === "quick" ? 12 : mode === "long" ? 90 : 18;
  const variant = (who: "pass-through" | "ours", clients: number): Variant => ({
    name: `${who}, ${clients} clients`,
    server: who === "ours" ? counted : passThrough,
    profile: { latencyMs: 5 },
    load: { kind: "slow", bytes: 256 * MiB, clients, bytesPerSecond: 64 * KiB, seconds },
    // Side by side, the small crowd of one beside the large crowd of the other: 600 sockets' buffers at most.
    lane: who,
    fresh: true,
  });
  const bars = crowds.flatMap((clients): Bar[] => {
    const of = `ours, ${clients} clients`;
    const text = `${clients} clients at 64 KiB/s each`;
    return [
      {
        text: `${text}: growth of resident memory over pass-through`,
        metric: "rssGrowthMiB",
        of,
        over: `pass-through, ${clients} clients`,
        atMost: clients === 200 ? 1.3 : 1.2,
      },
      {
        text: `${text}: most bytes held over the budget`,
        metric: "heldShare",
        of,
        atMost: 1,
      },
      {
        text: `${text}: slowest client's rate over its pace`,
        metric: "paceShare",
        of,
        atLeast: 0.8,
      },
    ];
  });
  return {
    name: "slow-clients",
    title: `Clients that read 64 KiB/s of 256 MiB for ${seconds} s, 5 ms`,
    rounds: mode === "quick" ? 1 : 3,
    variants: [
      ...crowds.map((clients) => variant("pass-through", clients)),
      ...crowds.toReversed().map((clients) => variant("ours", clients)),
    ],
    bars,
    shows: [
      "rssGrowthMiB",
      "heldShare",
      "heldAfterMiB",
      "paceShare",
      "starved",
      "originMiB",
      "originRequests",
    ],
    note: "A loopback socket swallows about 2.6 MB a client before it pushes back: `--long` reads for 90 s, past that.",
  };
}

export function stopReaders(mode: Mode): Case {
  const clients = mode === "quick" ? 50 : 100;
  const load = {
    kind: "leave",
    bytes: 256 * MiB,
    clients,
    afterBytes: MiB,
    afterMs: mode === "quick" ? 2_000 : 4_000,
  } as const;
  const profile = { latencyMs: 5 };
  return {
    name: "stop-readers",
    title: `${clients} clients that stop reading after 1 MiB, and leave ${mode === "quick" ? 2 : 4} s later`,
    rounds: mode === "quick" ? 1 : 3,
    variants: [
      { name: "pass-through", server: passThrough, profile, load, fresh: true },
      { name: "ours", server: counted, profile, load, fresh: true },
    ],
    bars: [
      {
        text: `${clients} clients that stop reading after 1 MiB: resident memory above pass-through's, MiB`,
        metric: "rssGrowthMiB",
        of: "ours",
        over: "pass-through",
        by: "difference",
        atMost: 96,
      },
      {
        text: "bytes held two seconds after they left, MiB",
        metric: "heldAfterMiB",
        of: "ours",
        atMost: 0,
      },
      {
        text: "most bytes held over the budget",
        metric: "heldShare",
        of: "ours",
        atMost: 1,
      },
    ],
    shows: [
      "rssGrowthMiB",
      "rssAfterMiB",
      "heldShare",
      "heldAfterMiB",
      "originMiB",
      "closeMs",
      "openAfter",
    ],
    note: "What is kept is freed memory that the process does not give back: as much with window 1 or a budget of 1 MB, and no more after a second crowd.",
  };
}

export function crowd(mode: Mode): Case {
  const bytes = mode === "quick" ? 8 * MiB : 16 * MiB;
  const profile = { latencyMs: 5 };
  const load = { kind: "download", bytes, clients: 32 } as const;
  const widths = mode === "quick" ? [4, 8] : [1, 2, 4, 8, 16];
  const fixed = widths.map(
    (window_parts): Variant => ({
      name: `window ${window_parts}`,
      server: ours({ window_parts }),
      profile,
      load,
    }),
  );
  return {
    name: "crowd",
    title: `32 clients at full speed, ${bytes / MiB} MiB each, 5 ms`,
    rounds: roundsFor(mode),
    variants: [
      { name: "ours, default (window 6)", server: ours(), profile, load },
      ...fixed,
      { name: "pass-through", server: passThrough, profile, load },
    ],
    bars: [
      {
        text: "32 full-speed clients, 5 ms: aggregate over the best fixed window",
        metric: "mbps",
        of: "ours, default (window 6)",
        over: fixed.map(({ name }) => name),
        atLeast: 0.9,
      },
      {
        text: "32 full-speed clients, 5 ms: slowest over fastest",
        metric: "fairness",
        of: "ours, default (window 6)",
        atLeast: 0.7,
      },
    ],
    shows: ["mbps", "fairness", "cpuPerGiB", "rssGrowthMiB"],
  };
}
