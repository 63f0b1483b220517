/** What most cases share: our Worker with some limits, the baselines, and rounds by mode. */
import type { Mode, OurLimits, ServerSpec } from "../harness/suite.ts";

/** A median of fewer than seven moves with the machine; CI looks for gross regressions only. */
export function roundsFor(mode: Mode, full = 7): number {
  return mode === "quick" ? 3 : full;
}

export function ours(limits: OurLimits = {}): ServerSpec {
  return { kind: "ours", limits };
}

export const passThrough: ServerSpec = { kind: "baseline", worker: "pass-through" };
