/**
 * Questions that several parts of one download have at the same time: asked once. Belongs to an open object, never to the
 * isolate, as a request must not wait for another one's promise.
 */
import { orDisowned } from "../disown.ts";
import type { ClusterContext } from "./request.ts";

interface Running<T> {
  readonly result: Promise<T>;
  /** The asker's own signal: when it ended the question, others who wait must ask again. */
  readonly signal: AbortSignal;
}

export class SharedAsks<T> {
  readonly #running = new Map<string, Running<T>>();

  /**
   * The answer to the question of that name: known, or asked for, at most once at a time.
   *
   * @param known Looked at before every asking: another part, or another request, may have brought it
   * @throws what `ask` throws; the reason of the context's signal, also while another part asks
   */
  async find(
    name: string,
    context: ClusterContext,
    known: () => T | undefined,
    ask: () => Promise<T>,
  ): Promise<T> {
    for (;;) {
      context.signal.throwIfAborted();
      const answer = known();
      if (answer !== undefined) return answer;
      const running = this.#running.get(name);
      if (running === undefined) return this.#ask(name, context, ask);
      try {
        return await orDisowned(running.result, context.signal, () => {});
      } catch (error) {
        // The part that asked was put back or let go: its end is not ours.
        if (!running.signal.aborted) throw error;
      }
    }
  }

  #ask(name: string, { signal }: ClusterContext, ask: () => Promise<T>): Promise<T> {
    const result = ask();
    this.#running.set(name, { result, signal });
    const forget = () => {
      this.#running.delete(name);
    };
    result.then(forget, forget);
    return result;
  }
}
