/**
 * ListBuckets: which of the buckets that the sender may see, and the XML of them. Pure.
 *
 * In order of their names, so that a token, the last name of the page before, says where the next one starts.
 */
import { formatToken, invalidArgument, noDate, owner, parseToken } from "./listing.ts";
import { element, optionalElement, xmlDocument } from "./xml.ts";

/** AWS's longest page of buckets. */
const mostBuckets = 10_000;

/** A bucket as the list shows it. */
export interface ListedBucket {
  readonly name: string;
  readonly region: string;
}

/** A request for the list in our words. */
export interface BucketsQuestion {
  readonly prefix: string | undefined;
  readonly region: string | undefined;
  /** Exclusive name that the page starts behind. */
  readonly after: string | undefined;
  readonly maxBuckets: number;
}

/** @throws S3Refusal `InvalidArgument` for a number or token that is none */
export function readBucketsQuestion(query: URLSearchParams): BucketsQuestion {
  const text = (name: string): string | undefined => query.get(name) || undefined;
  const most = query.get("max-buckets") ?? String(mostBuckets);
  if (!/^\d{1,5}$/.test(most) || Number(most) < 1 || Number(most) > mostBuckets)
    throw invalidArgument(
      "max-buckets",
      `Argument max-buckets must be an integer between 1 and ${mostBuckets}`,
    );
  const token = text("continuation-token");
  return {
    prefix: text("prefix"),
    region: text("bucket-region"),
    after: token === undefined ? undefined : parseToken(token),
    maxBuckets: Number(most),
  };
}

/** One page of the buckets as ListAllMyBucketsResult. Mounts have no date of creation; clients want one. */
export function formatBuckets(question: BucketsQuestion, buckets: readonly ListedBucket[]): string {
  const { prefix = "", region, after = "", maxBuckets } = question;
  const found = buckets
    .filter((bucket) => bucket.name.startsWith(prefix) && bucket.name > after)
    .filter((bucket) => region === undefined || bucket.region === region)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const page = found.slice(0, maxBuckets);
  const last = found.length > page.length ? page.at(-1) : undefined;
  return xmlDocument(
    element("ListAllMyBucketsResult", [
      owner,
      element(
        "Buckets",
        page.map((bucket) =>
          element("Bucket", [
            element("Name", bucket.name),
            element("CreationDate", new Date(noDate).toISOString()),
            element("BucketRegion", bucket.region),
          ]),
        ),
      ),
      ...optionalElement("Prefix", question.prefix),
      ...optionalElement("ContinuationToken", last && formatToken(last.name)),
    ]),
    true,
  );
}
