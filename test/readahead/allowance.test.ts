import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Allowance, type AllowanceOptions, PutBack } from "../../src/readahead/allowance.ts";
import type { Ask } from "../../src/readahead/permits.ts";
import { checkLeaks } from "../support/leak-check.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
checkLeaks();

const settle = () => vi.advanceTimersByTimeAsync(0);

function createAllowance(options: Partial<AllowanceOptions> = {}) {
  const onWaiting = vi.fn();
  const limits = { unanswered: 2, subrequests: 100, firstByteMs: 30_000 };
  return { allowance: new Allowance({ ...limits, onWaiting, ...options }), onWaiting };
}

/** One request whose answer is given by hand. */
function ask(
  allowance: Allowance,
  rank: number,
  options: { urgent?: boolean; asked?: Partial<Ask> } = {},
) {
  const controller = new AbortController();
  const asks = vi.fn();
  let signal: AbortSignal | undefined;
  let answer: (value: string) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const claimant = { rank, controller, urgent: () => options.urgent === true, asks };
  const whole: Ask = { replica: `r${rank}`, purpose: "read", ...options.asked };
  const done = allowance.request(claimant, whole, (own) => {
    signal = own;
    return new Promise<string>((resolve, reject) => {
      answer = resolve;
      fail = reject;
      own.addEventListener("abort", () => reject(new DOMException("Aborted", "AbortError")));
    });
  });
  done.catch(() => undefined);
  return {
    done,
    controller,
    asks,
    get sent() {
      return signal !== undefined;
    },
    get signal() {
      return signal;
    },
    answer: (value = "headers") => answer(value),
    fail: (error: unknown) => fail(error),
  };
}

describe("places", () => {
  it("are taken at once while there are any, and freed by the answer", async () => {
    const { allowance } = createAllowance();
    const [one, two, three] = [ask(allowance, 0), ask(allowance, 1), ask(allowance, 2)];
    expect([one.sent, two.sent, three.sent]).toEqual([true, true, false]);
    expect(allowance).toMatchObject({ unanswered: 2, free: false, spent: 2, left: 98 });
    one.answer("first");
    await expect(one.done).resolves.toBe("first");
    await settle();
    expect(three.sent).toBe(true);
    two.answer();
    three.answer();
    await settle();
    expect(allowance).toMatchObject({ unanswered: 0, free: true, spent: 3 });
  });

  it("are freed by a failure too, which is passed on", async () => {
    const { allowance } = createAllowance({ unanswered: 1 });
    const [one, two] = [ask(allowance, 0), ask(allowance, 1)];
    const error = new TypeError("Network connection lost");
    one.fail(error);
    await expect(one.done).rejects.toBe(error);
    await settle();
    expect(two.sent).toBe(true);
    two.answer();
    await two.done;
  });

  it("go to the oldest part, whoever came first; among equals to the first", async () => {
    const { allowance } = createAllowance({ unanswered: 1 });
    const blocker = ask(allowance, 0);
    const waiting = [5, 3, 9, 3, 1].map((rank) => ask(allowance, rank));
    const order: number[] = [];
    blocker.answer();
    for (let turn = 0; turn < 5; turn += 1) {
      await settle();
      const index = waiting.findIndex(({ sent }, at) => sent && !order.includes(at));
      order.push(index);
      expect(waiting.filter(({ sent }) => sent)).toHaveLength(turn + 1);
      waiting[index]?.answer();
    }
    expect(order).toEqual([4, 1, 3, 0, 2]);
  });

  it("are not free for a newcomer while others queue", async () => {
    const { allowance } = createAllowance({ unanswered: 2 });
    const requests = [0, 1, 2].map((rank) => ask(allowance, rank));
    expect(allowance.free).toBe(false);
    for (const request of requests) {
      request.answer();
      await settle();
    }
    expect(allowance.free).toBe(true);
  });

  it.for([0, 1, 2, 3, 4, 5, 6])(
    "that were promised to the queue are not given to a newcomer %i turns after the answer",
    async (turns) => {
      const { allowance } = createAllowance({ unanswered: 1 });
      const [one, two] = [ask(allowance, 0), ask(allowance, 1)];
      one.answer();
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      expect(allowance.free).toBe(false);
      const newcomer = ask(allowance, 2);
      await settle();
      expect([two.sent, newcomer.sent]).toEqual([true, false]);
      two.answer();
      await settle();
      newcomer.answer();
      await settle();
      expect(allowance).toMatchObject({ unanswered: 0, free: true });
    },
  );

  it.for([0, 1, 2, 3, 4, 5, 6])(
    "promised to a request that left %i turns after the answer go to the next",
    async (turns) => {
      const { allowance } = createAllowance({ unanswered: 1 });
      const [one, two, three] = [ask(allowance, 0), ask(allowance, 1), ask(allowance, 2)];
      one.answer();
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      const sentBefore = two.sent;
      two.controller.abort(new Error("Put back"));
      await settle();
      expect([two.sent, three.sent]).toEqual([sentBefore, true]);
      three.answer();
      await settle();
      expect(allowance).toMatchObject({ unanswered: 0, free: true });
    },
  );

  it("tell the claimant what is asked when it is sent, and that somebody waits", async () => {
    const { allowance, onWaiting } = createAllowance({ unanswered: 1 });
    const one = ask(allowance, 0);
    expect(one.asks).toHaveBeenCalledExactlyOnceWith({ replica: "r0", purpose: "read" });
    expect(onWaiting).toHaveBeenCalledTimes(1);
    const two = ask(allowance, 1);
    expect(two.asks).not.toHaveBeenCalled();
    one.answer();
    await settle();
    expect(two.asks).toHaveBeenCalledTimes(1);
    two.answer();
    await two.done;
  });
});

