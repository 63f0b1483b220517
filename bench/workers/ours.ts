/**
 * Our Worker with one more route for the memory cases: `/__held` tells what the isolate's budget holds and has held at
 * most. Every other case runs `dist/worker.js` as it ships.
 */
import { Budget, type Ceilings, type Lease } from "../../src/readahead/budget.ts";
import worker from "../../src/worker.ts";

const held = { now: () => 0, peak: 0, limit: 0, leases: () => 0, open: () => 0 };

const { lease } = Object.getOwnPropertyDescriptors(Budget.prototype);
const makeLease: unknown = lease.value;

Budget.prototype.lease = function (this: Budget, ceilings?: Ceilings): Lease {
  held.now = () => this.held;
  held.leases = () => this.leases;
  held.open = () => this.open;
  held.limit = (ceilings ?? this).bytes;
  if (typeof makeLease !== "function") throw new TypeError("Budget has no lease()");
  const inner = Reflect.apply(makeLease, this, [ceilings]) as Lease;
  const note = (granted: boolean) => {
    if (this.held > held.peak) held.peak = this.held;
    return granted;
  };
  return {
    ...inner,
    take: (bytes) => note(inner.take(bytes)),
    borrow: (bytes) => note(inner.borrow(bytes)),
    reserve: (bytes) => note(inner.reserve(bytes)),
  };
};

type Fetch = NonNullable<(typeof worker)["fetch"]>;

export default {
  fetch(...call: Parameters<Fetch>): ReturnType<Fetch> | Response {
    if (new URL(call[0].url).pathname !== "/__held") return worker.fetch(...call);
    return Response.json({
      held: held.now(),
      peak: held.peak,
      limit: held.limit,
      leases: held.leases(),
      open: held.open(),
    });
  },
};
