/** Leaving what takes no signal of ours: a call of an R2 binding, a question that another part has asked. */

/**
 * The promise, or at once a rejection with the signal's reason. What arrives afterwards is handed to `dispose`; what
 * fails afterwards is dropped. Holds one listener, removed when either settles.
 */
export function orDisowned<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  dispose: (late: T) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const leave = () => {
      reject(signal.reason);
      promise.then(dispose, () => undefined);
    };
    if (signal.aborted) {
      leave();
      return;
    }
    signal.addEventListener("abort", leave, { once: true });
    promise.then(
      (value) => {
        signal.removeEventListener("abort", leave);
        if (!signal.aborted) resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", leave);
        reject(error);
      },
    );
  });
}
