import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Needs programs of the system (curl, aria2, Chromium ...): run by `.ci/run` after it has installed them. */
const system = "test/**/*.system.test.ts";

// Two cores are the common case: two workers, and files that start servers and Workers one after the other.
export default defineConfig({
  test: {
    maxWorkers: 2,
    // What is polled for takes no time on a quiet machine, and may on a busy one: this only bounds a hang.
    expect: { poll: { timeout: 15_000 } },
    projects: [
      {
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/workers/**", "test/e2e/**", "test/package/**", "test/live/**", system],
          // A busy machine is no fault: real servers answer these tests, and nothing in them is timed.
          testTimeout: 20_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            miniflare: {
              compatibilityDate: "2026-10-23",
              compatibilityFlags: ["enable_request_signal"],
              r2Buckets: ["OBJECTS"],
            },
          }),
        ],
        test: {
          name: "workers",
          include: ["test/workers/**/*.test.ts"],
          globalSetup: ["test/support/global-setup.ts"],
          exclude: [system],
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts", "test/package/**/*.test.ts"],
          exclude: [system],
          globalSetup: ["test/e2e/support/build.ts"],
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "system",
          include: [system],
          globalSetup: ["test/e2e/support/build.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "live",
          include: ["test/live/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
