/**
 * What workerd and Node can do and their type packages do not say. One ambient file for both worlds: an interface that
 * a world lacks is then simply an unused one. It can go when @cloudflare/workers-types and @types/node carry these.
 *
 * It declares no names of bindings: those are strings of the configuration, looked up at run time (`src/config/env.ts`).
 */

/** workerd PR 1579: an exact Content-Length for a stream made in JS. Missing on byte sources in workers-types 5.20261029. */
interface UnderlyingByteSource {
  expectedLength?: number | bigint;
}

interface ReadableStreamBYOBReader {
  /** Streams standard, 4.5.3: resolves once `min` elements are there, or the stream ended. */
  read<T extends ArrayBufferView>(
    view: T,
    options?: { min?: number },
  ): Promise<{ done: false; value: T } | { done: true; value: T | undefined }>;
}

/** Node's own copy of the stream types, which its globals point at. */
declare module "stream/web" {
  interface UnderlyingByteSource {
    expectedLength?: number | bigint;
  }
  interface UnderlyingSource {
    expectedLength?: number | bigint;
  }
  interface ReadableStreamBYOBReader {
    /** workerd only: ask for `"readAtLeast" in reader` first. */
    readAtLeast<T extends ArrayBufferView>(
      min: number,
      view: T,
    ): Promise<{ done: false; value: T } | { done: true; value: T | undefined }>;
  }
}
