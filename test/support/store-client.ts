/** Drives the fake store's server from where only `fetch` reaches it: inside workerd. */
import type { Fault, SpaceScript, StoredObject } from "./store-script.ts";
import type { SeenRequest, StoreStats } from "./store-space.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Base URL of the fake store, with a slash at its end. */
    storeUrl: string;
  }
}

export interface RemoteSpace {
  /** Base URL of its objects, with a slash at its end. */
  readonly url: string;
  store(key: string, object: StoredObject): Promise<void>;
  delete(key: string): Promise<void>;
  always(key: string, fault: Fault | undefined): Promise<void>;
  stats(): Promise<StoreStats & { readonly seen: readonly SeenRequest[] }>;
}

/** Makes a space of the server at `storeUrl` (`inject("storeUrl")`). */
export async function createRemoteSpace(
  storeUrl: string,
  name: string,
  script: SpaceScript = {},
): Promise<RemoteSpace> {
  const control = `${storeUrl}-/spaces/${name}`;
  const call = async (method: string, body?: unknown) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const response = await fetch(control, {
      method,
      ...(text === undefined ? {} : { body: text }),
    });
    return (await response.json()) as StoreStats & { seen: SeenRequest[] };
  };
  await call("PUT", script);
  return {
    url: `${storeUrl}${name}/`,
    store: async (key, object) => void (await call("POST", { store: { key, object } })),
    delete: async (key) => void (await call("POST", { delete: { key } })),
    always: async (key, fault) => void (await call("POST", { always: { key, fault } })),
    stats: () => call("GET"),
  };
}
