/** What S3 clients ask of a bucket beyond HTTP: parts by number, and checksums, as far as an R2 binding knows of them. */
import { encodeBase64 } from "../../encoding/base64.ts";
import { ReadaheadError } from "../../errors.ts";
import type { ByteRange } from "../../readahead/byte-range.ts";
import type { Facts } from "../source.ts";
import type { R2ObjectHead } from "./binding.ts";

/**
 * The whole object as part 1, which is what S3 says of an object that was not uploaded in parts. It is said of one that was
 * (its tag ends with their number), too, because a binding does not tell where they lie: transfer managers ask for part 1
 * first, and learn that it is all there is.
 *
 * @throws ReadaheadError `unsatisfiable` for a part past the first; `unsupported` for such a part of an object uploaded in parts
 */
export function onePart(facts: Facts, part: number): ByteRange {
  const size = facts.size ?? 0;
  if (part > 1 && /-\d+"$/.test(facts.etag ?? ""))
    throw new ReadaheadError(
      "unsupported",
      "R2 bindings do not say where the parts of an upload lie",
    );
  if (part > 1) throw new ReadaheadError("unsatisfiable", "The object has one part", { size });
  return { start: 0, end: size };
}

/** The checksums that were given at upload, under S3's names. R2's own MD5 is not among S3's. */
export function checksumHeaders(object: R2ObjectHead): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of ["sha1", "sha256"] as const) {
    const bytes = object.checksums?.[name];
    if (bytes !== undefined)
      headers[`x-amz-checksum-${name}`] = encodeBase64(new Uint8Array(bytes));
  }
  return headers;
}
