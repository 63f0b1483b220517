/**
 * Several servers that can answer the same question (filers, masters): asked one after the other, the last good one
 * first, those that were silent or refused lately last. Plain data, shared by all requests of the isolate.
 */
import { ReadaheadError } from "../../errors.ts";
import type { ClusterContext } from "./request.ts";

/** A hung server is noticed by nobody else for over a minute (76 s seen at a master). */
const avoidMs = 90_000;

export class Servers {
  readonly #urls: readonly URL[];
  readonly #now: () => number;
  readonly #avoided = new Map<string, number>();
  #good = 0;

  constructor(urls: readonly URL[], now: () => number = Date.now) {
    this.#urls = urls;
    this.#now = now;
  }

  get count(): number {
    return this.#urls.length;
  }

  /** Best first. */
  order(context: ClusterContext): URL[] {
    const preferred = [...this.#urls.slice(this.#good), ...this.#urls.slice(0, this.#good)];
    const now = this.#now();
    const bad = (url: URL) =>
      (this.#avoided.get(url.host) ?? 0) > now || context.suspect?.(url.host) === true;
    return [...preferred.filter((url) => !bad(url)), ...preferred.filter(bad)];
  }

  /**
   * Asks until one answers; `ask` throws for an answer that another server might give better.
   *
   * @throws the last server's error
   */
  async ask<T>(
    context: ClusterContext,
    ask: (url: URL, alternatives: boolean) => Promise<T>,
  ): Promise<T> {
    const urls = this.order(context);
    let failure: unknown = new ReadaheadError("config", "No server is configured");
    for (const [index, url] of urls.entries()) {
      try {
        const answer = await ask(url, index < urls.length - 1);
        this.#good = this.#urls.indexOf(url);
        this.#avoided.delete(url.host);
        return answer;
      } catch (error) {
        if (context.signal.aborted || !(error instanceof ReadaheadError)) throw error;
        if (error.connection) this.#avoided.set(url.host, this.#now() + avoidMs);
        failure = error;
        if (!isElsewhereBetter(error)) throw error;
      }
    }
    throw failure;
  }
}

function isElsewhereBetter({ kind }: ReadaheadError): boolean {
  return kind === "unavailable" || kind === "throttled" || kind === "truncated";
}
