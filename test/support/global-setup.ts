/**
 * Starts the fake HTTP store beside the tests that run inside workerd. They find it by `inject("storeUrl")` and drive it
 * over HTTP (store-client.ts).
 */
import type { TestProject } from "vitest/node";
import { startStoreServer } from "./store-server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Base URL of the fake store, with a slash at its end. */
    storeUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startStoreServer();
  project.provide("storeUrl", server.url);
  return () => server.close();
}
