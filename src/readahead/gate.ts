/** A door that waiters stand at until it opens once; then it is shut again for the next ones. */
export class Gate {
  #waiters: Array<() => void> = [];

  /** Resolves at the next `open()`. Never rejects. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  open(): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const go of waiters) go();
  }
}
