import { env } from "cloudflare:workers";
import type { R2BucketBinding } from "../../src/sources/r2.ts";
import { createR2Source } from "../../src/sources/r2.ts";
import { describeSourceContract } from "../contract/source-contract.ts";

const { OBJECTS } = env as { OBJECTS: R2Bucket };
const never = new Promise<never>(() => undefined);

/** The real local bucket, with its calls counted, and held where a test asks for it. */
describeSourceContract("r2 in workerd", async () => {
  let requests = 0;
  let held = false;
  for (const { key } of (await OBJECTS.list()).objects) await OBJECTS.delete(key);
  const counted = <T>(call: () => Promise<T>): Promise<T> => {
    requests += 1;
    return held ? never : call();
  };
  // Typed by what the platform gives, so that this file also proves that a binding fits.
  const binding: R2BucketBinding = OBJECTS;
  const bucket: R2BucketBinding = {
    head: (key) => counted(() => binding.head(key)),
    get: (key, options) => counted(() => binding.get(key, options)),
    list: (options) => counted(() => binding.list(options)),
  };
  return {
    source: createR2Source({ bucket }),
    put: async (key, bytes, headers = {}) => {
      await OBJECTS.put(key, bytes, { httpMetadata: new Headers(headers) });
    },
    delete: (key) => OBJECTS.delete(key),
    holdHeaders: () => {
      held = true;
    },
    requests: () => requests,
  };
});
