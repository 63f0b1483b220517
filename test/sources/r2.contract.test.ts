import { createR2Source } from "../../src/sources/r2.ts";
import { describeSourceContract } from "../contract/source-contract.ts";
import { createFakeBucket } from "../support/fake-bucket.ts";

const never = new Promise<void>(() => undefined);

for (const behaviour of ["production", "simulator"] as const)
  describeSourceContract(`r2 with the errors of ${behaviour}`, async () => {
    const bucket = createFakeBucket(behaviour);
    return {
      source: createR2Source({ bucket }),
      put: async (key, bytes, headers = {}) =>
        bucket.put(key, {
          bytes,
          httpMetadata: {
            ...(headers["content-type"] && { contentType: headers["content-type"] }),
            ...(headers["cache-control"] && { cacheControl: headers["cache-control"] }),
            ...(headers["content-disposition"] && {
              contentDisposition: headers["content-disposition"],
            }),
          },
        }),
      delete: async (key) => bucket.delete(key),
      holdHeaders: () => {
        bucket.fault("get", { until: never });
        bucket.fault("head", { until: never });
      },
      holdBody: (_key, stallAfter) => bucket.fault("get", { stallAfter }),
      requests: () => bucket.calls.length,
      openBodies: () => bucket.openBodies,
    };
  });
