/**
 * Stored bytes of a needle that was read whole, back to the chunk's clear bytes: the volume cipher (AES-256-GCM, nonce
 * before, tag behind, no additional data), and gzip inside it.
 */
import { ReadaheadError } from "../../errors.ts";
import { free } from "../../readahead/part-buffer.ts";
import { readWhole } from "./request.ts";

const nonceBytes = 12;
const tagBytes = 16;
/** How much longer than its clear bytes a ciphered needle is, when it was not compressed. */
export const cipherOverheadBytes = nonceBytes + tagBytes;

/**
 * Opens a ciphered needle. The stored bytes are freed: at most two copies of the chunk are held.
 *
 * @throws ReadaheadError `lost` when the tag does not fit: damaged, or written broken by a copy (4.44 on ciphered clusters)
 */
export async function openCiphered(
  stored: Uint8Array<ArrayBuffer>,
  cipherKey: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", cipherKey, "AES-GCM", false, ["decrypt"]);
  try {
    const clear = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: stored.subarray(0, nonceBytes) },
      key,
      stored.subarray(nonceBytes),
    );
    return new Uint8Array(clear);
  } catch (error) {
    throw new ReadaheadError("lost", "A chunk of the object does not decrypt: it is damaged", {
      cause: error,
    });
  } finally {
    free(stored.buffer);
  }
}

/** True when the bytes start as gzip does; `is_compressed` alone is left on plain bytes by copies. */
export function looksGzipped(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Inflates bytes in memory.
 *
 * @param limitBytes Longer contents would not fit what was reserved
 * @param surplus What becomes of what is longer
 * @throws ReadaheadError `lost` for damaged contents
 */
export async function inflate(
  compressed: Uint8Array<ArrayBuffer>,
  limitBytes: number,
  surplus: "refused" | "dropped",
): Promise<Uint8Array<ArrayBuffer>> {
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      controller.enqueue(compressed);
      controller.close();
    },
  });
  try {
    const body = source.pipeThrough(new DecompressionStream("gzip"));
    const dropSurplus = surplus === "dropped";
    return await readWhole(body, { limitBytes, dropSurplus, expectedBytes: limitBytes });
  } catch (error) {
    throw new ReadaheadError("lost", "A chunk of the object does not inflate: it is damaged", {
      cause: error,
    });
  }
}
