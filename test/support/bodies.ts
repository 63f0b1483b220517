/** Reads answers of sources in tests. */
import type { Body } from "../../src/sources/source.ts";

/** Every byte of the body. */
export async function readAll(body: Body): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  return new Uint8Array(
    await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );
}

/** Ends a body unread, as the engine does on close. Never rejects. */
export async function discardBody(body: Body | undefined): Promise<void> {
  if (body instanceof ReadableStream) await body.cancel().catch(() => undefined);
}
