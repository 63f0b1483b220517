/**
 * Says who sent an S3 request: checks a claimed signature against the secrets of the mounts.
 *
 * The order matters: form (authorization.ts), time, key, signature; only after the signature holds does anybody learn
 * what the key may read (`mayRead`, `mayList`). A signature may be sent again while it is valid, as with AWS: it only
 * reads. The clock is the caller's, so tests can set it.
 */
import { emptyPayloadHash, readClaim, type SignatureClaim } from "./authorization.ts";
import { canonicalPath, canonicalQuery, canonicalRequest } from "./canonical.ts";
import { S3Refusal } from "./error.ts";
import type { S3FrontMount } from "./mount.ts";
import { SigningKeys, stringToSign, verifyText } from "./signing-key.ts";

/** What may be between a client's clock and ours; AWS's figure. */
const skewMs = 15 * 60 * 1000;

/** Who sent the request. */
export type Identity =
  | { readonly kind: "anonymous" }
  | { readonly kind: "key"; readonly accessKeyId: string };

interface KnownKey {
  readonly secret: string;
  /** Bucket to the prefixes allowed in it; `undefined`: all of it. */
  readonly grants: ReadonlyMap<string, readonly string[] | undefined>;
  readonly regions: ReadonlySet<string>;
}

/** The parts of a request that are signed, as the front received them. */
export interface SignedParts {
  readonly method: string;
  /** Path and query as sent: still encoded. */
  readonly rawPath: string;
  /** Without the question mark. */
  readonly rawQuery: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly host: string;
  /** What the client said in Accept-Encoding, where the edge replaced the header. */
  readonly clientAcceptEncoding?: string | undefined;
}

function collectKeys(mounts: readonly S3FrontMount[]): Map<string, KnownKey> {
  const keys = new Map<string, KnownKey>();
  for (const mount of mounts) {
    for (const credential of mount.credentials) {
      const known = keys.get(credential.accessKeyId);
      if (known !== undefined && known.secret !== credential.secretAccessKey)
        throw new TypeError(`One access key of bucket ${mount.bucket} has two different secrets`);
      const grants = new Map(known?.grants);
      const before = grants.get(mount.bucket);
      // The same key twice on one bucket: the grants add up.
      if (grants.has(mount.bucket) && (before === undefined || credential.prefixes === undefined))
        grants.set(mount.bucket, undefined);
      else
        grants.set(
          mount.bucket,
          credential.prefixes === undefined
            ? undefined
            : [...(before ?? []), ...credential.prefixes],
        );
      keys.set(credential.accessKeyId, {
        secret: credential.secretAccessKey,
        grants,
        regions: new Set([...(known?.regions ?? []), ...mount.regions]),
      });
    }
  }
  return keys;
}

/** Checks signatures for a set of mounts. One per Worker; keeps derived keys, nothing of a request. */
export class Authenticator {
  readonly #keys: ReadonlyMap<string, KnownKey>;
  readonly #location: string;
  readonly #signing = new SigningKeys();
  readonly #now: () => number;

  /** @throws TypeError when one access key is given two secrets */
  constructor(mounts: readonly S3FrontMount[], now: () => number = Date.now) {
    this.#keys = collectKeys(mounts);
    this.#location = mounts[0]?.regions[0] ?? "us-east-1";
    this.#now = now;
  }

