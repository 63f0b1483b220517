/** The contract suite over the in-process S3 store: signed, by path; and unsigned with a key prefix. */
import { createS3Source, type S3SourceOptions } from "../../src/sources/s3.ts";
import { type ContractFixture, describeSourceContract } from "../contract/source-contract.ts";
import { createFakeS3, type FakeS3Options, testCredentials } from "./s3/fake-s3.ts";

async function makeFixture(
  options: FakeS3Options,
  source: Partial<S3SourceOptions>,
): Promise<ContractFixture> {
  const fake = createFakeS3(options);
  const stored = (key: string) => `${source.keyPrefix ?? ""}${key}`;
  return {
    source: createS3Source({
      endpoint: "https://s3.example",
      bucket: "bucket",
      fetch: fake.fetch,
      ...source,
    }),
    put: async (key, bytes, headers) =>
      fake.space.store(stored(key), {
        content: { kind: "bytes", bytes },
        size: bytes.length,
        headers,
      }),
    delete: async (key) => fake.space.delete(stored(key)),
    requests: () => fake.seen.length,
    openBodies: () => fake.space.stats().openBodies,
    deny: (key) => fake.space.always(stored(key), { kind: "status", status: 403 }),
    holdHeaders: (key) =>
      fake.space.always(stored(key), { kind: "stall", after: "before-headers" }),
    holdBody: (key, bytes) => fake.space.always(stored(key), { kind: "stall", after: bytes }),
  };
}

describeSourceContract("s3, signed", () => makeFixture({}, { credentials: testCredentials }));
describeSourceContract("s3, unsigned, below a prefix", () =>
  makeFixture({ public: true }, { keyPrefix: "a b/" }),
);
