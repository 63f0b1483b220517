/** What tests inside workerd are told of the fake cluster that runs beside them (global-setup.ts). */
import type { ClientKeys } from "../../../src/sources/source.ts";

/** Objects are ramps, named by how they are stored. */
export interface ProvidedCluster {
  readonly filerUrl: string;
  readonly masterUrl: string;
  readonly size: number;
  readonly keys: readonly string[];
  /** For the object that a client's key was put with. */
  readonly clientKeys: ClientKeys;
}

declare module "vitest" {
  interface ProvidedContext {
    seaweedfs: ProvidedCluster;
  }
}
