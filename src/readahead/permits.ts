/**
 * What a source must ask before it costs anything: the download's allowance of upstream requests and of held bytes.
 *
 * No source calls `fetch` without a permit. The permit waits for one of the `unanswered` places, counts the
 * subrequest, watches the first-byte deadline, and hands out the signal that ends the request and its body.
 */

/** One upstream request, as announced to the permits before it is sent. */
export interface Ask {
  /** Opaque, stable name of the address asked (a host and port, or a constant for stores with one door). */
  readonly replica: string;
  /** What for: `open` and `read` bring object bytes, the others bring knowledge. */
  readonly purpose: "open" | "read" | "facts" | "lookup" | "manifest" | "key" | "list";
  /** True when another replica could be asked instead: the first-byte deadline is then short (3 s). */
  readonly alternatives?: boolean;
}

/** The allowance of one download, or of one part of it. */
export interface Permits {
  /**
   * Sends one upstream request as soon as a place is free.
   *
   * `send` is called at most once; its promise must settle when headers are there. The place is freed when it settles.
   * The signal given to `send` stays valid for the body: aborting it ends the response too.
   *
   * @throws ReadaheadError `too-many-parts` when the subrequest limit is used up
   * @throws ReadaheadError `unavailable` with `connection` when no headers came before the deadline
   * @throws the signal's reason when the download was closed, or this part's request was put back
   */
  request<T>(ask: Ask, send: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Takes bytes of the isolate's budget, at once or not at all. They return with `give`, or when the download closes. */
  take(bytes: number): boolean;
  /** Gives bytes taken by `take` back. */
  give(bytes: number): void;
}
