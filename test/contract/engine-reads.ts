/** Reads of an opened object as the engine makes them, without its window: one stretch after the other. */
import { expect } from "vitest";
import { type ByteRange, byteLength, intersect } from "../../src/readahead/byte-range.ts";
import type {
  Body,
  CallContext,
  OpenObject,
  ReadRequest,
  StoredPiece,
} from "../../src/sources/source.ts";
import { readAll } from "../support/bodies.ts";

/** The first attempt at a part, in a download that has met no trouble. */
export function attemptIn(download: CallContext): ReadRequest {
  return { ...download, tried: () => false, suspect: () => false };
}

/** Bytes of the object, piece by piece, literals and holes included. */
export async function readPieces(
  object: OpenObject,
  range: ByteRange,
  download: CallContext,
): Promise<Uint8Array> {
  const whole: StoredPiece = {
    kind: "stored",
    range: { start: 0, end: object.facts.size ?? range.end },
  };
  const pieces = object.pieces?.(range, download) ?? [whole];
  const result = new Uint8Array(byteLength(range));
  for await (const piece of pieces) {
    const part = intersect(piece.range, range);
    if (part === undefined) continue;
    const offset = part.start - range.start;
    if (piece.kind === "stored") {
      const answer = await object.read(piece, part, attemptIn(download));
      const bytes = await readAll(answer.body);
      expect(bytes.length, `bytes of [${part.start}, ${part.end})`).toBe(byteLength(part));
      result.set(bytes, offset);
    } else if (piece.kind === "literal") {
      const from = part.start - piece.range.start;
      result.set(piece.bytes.subarray(from, from + byteLength(part)), offset);
    }
  }
  return result;
}

/** The body that begins with the range: what came with open(), or the answer to a read. */
export async function bodyAt(
  object: OpenObject,
  range: ByteRange,
  download: CallContext,
): Promise<Body> {
  if (object.first !== undefined) return object.first.body;
  for await (const piece of object.pieces?.(range, download) ?? []) {
    if (piece.kind !== "stored") break;
    const part = intersect(piece.range, range) ?? range;
    return (await object.read(piece, part, attemptIn(download))).body;
  }
  throw new Error("Nothing is stored where the range begins");
}

/** The bytes wanted at open(), through `first` and then read(). */
export async function readJoined(
  object: OpenObject,
  range: ByteRange,
  download: CallContext,
): Promise<Uint8Array> {
  if (object.first === undefined) return readPieces(object, range, download);
  expect(object.first.range.start).toBe(range.start);
  const head = await readAll(object.first.body);
  if (Number.isFinite(object.first.range.end))
    expect(head.length, "bytes of first").toBe(byteLength(object.first.range));
  if (head.length >= byteLength(range)) return head.subarray(0, byteLength(range));
  const start = range.start + head.length;
  const rest = await readPieces(object, { start, end: range.end }, download);
  const all = new Uint8Array(byteLength(range));
  all.set(head);
  all.set(rest, head.length);
  return all;
}
