/** Reads answers of sources in tests. */
import type { Body } from "../../src/sources/source.ts";

/** Every byte of the body. */
export async function readAll(body: Body): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  const blocks: Uint8Array[] = [];
  const reader = body.getReader();
  for (let block = await reader.read(); !block.done; block = await reader.read())
    blocks.push(block.value);
  const bytes = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let offset = 0;
  for (const block of blocks) {
    bytes.set(block, offset);
    offset += block.length;
  }
  return bytes;
}

/** Ends a body unread, as the engine does on close. Never rejects. */
export async function discardBody(body: Body | undefined): Promise<void> {
  if (body instanceof ReadableStream) await body.cancel().catch(() => undefined);
}
