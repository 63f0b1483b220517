/** Reads a text body that should be small, and no more of it than that. */

/**
 * The whole body as text, or `undefined` (the rest cancelled) when it is longer than `limitBytes`.
 *
 * @throws what reading the body rejects with
 */
export async function readBoundedText(
  body: ReadableStream<Uint8Array>,
  limitBytes: number,
): Promise<string | undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > limitBytes) {
      await reader.cancel().catch(() => {});
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}
