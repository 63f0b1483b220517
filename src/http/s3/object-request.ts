/** What GetObject and HeadObject ask for beside the key: version, part, overrides, customer keys, checksums. Pure. */
import { decodeBase64 } from "../../encoding/base64.ts";
import { md5Base64 } from "../../sources/md5.ts";
import type { ClientKeys } from "../../sources/source.ts";
import { S3Refusal } from "./error.ts";
import { overrides } from "./operation.ts";

/** The object request in our words. */
export interface ObjectRequest {
  readonly version: string | undefined;
  readonly s3PartNumber: number | undefined;
  readonly clientKeys: ClientKeys | undefined;
  readonly checksums: boolean;
  /** Response header to value; set on 200 and 206. Without those that are empty, as SeaweedFS has it. */
  readonly overrides: Readonly<Record<string, string>>;
}

/** AWS's largest part number. */
const mostParts = 10_000;
const ssec = "x-amz-server-side-encryption-customer-";

/**
 * @param signed Whether a signature held: overrides of an anonymous request are refused, as they would let anybody make
 * our origin serve any type
 * @throws S3Refusal `InvalidArgument` or `InvalidRequest`
 */
export function readObjectRequest(
  query: URLSearchParams,
  headers: Headers,
  signed: boolean,
): ObjectRequest {
  const set = Object.entries(overrides).flatMap(([name, header]) => {
    const value = query.get(name);
    return value === null || value === "" ? [] : [[header, value] as const];
  });
  if (set.length > 0 && !signed)
    throw new S3Refusal(
      "InvalidRequest",
      "Request specific response headers cannot be used for anonymous GET requests.",
    );
  const s3PartNumber = readPartNumber(query.get("partNumber"));
  if (s3PartNumber !== undefined && headers.has("range"))
    throw new S3Refusal(
      "InvalidRequest",
      "Cannot specify both Range header and partNumber query parameter",
    );
  const version = query.get("versionId") ?? undefined;
  if (version === "")
    throw new S3Refusal("InvalidArgument", "Version id cannot be the empty string", {
      ArgumentName: "versionId",
    });
  return {
    version,
    s3PartNumber,
    clientKeys: readClientKeys(headers),
    // Beside a range there is none to name, and a store may be asked once more for it.
    checksums:
      headers.get("x-amz-checksum-mode")?.toUpperCase() === "ENABLED" && !headers.has("range"),
    overrides: Object.fromEntries(
      set.map(([header, value]) => [header, headerValue(header, value)]),
    ),
  };
}

function readPartNumber(text: string | null): number | undefined {
  if (text === null) return undefined;
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > mostParts)
    throw new S3Refusal(
      "InvalidArgument",
      `Part number must be an integer between 1 and ${mostParts}, inclusive`,
      { ArgumentName: "partNumber" },
    );
  return number;
}

function readClientKeys(headers: Headers): ClientKeys | undefined {
  const algorithm = headers.get(`${ssec}algorithm`);
  const key = headers.get(`${ssec}key`);
  const keyMd5 = headers.get(`${ssec}key-md5`);
  if (algorithm === null && key === null && keyMd5 === null) return undefined;
  if (algorithm === null || key === null || keyMd5 === null)
    throw new S3Refusal(
      "InvalidArgument",
      "Requests specifying Server Side Encryption with Customer provided keys must provide the algorithm, the key and the key's MD5.",
    );
  if (algorithm !== "AES256")
    throw new S3Refusal("InvalidArgument", "The encryption algorithm must be AES256", {
      ArgumentName: `${ssec}algorithm`,
    });
  const bytes = decodeBase64(key);
  if (bytes?.byteLength !== 32)
    throw new S3Refusal(
      "InvalidArgument",
      "The secret key was invalid for the specified algorithm.",
    );
  if (md5Base64(bytes) !== keyMd5)
    throw new S3Refusal(
      "InvalidArgument",
      "The calculated MD5 hash of the key did not match the hash that was provided.",
      { ArgumentName: `${ssec}key-md5` },
    );
  return { algorithm, key, keyMd5 };
}

/** The value as a header has it, without blanks and line ends around it: a multipart answer writes it as it is. */
function headerValue(header: string, value: string): string {
  try {
    return new Headers([[header, value]]).get(header) ?? "";
  } catch {
    throw new S3Refusal("InvalidArgument", "A response header cannot have this value.", {
      ArgumentName: `response-${header}`,
    });
  }
}
