/**
 * Starts the fake HTTP store and a fake SeaweedFS cluster beside the tests that run inside workerd. They find them by
 * `inject("storeUrl")`, driven over HTTP (store-client.ts), and `inject("seaweedfs")`.
 */
import type { TestProject } from "vitest/node";
import type {} from "./seaweedfs/provided.ts";
import { startWorkersCluster } from "./seaweedfs/workers-cluster.ts";
import type {} from "./store-client.ts";
import { startStoreServer } from "./store-server.ts";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startStoreServer();
  const cluster = await startWorkersCluster();
  project.provide("storeUrl", server.url);
  project.provide("seaweedfs", cluster.provided);
  return async () => {
    await server.close();
    await cluster.close();
  };
}
