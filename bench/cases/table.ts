/** The table of cases, in the order in which they run. A new case is one entry here. */
import type { Case, Mode } from "../harness/suite.ts";
import { cpu, earlyLeave, firstByte, watching } from "./cost.ts";
import { crowd, slowClients, stopReaders } from "./crowds.ts";
import { latency, noLatency } from "./latency.ts";
import { model } from "./model.ts";
import { slowConnections, slowTail } from "./origins.ts";
import { nginx, trafficServer } from "./peers.ts";
import { weedFirstByte, weedLarge, weedSmall, weedSse } from "./seaweedfs.ts";

/** @returns the cases of the mode; the quick ones need npm packages and curl alone */
export function caseTable(mode: Mode): readonly Case[] {
  const always = [
    firstByte,
    cpu,
    model,
    latency,
    noLatency,
    slowConnections,
    slowTail,
    earlyLeave,
    crowd,
    stopReaders,
    slowClients,
    weedSmall,
    weedSse,
    weedFirstByte,
  ];
  const fullOnly = [watching, weedLarge, nginx, trafficServer];
  return [...always, ...(mode === "quick" ? [] : fullOnly)].map((create) => create(mode));
}
