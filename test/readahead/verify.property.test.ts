import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import type { Asked } from "../../src/readahead/verify.ts";
import { verifyAnswer } from "../../src/readahead/verify.ts";
import { planAnswer } from "../support/store-answer.ts";
import type { StoredObject } from "../support/store-script.ts";

const now = Date.UTC(2026, 10, 1);

/** What a store of RFC 9110 answers to a want, moved by `shift`. */
function answerTo(want: Asked["want"], object: StoredObject, shift: number) {
  const range =
    "suffix" in want
      ? `bytes=-${want.suffix}`
      : `bytes=${want.start}-${want.end === undefined ? "" : want.end - 1}`;
  const request = { method: "GET", key: "file", headers: { range } };
  const fault = shift === 0 ? undefined : ({ kind: "wrong-range", shift } as const);
  const plan = planAnswer(request, object, fault, now);
  return { plan, answer: { status: plan.status, headers: new Headers(plan.headers) } };
}

const wants: fc.Arbitrary<Asked["want"]> = fc.oneof(
  fc.record({ suffix: fc.integer({ min: 1, max: 3000 }) }),
  fc
    .tuple(fc.integer({ min: 0, max: 2500 }), fc.integer({ min: 1, max: 2500 }))
    .map(([start, length]) => ({ start, end: start + length })),
  fc.record({ start: fc.integer({ min: 0, max: 2500 }) }),
);

describe("verifyAnswer, for any size and want", () => {
  const randomSeed = Math.floor(Math.random() * 2 ** 31);
  console.log(`verify: random seed ${randomSeed}`);

  it("passes the one right stretch, names the size of a refusal, and nothing else", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2000 }),
        wants,
        fc.oneof(fc.constant(0), fc.integer({ min: -50, max: 50 })),
        (size, want, shift) => {
          const object: StoredObject = { content: { kind: "ramp" }, size, etag: '"a"' };
          const { plan, answer } = answerTo(want, object, shift);
          let outcome: unknown;
          try {
            outcome = verifyAnswer({ want }, answer);
          } catch (error) {
            if (!(error instanceof ReadaheadError)) throw error;
            outcome = { kind: error.kind, size: error.size };
          }
          if (plan.status === 416) {
            expect(outcome).toEqual({ kind: "refused", size });
            return;
          }
          const start = "suffix" in want ? Math.max(0, size - want.suffix) : want.start;
          const end = "suffix" in want ? size : Math.min(size, want.end ?? size);
          const right = plan.start === start && plan.end === end;
          expect(outcome).toEqual(
            right
              ? { kind: "part", range: { start, end }, size }
              : { kind: "protocol", size: undefined },
          );
        },
      ),
      { numRuns: 2000, seed: randomSeed },
    );
  }, 30_000);
});
