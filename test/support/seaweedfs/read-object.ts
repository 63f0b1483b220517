/** Reads an open object piece by piece, without the engine: no retries, no window. */
import type { ByteRange } from "../../../src/readahead/byte-range.ts";
import { intersect } from "../../../src/readahead/byte-range.ts";
import type { OpenObject, OpenRequest, Source } from "../../../src/sources/source.ts";
import { readAll } from "../bodies.ts";
import { createTestDownload, type TestDownload } from "../permits.ts";

/** Bytes of the range. Throws what a read throws, and for a body of another length than asked. */
export async function readRange(
  object: OpenObject,
  range: ByteRange,
  download: TestDownload,
): Promise<Uint8Array> {
  const result = new Uint8Array(range.end - range.start);
  let at = range.start;
  for await (const piece of object.pieces?.(range, download) ?? []) {
    const part = intersect(piece.range, range);
    if (part === undefined) continue;
    if (part.start !== at) throw new Error(`A piece starts at ${part.start}, not at ${at}`);
    at = part.end;
    if (piece.kind === "zeros") continue;
    const offset = part.start - range.start;
    if (piece.kind === "literal") {
      const from = part.start - piece.range.start;
      result.set(piece.bytes.subarray(from, from + part.end - part.start), offset);
      continue;
    }
    const request = { ...download, tried: () => false, suspect: () => false };
    const answer = await object.read(piece, part, request);
    const bytes = new Uint8Array(await readAll(answer.body));
    await answer.decode?.(bytes);
    if (bytes.byteLength !== part.end - part.start)
      throw new Error(`${bytes.byteLength} bytes came for [${part.start}, ${part.end})`);
    result.set(bytes, offset);
  }
  if (at !== range.end) throw new Error(`The pieces end at ${at}, not at ${range.end}`);
  return result;
}

/** Opens a key and reads the range, or everything. */
export async function readKey(
  source: Source,
  key: string,
  range?: ByteRange,
  more: Partial<OpenRequest> = {},
): Promise<Uint8Array> {
  const download = createTestDownload();
  const object = await source.open(key, { ...download, want: "facts", ...more });
  const size = object.facts.size ?? 0;
  return readRange(object, range ?? { start: 0, end: size }, download);
}
