import { afterAll, beforeAll } from "vitest";
import { createHttpSource } from "../../src/sources/http.ts";
import type { ContractFixture } from "../contract/fixture.ts";
import { describeSourceContract } from "../contract/source-contract.ts";
import { createStoreFetch } from "../support/store-fetch.ts";
import type { StoredObject } from "../support/store-script.ts";
import type { StoreServer } from "../support/store-server.ts";
import { startStoreServer } from "../support/store-server.ts";
import { StoreSpace } from "../support/store-space.ts";

function fixtureOf(
  space: StoreSpace,
  source: ContractFixture["source"],
  habits: Partial<StoredObject> = {},
): ContractFixture {
  return {
    source,
    put: async (key, bytes, headers) =>
      space.store(key, {
        content: { kind: "bytes", bytes },
        size: bytes.length,
        headers,
        ...habits,
      }),
    delete: async (key) => space.delete(key),
    deny: (key) => space.always(key, { kind: "status", status: 403 }),
    holdHeaders: (key) => space.always(key, { kind: "stall", after: "before-headers" }),
    holdBody: (key, after) => space.always(key, { kind: "stall", after }),
    requests: () => space.stats().requests,
    openBodies: () => space.stats().openBodies,
  };
}

let server: StoreServer;
beforeAll(async () => {
  server = await startStoreServer();
});
afterAll(() => server.close());

let spaces = 0;

describeSourceContract("http over a real server", async () => {
  const name = `space-${spaces++}`;
  const space = server.space(name);
  return fixtureOf(space, createHttpSource({ url: `${server.url}${name}/` }));
});

function inProcess(habits: Partial<StoredObject> = {}) {
  return async () => {
    const space = new StoreSpace();
    const via = { fetch: createStoreFetch(space) };
    return fixtureOf(space, createHttpSource({ url: "https://origin.example/", via }), habits);
  };
}

describeSourceContract("http through a binding", inProcess());
describeSourceContract("http from an origin that refuses HEAD", inProcess({ headStatus: 405 }));
describeSourceContract("http pinned by date", inProcess({ etag: null }));
