/** How a Worker is bundled into one module that workerd runs: the shipped one, those of the tests and of the benchmark. */
import type { BuildOptions } from "esbuild";

/** Everything but entry, place and what is logged. The module may import nothing but `cloudflare:*`. */
export const workerBundle = {
  bundle: true,
  format: "esm",
  target: "es2022",
  platform: "neutral",
  mainFields: ["module", "main"],
  conditions: ["workerd", "worker", "browser", "import"],
  external: ["cloudflare:*"],
} satisfies BuildOptions;
