/** One call of an R2 binding, whatever it asks for. */
import type { Ask } from "../../readahead/permits.ts";
import { orDisowned } from "../disown.ts";
import type { CallContext } from "../source.ts";
import { r2Error, r2Replica } from "./errors.ts";

/**
 * Sends it under a permit; disowned on abort.
 *
 * @param dispose Takes what arrives after the abort
 * @throws ReadaheadError as R2's error says
 * @throws the permit's signal's reason
 */
export function call<T>(
  context: CallContext,
  purpose: Ask["purpose"],
  send: () => Promise<T>,
  dispose: (late: T) => void,
): Promise<T> {
  return context.permits.request({ replica: r2Replica, purpose }, async (signal) => {
    try {
      return await orDisowned(send(), signal, dispose);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw r2Error(error);
    }
  });
}
