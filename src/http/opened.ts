/** An opened object as the handler hands it on to the engine: without its first answer, or on trial. */
import { ReadaheadError } from "../errors.ts";
import { discardBody } from "../readahead/body-reader.ts";
import type { OpenObject } from "../sources/source.ts";

/** The same object without its first answer, whose body is cancelled: for answers that start somewhere else. */
export function withoutFirst(object: OpenObject): OpenObject {
  if (object.first === undefined) return object;
  discardBody(object.first.body);
  return copyOf(object);
}

/**
 * An object that was opened by what is remembered of it. Until one read has borne that out, an answer that does not fit is
 * taken for one of another version: the handler opens the object anew then, at once, where the engine would ask for every
 * part of a window again and again.
 */
export function onTrial(object: OpenObject): OpenObject {
  let borneOut = false;
  return {
    ...copyOf(object),
    async read(piece, range, request) {
      try {
        const answer = await object.read(piece, range, request);
        borneOut = true;
        return answer;
      } catch (error) {
        if (borneOut || !(error instanceof ReadaheadError) || error.kind !== "protocol")
          throw error;
        const { message, replica, status } = error;
        throw new ReadaheadError("changed", message, { cause: error, replica, status });
      }
    },
  };
}

/**
 * Everything but `first` and `locked` (an object with the latter is refused before it gets here). Methods are called on
 * the original: it may be a class with private fields.
 */
function copyOf(object: OpenObject): OpenObject {
  return {
    facts: object.facts,
    verdict: object.verdict,
    rangeable: object.rangeable,
    s3Part: object.s3Part,
    ...(object.reserve && { reserve: object.reserve.bind(object) }),
    read: (piece, range, request) => object.read(piece, range, request),
    ...(object.pieces && { pieces: object.pieces.bind(object) }),
    ...(object.pieceCount && { pieceCount: object.pieceCount.bind(object) }),
    ...(object.refresh && { refresh: object.refresh.bind(object) }),
    ...(object.replicas && { replicas: object.replicas.bind(object) }),
  };
}
