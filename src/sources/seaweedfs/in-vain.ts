/** Bytes that were fetched and reach no client: they count as waste. */
import type { ReadRequest } from "../source.ts";

type Told = Pick<ReadRequest, "observe" | "signal">;

/**
 * Reads what must be whole before a byte of it can be handed on. Where that comes to nothing (the body breaks off, does
 * not decrypt, has another checksum, or nobody wants it any more), all that had come is waste, and told once.
 *
 * @param read Is given what it calls with the bytes of each block
 */
export async function readOrWaste<T>(
  request: Told,
  read: (received: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  let bytes = 0;
  const tell = () => {
    tellWaste(request, bytes);
    bytes = 0;
  };
  // At once: a moment later the download may have ended, and its totals are out.
  request.signal.addEventListener("abort", tell, { once: true });
  try {
    return await read((more) => {
      bytes += more;
    });
  } catch (error) {
    tell();
    throw error;
  } finally {
    request.signal.removeEventListener("abort", tell);
  }
}

export function tellWaste({ observe }: Pick<Told, "observe">, bytes: number): void {
  if (bytes > 0) observe({ type: "wasted", at: performance.now(), bytes });
}
