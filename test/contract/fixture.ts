/**
 * What a store's tests provide so that the contract suite can run against it.
 *
 * How to plug a source in:
 *
 *     // test/sources/mystore.contract.test.ts (or test/workers/ when it needs a binding)
 *     import { describeSourceContract } from "../contract/source-contract.ts";
 *     describeSourceContract("mystore", async () => ({
 *       source: createMyStoreSource({ fetch: fake.fetch }),
 *       put: (key, bytes, headers) => fake.put(key, bytes, headers),
 *       delete: (key) => fake.delete(key),
 *       requests: () => fake.requests,
 *       openBodies: () => fake.openBodies,
 *       close: () => fake.close(),
 *     }));
 *
 * A fixture is made before and closed after every test. Optional members turn the tests that need them on; a store that
 * cannot do a thing (deny a key, hang) leaves the member out. The suite uses web globals and vitest alone, so that it
 * also runs inside workerd.
 */
import type { Source } from "../../src/sources/source.ts";

export interface ContractFixture {
  readonly source: Source;
  /**
   * Stores an object, replacing what was there with a new version (another entity tag, also for the same bytes' length).
   *
   * @param headers Lower-case headers to be stored with it and passed on: content-type and the store's custom metadata
   */
  put(key: string, bytes: Uint8Array, headers?: Readonly<Record<string, string>>): Promise<void>;
  delete(key: string): Promise<void>;
  /** Upstream requests received so far; lookups included. Absent: the store cannot count (bindings). */
  requests?(): number | Promise<number>;
  /** Upstream bodies begun and neither read to the end nor cancelled. */
  openBodies?(): number | Promise<number>;
  /** Makes every request for the key be refused for lack of rights. */
  deny?(key: string): void | Promise<void>;
  /** Requests for the key wait for headers until the client goes; resolves as soon as the next one would. */
  holdHeaders?(key: string): void | Promise<void>;
  /** Answers for the key send headers and `bytes` bytes of the body, then nothing. */
  holdBody?(key: string, bytes: number): void | Promise<void>;
  /** Which of the put headers come back, where a store renames or drops some. Default: all that were put. */
  expectedHeaders?: Readonly<Record<string, string>> | undefined;
  close?(): void | Promise<void>;
}

export interface ContractOptions {
  /** Largest object the suite makes. Default 300_007. */
  readonly objectBytes?: number | undefined;
  /** Headers put with the object. Default: content-type, cache-control and content-disposition. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** False: the source cannot tell versions apart, so the tests about pins are left out. Default true. */
  readonly pins?: boolean | undefined;
  /** True: a key with `?`, `#`, `%`, space and letters beyond ASCII is stored too. Default true. */
  readonly oddKeys?: boolean | undefined;
}