  /**
   * The sender of a request.
   *
   * @throws S3Refusal when a signature is claimed and does not hold, whatever the request asks for
   */
  async identify(parts: SignedParts): Promise<Identity> {
    const claim = readClaim(parts.headers, parts.query);
    if (claim === undefined) return { kind: "anonymous" };
    this.#checkTime(claim);
    const known = this.#keys.get(claim.accessKeyId);
    if (known === undefined)
      throw new S3Refusal(
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
      );
    this.#checkRegion(claim, known);
    checkSignedHeaders(claim, parts.headers);
    if (!(await this.#holds(claim, known, parts)))
      throw new S3Refusal(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
      );
    if (
      isRead(parts.method) &&
      claim.payloadHash !== "UNSIGNED-PAYLOAD" &&
      claim.payloadHash !== emptyPayloadHash
    )
      throw new S3Refusal(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
      );
    return { kind: "key", accessKeyId: claim.accessKeyId };
  }

  /** Buckets a key may see, in the order of configuration. */
  buckets(identity: Identity): readonly string[] {
    if (identity.kind === "anonymous") return [];
    return [...(this.#keys.get(identity.accessKeyId)?.grants.keys() ?? [])];
  }

  /** Whether a key of a bucket may be read. */
  mayRead(identity: Identity, mount: S3FrontMount, key: string): boolean {
    if (mount.access === "public") return true;
    return this.granted(identity, mount.bucket, key);
  }

  /** Whether keys under a prefix may be listed. */
  mayList(identity: Identity, mount: S3FrontMount, prefix: string): boolean {
    if (mount.listAccess === "public") return true;
    return this.granted(identity, mount.bucket, prefix);
  }

  /** Whether the sender's access key was given this key or prefix of a bucket: what is public does not count. */
  granted(identity: Identity, bucket: string, text: string): boolean {
    if (identity.kind === "anonymous") return false;
    const grants = this.#keys.get(identity.accessKeyId)?.grants;
    if (grants === undefined || !grants.has(bucket)) return false;
    const prefixes = grants.get(bucket);
    return prefixes === undefined || prefixes.some((prefix) => text.startsWith(prefix));
  }

  #checkTime(claim: SignatureClaim): void {
    const now = this.#now();
    if (claim.expiresSeconds === undefined) {
      if (Math.abs(now - claim.signedAt) > skewMs)
        throw new S3Refusal(
          "RequestTimeTooSkewed",
          "The difference between the request time and the current time is too large.",
          {
            RequestTime: claim.amzDate,
            ServerTime: new Date(now).toISOString(),
            MaxAllowedSkewMilliseconds: String(skewMs),
          },
        );
      return;
    }
    if (claim.signedAt > now + skewMs)
      throw new S3Refusal("AccessDenied", "Request is not yet valid", {
        ServerTime: new Date(now).toISOString(),
      });
    const end = claim.signedAt + claim.expiresSeconds * 1000;
    if (now > end)
      throw new S3Refusal("AccessDenied", "Request has expired", {
        "X-Amz-Expires": String(claim.expiresSeconds),
        Expires: new Date(end).toISOString(),
        ServerTime: new Date(now).toISOString(),
      });
  }

  #checkRegion(claim: SignatureClaim, known: KnownKey): void {
    if (known.regions.has(claim.scope.region)) return;
    throw new S3Refusal(
      claim.by === "header" ? "AuthorizationHeaderMalformed" : "AuthorizationQueryParametersError",
      `The region '${claim.scope.region}' is wrong; expecting '${this.#location}'`,
      { Region: this.#location },
    );
  }

  async #holds(claim: SignatureClaim, known: KnownKey, parts: SignedParts): Promise<boolean> {
    const path = canonicalPath(parts.rawPath);
    // Beside the header it is refused: see readClaim.
    const query = canonicalQuery(parts.rawQuery, "X-Amz-Signature");
    if (path === undefined || query === undefined)
      throw new S3Refusal("InvalidURI", "Couldn't parse the specified URI.");
    const canonical = canonicalRequest({
      method: parts.method,
      path,
      query,
      signedHeaders: claim.signedHeaders,
      header: (name) => signedValue(name, parts),
      payloadHash: claim.payloadHash,
    });
    const key = await this.#signing.get(claim.accessKeyId, known.secret, claim.scope);
    return verifyText(
      key,
      await stringToSign(claim.amzDate, claim.scope, canonical),
      claim.signature,
    );
  }
}

function isRead(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

function signedValue(name: string, parts: SignedParts): string | null {
  if (name === "host") return parts.host;
  // Cloudflare rewrites Accept-Encoding on its way in and keeps the client's words in request.cf; SDKs for Go sign it.
  if (name === "accept-encoding" && parts.clientAcceptEncoding !== undefined)
    return parts.clientAcceptEncoding;
  const value = parts.headers.get(name);
  // AWS's CRT clients sign the length of no body; proxies (Go's, wrangler's) drop it. No body is read here.
  return value === null && name === "content-length" ? "0" : value;
}

/** Every `x-amz-*` header steers the answer: one that is not signed was perhaps not the client's. */
function checkSignedHeaders(claim: SignatureClaim, headers: Headers): void {
  const missing = [...headers.keys()].filter(
    (name) => name.startsWith("x-amz-") && !claim.signedHeaders.includes(name),
  );
  if (missing.length > 0)
    throw new S3Refusal(
      "AccessDenied",
      "There were headers present in the request which were not signed",
      { HeadersNotSigned: missing.join(", ") },
    );
}
