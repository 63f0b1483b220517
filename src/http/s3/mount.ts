/** What the configuration says of a mount with `protocol = "s3"`, and which bucket and key a request names. */
import { decodeSegment } from "../route.ts";

/** One access key that may read a bucket. */
export interface S3ClientCredential {
  readonly accessKeyId: string;
  /** Never logged. */
  readonly secretAccessKey: string;
  /** Key prefixes this access key may read and list; absent: the whole bucket. */
  readonly prefixes?: readonly string[] | undefined;
}

/** One bucket of the front. */
export interface S3FrontMount {
  /** The mount's prefix without its slashes. */
  readonly bucket: string;
  /** `public`: objects may be read without a signature (a wrong signature is refused all the same). */
  readonly access: "signed" | "public";
  /** Whether keys may be listed without a signature. */
  readonly listAccess: "signed" | "public";
  readonly credentials: readonly S3ClientCredential[];
  /** Regions accepted in a signature's scope; the first is the bucket's location. */
  readonly regions: readonly string[];
  /** Host names, without port, that name this bucket (virtual host style). Any other host is addressed by path. */
  readonly hosts: readonly string[];
}

function hostName(host: string): string {
  return host.replace(/:\d*$/, "").toLowerCase();
}

/** AWS's rule for bucket names, as far as it matters for telling a bucket from a word in a path. */
const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** What an S3 request is about; an empty key is the bucket itself. */
export interface FoundTarget<M extends S3FrontMount> {
  /** Still percent-encoded, exactly as sent; without the slash that ends the bucket. */
  readonly rawKey: string;
  /** Absent where no bucket that is mounted was named. */
  readonly mount?: M;
  /** How the bucket was named: by a configured host, by the path, or by the first label of the host. */
  readonly by: "host" | "path" | "label" | "nothing";
  /**
   * The host begins with the name of one bucket, the path with that of another. A client in virtual host style and one
   * that uses the path send the very same request then: no signature tells `x` of `logs` from `logs/x` of `media`.
   */
  readonly ambiguous?: true;
}

/**
 * The bucket and key that a host and a raw path name.
 *
 * A host of `hosts` wins; then a first path segment that is a mounted bucket; then a first host label that is one without
 * `hosts`.
 */
export function findTarget<M extends S3FrontMount>(
  mounts: readonly M[],
  host: string,
  rawPath: string,
): FoundTarget<M> {
  const name = hostName(host);
  const whole = rawPath.startsWith("/") ? rawPath.slice(1) : rawPath;
  const named = mounts.find((mount) => mount.hosts.includes(name));
  if (named !== undefined) return { rawKey: whole, mount: named, by: "host" };
  // As a signature reads a path: `/%6cogs/a` and `/logs%2Fa` are signed as `/logs/a` is.
  const [, spelled = "", rest = ""] = /^(.*?)(?:(?:\/|%2f)(.*))?$/is.exec(whole) ?? [];
  const first = decodeSegment(spelled);
  const inPath = mounts.find((mount) => mount.bucket === first);
  const label = mounts.find(
    (mount) => mount !== inPath && mount.hosts.length === 0 && name.startsWith(`${mount.bucket}.`),
  );
  if (inPath !== undefined) {
    const byPath = { rawKey: rest, mount: inPath, by: "path" } as const;
    return label === undefined ? byPath : { ...byPath, ambiguous: true };
  }
  if (label !== undefined) return { rawKey: whole, mount: label, by: "label" };
  return { rawKey: rest, by: "nothing" };
}

/** Whether a bucket of this name can be mounted. */
export function isBucketName(name: string): boolean {
  return bucketName.test(name) && !name.includes("..");
}