describe("an urgent request", () => {
  it("takes the place of the youngest unanswered part behind it, which is put back", async () => {
    const { allowance } = createAllowance();
    const [older, younger] = [ask(allowance, 3), ask(allowance, 7)];
    const head = ask(allowance, 1, { urgent: true });
    expect(younger.signal?.aborted).toBe(true);
    expect(older.signal?.aborted).toBe(false);
    // Not before the other has settled: the store would see one request more than the limit.
    expect(head.sent).toBe(false);
    await expect(younger.done).rejects.toBeInstanceOf(PutBack);
    await settle();
    expect(head.sent).toBe(true);
    expect(allowance.unanswered).toBe(2);
    older.answer();
    head.answer();
    await settle();
    expect(allowance.unanswered).toBe(0);
  });

  it("takes the place of the youngest, whichever was asked last", async () => {
    const { allowance } = createAllowance({ unanswered: 3 });
    const [five, seven, six] = [ask(allowance, 5), ask(allowance, 7), ask(allowance, 6)];
    const head = ask(allowance, 0, { urgent: true });
    await expect(seven.done).rejects.toBeInstanceOf(PutBack);
    await settle();
    expect(head.sent).toBe(true);
    expect([five.signal?.aborted, six.signal?.aborted]).toEqual([false, false]);
    for (const request of [five, six, head]) request.answer();
    await settle();
  });

  it("disturbs nobody while the place of another is about to be free", async () => {
    const { allowance } = createAllowance();
    const [leaving, younger] = [ask(allowance, 3), ask(allowance, 7)];
    leaving.controller.abort(new Error("Let go"));
    const head = ask(allowance, 1, { urgent: true });
    expect(younger.signal?.aborted).toBe(false);
    await settle();
    expect(head.sent).toBe(true);
    younger.answer();
    head.answer();
    await settle();
  });

  it("takes its place at the next look if it became urgent in the queue", async () => {
    const { allowance } = createAllowance();
    const [older, younger] = [ask(allowance, 3), ask(allowance, 7)];
    const options = { urgent: false };
    const head = ask(allowance, 1, options);
    allowance.checkDeadlines(performance.now());
    expect(younger.signal?.aborted).toBe(false);
    options.urgent = true;
    allowance.checkDeadlines(performance.now());
    expect(younger.signal?.aborted).toBe(true);
    await expect(younger.done).rejects.toBeInstanceOf(PutBack);
    await settle();
    expect(head.sent).toBe(true);
    older.answer();
    head.answer();
    await settle();
  });

  it("queues where all who wait are older or of the same part", async () => {
    const { allowance } = createAllowance();
    const waiting = [ask(allowance, 1), ask(allowance, 2)];
    const head = ask(allowance, 2, { urgent: true });
    expect(head.sent).toBe(false);
    expect(waiting.every(({ signal }) => signal?.aborted === false)).toBe(true);
    waiting[0]?.answer();
    await settle();
    expect(head.sent).toBe(true);
    waiting[1]?.answer();
    head.answer();
    await settle();
  });

  it("does not disturb anyone while a place is free", async () => {
    const { allowance } = createAllowance();
    const one = ask(allowance, 7);
    const head = ask(allowance, 1, { urgent: true });
    expect(head.sent).toBe(true);
    expect(one.signal?.aborted).toBe(false);
    one.answer();
    head.answer();
    await settle();
  });
});

