/** Request fields of a ranged read: which bytes, of which version, under which conditions of the client. */
import type { Facts, OpenRequest, Pin, Want } from "./source.ts";

/** Half-open range -> Range field (RFC 9110 14.1.2, both ends inclusive). */
export function rangeHeader(want: Exclude<Want, "facts">): string {
  if ("suffix" in want) return `bytes=-${want.suffix}`;
  return `bytes=${want.start}-${want.end === undefined ? "" : want.end - 1}`;
}

/** If-Match or If-Unmodified-Since: a changed object answers 412 and sends no byte of the other version. */
export function pinHeaders({ pin }: Facts): Record<string, string> {
  const field = pin && pinFields[pin.by];
  return pin && field ? { [field]: pin.value } : {};
}

/** A version id is not a thing of plain HTTP; such facts come from another source. */
const pinFields: Readonly<Record<Pin["by"], string | undefined>> = {
  etag: "if-match",
  "last-modified": "if-unmodified-since",
  "version-id": undefined,
};

/** The client's conditions: the origin judges them by the same rules, with its own validators. */
export function conditionHeaders(request: OpenRequest): Record<string, string> {
  return Object.fromEntries(request.conditions ?? []);
}
