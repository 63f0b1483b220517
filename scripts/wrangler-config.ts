/** What scripts need of wrangler.toml, read by wrangler itself. */
import * as v from "valibot";

const configSchema = v.object({
  vars: v.record(v.string(), v.unknown()),
  r2_buckets: v.array(v.object({ binding: v.string(), bucket_name: v.optional(v.string()) })),
});

export type WranglerConfig = v.InferOutput<typeof configSchema>;

/** @throws Error when the file cannot be read or its contents are not what wrangler accepts */
export async function readWranglerConfig(path: string): Promise<WranglerConfig> {
  // Not a literal: wrangler's declarations bring the Workers' globals along, and those collide with Node's.
  const specifier: string = "wrangler";
  const wrangler: unknown = await import(specifier);
  if (typeof wrangler !== "object" || wrangler === null || !("unstable_readConfig" in wrangler))
    throw new TypeError("This wrangler cannot read its configuration for others");
  const read = wrangler.unstable_readConfig;
  if (typeof read !== "function")
    throw new TypeError("wrangler.unstable_readConfig is no function");
  return v.parse(configSchema, read({ config: path }, { hideWarnings: true }));
}