describe("deadlines", () => {
  it("end a request that was silent, and free its place", async () => {
    const { allowance } = createAllowance({ unanswered: 1, firstByteMs: 10_000 });
    const [silent, next] = [ask(allowance, 0), ask(allowance, 1)];
    allowance.checkDeadlines(9_999);
    expect(silent.signal?.aborted).toBe(false);
    allowance.checkDeadlines(10_000);
    await expect(silent.done).rejects.toMatchObject({
      kind: "unavailable",
      replica: "r0",
      connection: true,
      silent: true,
      alternatives: false,
    });
    await settle();
    expect(next.sent).toBe(true);
    next.answer();
    await next.done;
  });

  it("are 3 s where another replica could be asked, never longer than where none can", async () => {
    const { allowance } = createAllowance();
    const one = ask(allowance, 0, { asked: { alternatives: true } });
    allowance.checkDeadlines(2_999);
    expect(one.signal?.aborted).toBe(false);
    allowance.checkDeadlines(3_000);
    await expect(one.done).rejects.toMatchObject({ alternatives: true });

    const hasty = createAllowance({ firstByteMs: 1_000 }).allowance;
    const two = ask(hasty, 0, { asked: { alternatives: true } });
    hasty.checkDeadlines(1_000);
    await expect(two.done).rejects.toMatchObject({ kind: "unavailable" });
  });

  it("count from when the request was sent, not from when it queued", async () => {
    const { allowance } = createAllowance({ unanswered: 1, firstByteMs: 10_000 });
    const [one, two] = [ask(allowance, 0), ask(allowance, 1)];
    await vi.advanceTimersByTimeAsync(9_000);
    one.answer();
    await settle();
    allowance.checkDeadlines(performance.now() + 9_999);
    expect(two.signal?.aborted).toBe(false);
    allowance.checkDeadlines(performance.now() + 10_000);
    expect(two.signal?.aborted).toBe(true);
    await expect(two.done).rejects.toMatchObject({ silent: true });
  });

  it("do not concern a request that was answered: its body has a deadline of its own", async () => {
    const { allowance } = createAllowance();
    const one = ask(allowance, 0);
    one.answer();
    await one.done;
    allowance.checkDeadlines(Number.POSITIVE_INFINITY);
    expect(one.signal?.aborted).toBe(false);
  });
});

describe("subrequests", () => {
  it("are counted when sent, and refused beyond the limit", async () => {
    const { allowance } = createAllowance({ subrequests: 2 });
    for (const rank of [0, 1]) {
      const request = ask(allowance, rank);
      request.answer();
      await request.done;
    }
    const third = ask(allowance, 2);
    expect(third.sent).toBe(false);
    await expect(third.done).rejects.toMatchObject({ kind: "too-many-parts" });
    expect(allowance).toMatchObject({ spent: 2, left: 0, unanswered: 0 });
  });

  it("that are used up fail everyone in the queue, one after the other: nobody waits for ever", async () => {
    const { allowance } = createAllowance({ unanswered: 1, subrequests: 1 });
    const one = ask(allowance, 0);
    const queued = [1, 2, 3].map((rank) => ask(allowance, rank));
    one.answer();
    for (const { done } of queued) {
      await expect(done).rejects.toMatchObject({ kind: "too-many-parts" });
    }
  });
});

describe("leaving", () => {
  it("takes a queued request out of the queue, with the signal's own reason and no listener left", async () => {
    const { allowance } = createAllowance({ unanswered: 1 });
    const [one, two, three] = [ask(allowance, 0), ask(allowance, 1), ask(allowance, 2)];
    const reason = new Error("Let go");
    two.controller.abort(reason);
    await expect(two.done).rejects.toBe(reason);
    one.answer();
    await settle();
    expect([two.sent, three.sent]).toEqual([false, true]);
    expect(getEventListeners(two.controller.signal, "abort")).toHaveLength(0);
    three.answer();
    await three.done;
  });

  it("sends nothing for a claimant that had left", async () => {
    const { allowance } = createAllowance();
    const controller = new AbortController();
    const reason = new Error("Gone");
    controller.abort(reason);
    const send = vi.fn();
    const claimant = { rank: 0, controller, urgent: () => true };
    const done = allowance.request(claimant, { replica: "r", purpose: "read" }, send);
    await expect(done).rejects.toBe(reason);
    expect(send).not.toHaveBeenCalled();
    expect(allowance.spent).toBe(0);
  });

  it("tells why a request was aborted, whatever the platform made of the reason", async () => {
    const { allowance } = createAllowance();
    const one = ask(allowance, 0);
    const reason = new Error("The client has left");
    one.controller.abort(reason);
    await expect(one.done).rejects.toBe(reason);
  });
});

describe("close", () => {
  it("fails the queue with the reason, leaves no listener, and sends nothing any more", async () => {
    const { allowance } = createAllowance({ unanswered: 1 });
    const [one, two, three] = [ask(allowance, 0), ask(allowance, 1), ask(allowance, 2)];
    const reason = new Error("The download has ended");
    allowance.close(reason);
    allowance.close(new Error("Too late"));
    await expect(two.done).rejects.toBe(reason);
    await expect(three.done).rejects.toBe(reason);
    const late = ask(allowance, 3);
    await expect(late.done).rejects.toBe(reason);
    expect([two.sent, three.sent, late.sent]).toEqual([false, false, false]);
    for (const { controller } of [two, three]) {
      expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    }
    // Whoever owns the request that was on its way ends it.
    expect(allowance).toMatchObject({ unanswered: 0, spent: 1 });
    one.controller.abort(reason);
    await expect(one.done).rejects.toBe(reason);
  });
});
