/**
 * Method, key and query -> what is asked of S3. Pure. Knows what it answers, and refuses everything else by name: a
 * parameter that nobody here knows is taken for a sub-resource and never ignored, so that no `?acl` is answered with the
 * object.
 */
import { S3Refusal } from "./error.ts";

/** What the front answers. */
export type S3Operation =
  | { readonly kind: "object"; readonly method: "GET" | "HEAD" }
  | { readonly kind: "list"; readonly version: 1 | 2 }
  | { readonly kind: "head-bucket" }
  | { readonly kind: "location" }
  | { readonly kind: "list-buckets" };

/** Response headers that a signed request may set for its answer, by query parameter. */
export const overrides: Readonly<Record<string, string>> = {
  "response-cache-control": "cache-control",
  "response-content-disposition": "content-disposition",
  "response-content-encoding": "content-encoding",
  "response-content-language": "content-language",
  "response-content-type": "content-type",
  "response-expires": "expires",
};

/** SDKs name the operation in `x-id`; the X-Amz names are of the signature. */
const everywhere = new Set([
  "x-id",
  "x-amz-algorithm",
  "x-amz-checksum-mode",
  "x-amz-content-sha256",
  "x-amz-credential",
  "x-amz-date",
  "x-amz-expected-bucket-owner",
  "x-amz-expires",
  "x-amz-request-payer",
  "x-amz-signature",
  "x-amz-signedheaders",
  "x-amz-user-agent",
]);
const objectNames = new Set(["versionId", "partNumber", ...Object.keys(overrides)]);
const listNames = new Set(["prefix", "delimiter", "max-keys", "encoding-type"]);
const listNamesOf = {
  1: new Set(["marker"]),
  2: new Set(["list-type", "continuation-token", "start-after", "fetch-owner"]),
} as const;
const bucketsNames = new Set(["max-buckets", "continuation-token", "prefix", "bucket-region"]);

/**
 * @param level What the path names
 * @throws S3Refusal `MethodNotAllowed` for what writes, `NotImplemented` for sub-resources, `InvalidArgument` for a
 * parameter that is there twice
 */
export function readOperation(
  method: string,
  level: "service" | "bucket" | "object",
  query: URLSearchParams,
): S3Operation {
  if (method !== "GET" && method !== "HEAD")
    throw new S3Refusal(
      "MethodNotAllowed",
      "The specified method is not allowed against this resource: this endpoint only reads.",
      { Method: method, ResourceType: level.toUpperCase() },
    );
  const names = [...query.keys()].filter((name) => !everywhere.has(name.toLowerCase()));
  const seen = new Set<string>();
  const twice = names.find((name) => seen.has(name) || !seen.add(name));
  if (twice !== undefined)
    throw new S3Refusal("InvalidArgument", "A query parameter is there twice.", {
      ArgumentName: twice,
    });
  const operation = operationOf(method, level, names, query);
  const allowed = allowedNames(operation);
  const unknown = names.find((name) => !allowed(name));
  if (unknown !== undefined)
    throw new S3Refusal(
      "NotImplemented",
      "A parameter you provided implies functionality that is not implemented.",
      { Header: unknown },
    );
  return operation;
}

function operationOf(
  method: "GET" | "HEAD",
  level: "service" | "bucket" | "object",
  names: readonly string[],
  query: URLSearchParams,
): S3Operation {
  if (level === "object") return { kind: "object", method };
  if (level === "service") return { kind: "list-buckets" };
  if (method === "HEAD") return { kind: "head-bucket" };
  if (names.includes("location")) return { kind: "location" };
  const type = query.get("list-type");
  if (type !== null && type !== "2")
    throw new S3Refusal("InvalidArgument", "Invalid List Type specified in Request", {
      ArgumentName: "list-type",
      ArgumentValue: type,
    });
  return { kind: "list", version: type === null ? 1 : 2 };
}

function allowedNames(operation: S3Operation): (name: string) => boolean {
  switch (operation.kind) {
    case "object":
      return (name) => objectNames.has(name);
    case "list":
      return (name) => listNames.has(name) || listNamesOf[operation.version].has(name);
    case "location":
      return (name) => name === "location";
    case "head-bucket":
      return () => false;
    case "list-buckets":
      return (name) => bucketsNames.has(name);
    default:
      return operation satisfies never;
  }
}
