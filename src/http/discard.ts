/** Letting go of bodies that nobody will read: none may stay open (the store would go on sending into it). */
import { discardBody } from "../readahead/body-reader.ts";
import type { OpenObject } from "../sources/source.ts";

/** The same object without its first answer, whose body is cancelled: for answers that start somewhere else. */
export function withoutFirst(object: OpenObject): OpenObject {
  if (object.first === undefined) return object;
  discardBody(object.first.body);
  // Methods are called on the original: it may be a class with private fields.
  return {
    facts: object.facts,
    verdict: object.verdict,
    rangeable: object.rangeable,
    s3Part: object.s3Part,
    ...(object.reserveBytes && { reserveBytes: object.reserveBytes.bind(object) }),
    read: (piece, range, request) => object.read(piece, range, request),
    ...(object.pieces && { pieces: object.pieces.bind(object) }),
    ...(object.pieceCount && { pieceCount: object.pieceCount.bind(object) }),
    ...(object.refresh && { refresh: object.refresh.bind(object) }),
    ...(object.replicas && { replicas: object.replicas.bind(object) }),
  };
}
