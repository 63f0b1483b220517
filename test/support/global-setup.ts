/**
 * Starts the fake HTTP store beside the tests that run inside workerd. They find it by `inject("storeUrl")` and drive it
 * over HTTP (store-client.ts).
 */
import type { TestProject } from "vitest/node";
import type {} from "./store-client.ts";
import { startStoreServer } from "./store-server.ts";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startStoreServer();
  project.provide("storeUrl", server.url);
  return () => server.close();
}
