/**
 * Several servers that can answer the same question (filers, masters): asked one after the other, the last good one
 * first, those that were silent or refused lately last. Plain data, shared by all requests of the isolate.
 */
import { ReadaheadError } from "../../errors.ts";
import { isReset } from "../../readahead/retry.ts";
import type { ClusterContext } from "./request.ts";

/** A hung server is noticed by nobody else for over a minute (76 s seen at a master). */
const avoidMs = 90_000;
/** One that refuses may only be restarting: at first it is skipped for seconds, and each time for twice as long. */
const firstSkipMs = 5_000;
const longestSkipMs = 40_000;

interface Avoided {
  readonly until: number;
  /** So long it is not asked at all by a caller who has another way. */
  readonly skippedUntil: number;
  readonly skipMs: number;
  readonly silent: boolean;
}

export class Servers {
  readonly #urls: readonly URL[];
  readonly #now: () => number;
  readonly #avoided = new Map<string, Avoided>();
  #good = 0;

  constructor(urls: readonly URL[], now: () => number) {
    this.#urls = urls;
    this.#now = now;
  }

  /** Best first. */
  order(context: Pick<ClusterContext, "suspect">): URL[] {
    const preferred = [...this.#urls.slice(this.#good), ...this.#urls.slice(0, this.#good)];
    const bad = (url: URL) =>
      this.#avoids(url) !== undefined || context.suspect?.(url.host) === true;
    return [...preferred.filter((url) => !bad(url)), ...preferred.filter(bad)];
  }

  /**
   * Asks until one answers; `ask` throws for an answer that another server might give better.
   *
   * @param dispensable The caller has another way: the last server, too, is given up when it is silent for seconds, and
   * one that was silent or refused lately is not asked
   * @throws the error of the first that answered, else of the last
   */
  async ask<T>(
    context: ClusterContext,
    ask: (url: URL, alternatives: boolean) => Promise<T>,
    dispensable = false,
  ): Promise<T> {
    const urls = this.order(context);
    let failure = new ReadaheadError("config", "No server is configured");
    for (const [index, url] of urls.entries()) {
      const avoided = this.#avoids(url);
      if (dispensable && avoided !== undefined && avoided.skippedUntil > this.#now()) {
        const was = avoided.silent ? "was silent" : "refused";
        failure = new ReadaheadError("unavailable", `The server ${was} a moment ago`, {
          replica: url.host,
        });
        continue;
      }
      try {
        const answer = await twice(context, () => ask(url, dispensable || index < urls.length - 1));
        this.#good = this.#urls.indexOf(url);
        this.#avoided.delete(url.host);
        return answer;
      } catch (error) {
        if (!(error instanceof ReadaheadError)) throw error;
        // Before the signal is looked at: the engine ends a part whose server missed the first-byte deadline.
        if (error.connection) this.#avoid(url, error.silent);
        if (context.signal.aborted || !isElsewhereBetter(error)) throw error;
        if (!isAnswer(failure)) failure = error;
      }
    }
    throw failure;
  }

  #avoid(url: URL, silent: boolean): void {
    const now = this.#now();
    const before = this.#avoids(url);
    // Refused to several at the same time, it is one refusal.
    if (before !== undefined && !silent && before.skippedUntil > now) return;
    const again = before === undefined ? firstSkipMs : Math.min(longestSkipMs, 2 * before.skipMs);
    const skipMs = silent ? avoidMs : again;
    this.#avoided.set(url.host, {
      until: now + avoidMs,
      skippedUntil: now + skipMs,
      skipMs,
      silent,
    });
  }

  #avoids(url: URL): Avoided | undefined {
    const avoided = this.#avoided.get(url.host);
    return avoided !== undefined && avoided.until > this.#now() ? avoided : undefined;
  }
}

/** What is asked of a server, below the path that it was configured with. */
export function urlOf(base: URL, target: string): string {
  return `${base.origin}${base.pathname.replace(/\/$/, "")}${target}`;
}

/** Idle connections die (after 10 s at a filer): what a fresh one meets is the server's own doing. */
async function twice<T>(
  { signal }: Pick<ClusterContext, "signal">,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ReadaheadError) || !isReset(error) || signal.aborted) throw error;
    return ask();
  }
}

/** A refusal or nonsense may be of this server alone: a white list, an address that is another program's. */
function isElsewhereBetter(error: ReadaheadError): boolean {
  const { kind } = error;
  return kind === "unavailable" || kind === "throttled" || kind === "truncated" || isAnswer(error);
}

function isAnswer({ kind }: ReadaheadError): boolean {
  return kind === "denied" || kind === "protocol";
}
