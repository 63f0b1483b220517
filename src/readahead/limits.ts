/** The numbers that bound a download: names, units, defaults and what raising each costs. */

/**
 * The bounds of one download, and of what all downloads of the isolate hold together. Every number is a whole one, and is
 * validated where it enters (config schema, or `resolveLimits` for library users).
 */
export interface Limits {
  /** Parts in flight per download, from request to last delivered byte; 1 is sequential. 1 to 64, default 6. More cost memory. */
  readonly windowParts: number;
  /** Largest part, bytes; below 1 MiB it is taken literally and no ramp is used. 1 KiB to 1 GiB, default 4 MiB. */
  readonly partBytes: number;
  /**
   * Bytes held in the isolate by all downloads together, beside one block of 64 KiB each (two while a slow part is asked for
   * twice: see race.ts). 0 to 1 TiB, default 32 MiB: a Workers' isolate has 128 MB for everything.
   */
  readonly budgetBytes: number;
  /** Upstream requests of one download that wait for headers. 1 to 1024, default 6: Workers queue the seventh. */
  readonly unanswered: number;
  /** Upstream requests of one download, all told. 1 to 10,000,000, default 10,000. A plan that needs more is refused. */
  readonly subrequests: number;
  /**
   * Open upstream responses in the isolate (about 0.65 MB of process memory each); beyond it downloads run at width 1.
   * 1 to 100,000, default 96.
   */
  readonly openUpstreams: number;
  /** How long an upstream response may stay undrained before it is let go, ms. 10 to 600,000, default 5,000. */
  readonly holdMs: number;
  /** How long to wait for headers where there is no other replica, ms. 10 to 600,000, default 30,000. */
  readonly firstByteMs: number;
  /** How long a body may bring nothing before it is given up and resumed, ms. 10 to 600,000, default 10,000. */
  readonly stallMs: number;
  /**
   * Attempts without progress before the download fails, of the part whose turn it is (one that nobody waits for yet is
   * asked for again and again); one without any answer counts twice. 1 to 100, default 10. With the pauses between them
   * 10 take 10.6 s on average, as long as a store takes to restart; 5 take 0.75 s.
   */
  readonly attempts: number;
  /** Ask for a slow head a second time, for up to 6 % of the bytes sent and a sixteenth of the parts, and two. Default true. */
  readonly hedge: boolean;
}

/** What holds where nothing else is said: sized for a Workers' isolate. */
export const defaultLimits: Limits = {
  windowParts: 6,
  partBytes: 4 * 1024 * 1024,
  budgetBytes: 32 * 1024 * 1024,
  unanswered: 6,
  subrequests: 10_000,
  openUpstreams: 96,
  holdMs: 5_000,
  firstByteMs: 30_000,
  stallMs: 10_000,
  attempts: 10,
  hedge: true,
};

/** Least and most of every limit that is a number: whole ones. */
export const limitBounds: Readonly<
  Record<Exclude<keyof Limits, "hedge">, readonly [number, number]>
> = {
  windowParts: [1, 64],
  partBytes: [1024, 1024 ** 3],
  budgetBytes: [0, 1024 ** 4],
  unanswered: [1, 1024],
  subrequests: [1, 10_000_000],
  openUpstreams: [1, 100_000],
  holdMs: [10, 600_000],
  firstByteMs: [10, 600_000],
  stallMs: [10, 600_000],
  attempts: [1, 100],
};

/**
 * Fills in the defaults and checks every number once.
 *
 * @throws RangeError naming the limit and the value, also for a name that is no limit's
 */
export function resolveLimits(overrides: Partial<Limits> = {}): Limits {
  const given = Object.entries(overrides).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    const wanted = typeof defaultLimits[name as keyof Limits];
    if (typeof value !== wanted)
      throw new RangeError(
        wanted === "undefined" ? `There is no limit ${name}` : `${name} must be a ${wanted}`,
      );
  }
  const limits: Limits = { ...defaultLimits, ...Object.fromEntries(given) };
  for (const [name, [least, most]] of Object.entries(limitBounds)) {
    const value = limits[name as keyof typeof limitBounds];
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    throw new RangeError(`${name} must be a whole number from ${least} to ${most}, got ${value}`);
  }
  return limits;
}
