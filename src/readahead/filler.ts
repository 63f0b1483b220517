/**
 * Bytes of an answer that need no request, on their turn in the stream: multipart boundaries, inline content, the zeros
 * of a hole.
 */
export class Filler {
  readonly #bytes: Uint8Array | undefined;
  #left: number;

  /** @param bytes The bytes themselves, or how many zeros */
  constructor(bytes: Uint8Array | number) {
    this.#bytes = typeof bytes === "number" ? undefined : bytes;
    this.#left = typeof bytes === "number" ? bytes : bytes.byteLength;
  }

  /** Bytes not taken yet. */
  get left(): number {
    return this.#left;
  }

  get delivered(): boolean {
    return this.#left === 0;
  }

  /** The next bytes, as a copy of their own: what is enqueued is transferred. */
  take(most: number): Uint8Array<ArrayBuffer> {
    const count = Math.min(most, this.#left);
    const from = this.#bytes === undefined ? 0 : this.#bytes.byteLength - this.#left;
    this.#left -= count;
    return (
      (this.#bytes?.slice(from, from + count) as Uint8Array<ArrayBuffer> | undefined) ??
      new Uint8Array(count)
    );
  }
}
