/** Typed looks into parsed JSON of a filer or master: every wrong type is one clear `protocol` error. Pure. */
import { decodeBase64 } from "../../encoding/base64.ts";
import { ReadaheadError } from "../../errors.ts";
import { parseExactJson } from "./exact-json.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** A JSON object, or an error that names what it should have been. */
export function asFields(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new ReadaheadError("protocol", `The ${what} is no JSON object`);
}

/** The JSON object that a server's text is, with integers of any size (exact-json.ts). */
export function parseFields(text: string, what: string): Fields {
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch (error) {
    throw new ReadaheadError("protocol", `The ${what} is no JSON`, { cause: error });
  }
  return asFields(value, what);
}

/** The string, "" when absent or null. */
export function textField(fields: Fields, name: string): string {
  const value = fields[name] ?? "";
  if (typeof value === "string") return value;
  throw wrongType(name, value);
}

/** The boolean, false when absent or null. */
export function flagField(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value === "boolean") return value;
  throw wrongType(name, value);
}

/** An integer that a double holds exactly and that is not negative; 0 when absent or null. */
export function countField(fields: Fields, name: string): number {
  const value = fields[name] ?? 0;
  const count = typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value;
  if (typeof count === "number" && Number.isSafeInteger(count) && count >= 0) return count;
  throw wrongType(name, value);
}

/** An integer of any size; 0 when absent or null. */
export function integerField(fields: Fields, name: string): bigint {
  const value = fields[name] ?? 0;
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === "string" && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  throw wrongType(name, value);
}

/** Bytes from base64; `undefined` when absent, null or empty. */
export function bytesField(fields: Fields, name: string): Uint8Array<ArrayBuffer> | undefined {
  const text = textField(fields, name);
  if (text === "") return undefined;
  const bytes = decodeBase64(text);
  if (bytes === undefined) throw new ReadaheadError("protocol", `${name} is not base64`);
  return bytes;
}

/** Says what it is, not what it says: it may be a key. */
function wrongType(name: string, value: unknown): ReadaheadError {
  const type = value === null ? "null" : `of type ${typeof value}`;
  return new ReadaheadError("protocol", `The field ${name} cannot be ${type}`);
}
