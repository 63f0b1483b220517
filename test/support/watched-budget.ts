/** A budget that remembers the most that was ever held, looking after every taking, and what was reserved. */
import { Budget, type Ceilings, type Lease } from "../../src/readahead/budget.ts";

export class WatchedBudget extends Budget {
  mostHeld = 0;
  /** What each download reserved before headers, in order. */
  readonly reserved: number[] = [];

  override lease(ceilings?: Ceilings): Lease {
    const lease = super.lease(ceilings);
    const watch = (take: (bytes: number) => boolean) => (bytes: number) => {
      const taken = take(bytes);
      this.mostHeld = Math.max(this.mostHeld, this.held);
      return taken;
    };
    return {
      ...lease,
      take: watch(lease.take),
      borrow: watch(lease.borrow),
      reserve: watch((bytes) => {
        const taken = lease.reserve(bytes);
        if (taken) this.reserved.push(bytes);
        return taken;
      }),
    };
  }
}
