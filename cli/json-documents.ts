/**
 * Takes JSON documents out of text that arrives in pieces: one after another, pretty-printed or not, split anywhere,
 * with lines of other text between them (banners, warnings). Never throws on its input; counts what it could not use.
 *
 * A document begins with `{` as the first visible character of a line (or behind another document). A list of documents
 * is taken apart: each of its items is a document. One is given up, and counted as skipped, when it does not
 * parse, when a line break stands inside of a string, when a new document begins at the first column while it is still
 * open (cut output of an earlier run), or when it grows beyond {@link MAX_DOCUMENT_CHARACTERS}.
 */

/** A tail item is 256 KB of logs at most (platform limit per invocation); escapes and indentation make it longer. */
export const MAX_DOCUMENT_CHARACTERS = 4 * 1024 * 1024;

/** Feeds text in, gets values out. Holds one unfinished document at most. */
export interface JsonDocuments {
  /** Values of the documents that end in this piece, in order. */
  push(text: string): unknown[];
  /** Call at the end of the input: an unfinished document counts as skipped. */
  end(): void;
  /** Lines of other text, and documents that could not be read, so far. */
  readonly skipped: number;
}

/** @returns a reader for one input */
export function createJsonDocuments(): JsonDocuments {
  let document = "";
  let depth = 0;
  let inString = false;
  let escaped = false;
  /** Between documents: whether the current line holds other text, and whether that was counted. */
  let noise: "none" | "seen" | "counted" = "none";
  /** A bracket that may open a list of documents, or has. */
  let list: "none" | "bracket" | "open" = "none";
  let atLineStart = true;
  let skipped = 0;

  function giveUp(): void {
    skipped++;
    noise = "counted";
    list = "none";
    document = "";
    depth = 0;
    inString = false;
    escaped = false;
  }

  function finish(values: unknown[]): void {
    try {
      values.push(JSON.parse(document));
      document = "";
    } catch {
      giveUp();
    }
  }

  function between(character: string): void {
    if (character === "\n") {
      if (noise === "seen") skipped++;
      noise = "none";
    } else if (noise !== "none" || /\s/.test(character)) {
      return;
    } else if (character === "{") {
      document = character;
      depth = 1;
      if (list === "bracket") list = "open";
    } else if (character === "[" && list === "none") {
      list = "bracket";
    } else if (list === "open" && character === ",") {
      return;
    } else if (list === "open" && character === "]") {
      list = "none";
    } else {
      noise = "seen";
      list = "none";
    }
  }

  function inside(character: string, values: unknown[]): void {
    document += character;
    if (inString) {
      if (character === "\n") {
        giveUp();
        noise = "none";
      } else if (escaped) escaped = false;
      else if (character === "\\") escaped = true;
      else if (character === '"') inString = false;
    } else if (character === '"') {
      inString = true;
    } else if (character === "{" || character === "[") {
      depth++;
    } else if (character === "}" || character === "]") {
      depth--;
      if (depth === 0) finish(values);
    }
    if (document.length > MAX_DOCUMENT_CHARACTERS) giveUp();
  }

  return {
    push(text) {
      const values: unknown[] = [];
      for (const character of text) {
        if (depth > 0 && atLineStart && character === "{") {
          giveUp();
          noise = "none";
        }
        if (depth === 0) between(character);
        else inside(character, values);
        atLineStart = character === "\n";
      }
      return values;
    },
    end() {
      if (depth > 0) giveUp();
      else if (noise === "seen" || list === "bracket") skipped++;
      noise = "none";
      list = "none";
    },
    get skipped() {
      return skipped;
    },
  };
}
