import { XMLParser, XMLValidator } from "fast-xml-parser";
import { describe, expect, it } from "vitest";
import { createHandler } from "../../../src/http/handler.ts";
import { createS3Front } from "../../../src/http/s3/front.ts";
import { createS3Source } from "../../../src/sources/s3.ts";
import { codeOf, signed, whole } from "./support.ts";

const regions = {
  media: ["us-east-1", "auto"],
  films: ["eu-north-1", "us-east-1"],
  "media-old": ["us-east-1"],
};

function setUp() {
  const source = createS3Source({ endpoint: "https://s3.example", bucket: "bucket" });
  const front = createS3Front({
    buckets: Object.entries(regions).map(([bucket, of]) => ({
      bucket,
      access: "signed",
      listAccess: "signed",
      regions: of,
      hosts: [],
      credentials: [whole],
      mount: { name: bucket, prefix: `/${bucket}/`, source },
    })),
  });
  const handle = createHandler({ mounts: [], fronts: [front] });
  return async (query: string) => handle(await signed(`/?${query}`));
}

interface Page {
  readonly Prefix?: string;
  readonly ContinuationToken?: string;
  readonly Buckets?: { readonly Bucket?: readonly { readonly Name: string }[] };
}

const parser = new XMLParser({ parseTagValue: false, isArray: (name) => name === "Bucket" });

async function pageOf(response: Response): Promise<Page> {
  const text = await response.text();
  expect(response.status, text).toBe(200);
  expect(XMLValidator.validate(text)).toBe(true);
  return parser.parse(text).ListAllMyBucketsResult;
}

const names = (page: Page) => page.Buckets?.Bucket?.map(({ Name }) => Name) ?? [];

describe("ListBuckets", () => {
  it.each([
    ["", ["films", "media", "media-old"]],
    ["prefix=media", ["media", "media-old"]],
    ["prefix=zzz", []],
    ["prefix=", ["films", "media", "media-old"]],
    ["bucket-region=eu-north-1", ["films"]],
    ["bucket-region=us-east-1", ["media", "media-old"]],
    ["bucket-region=us-east-1&prefix=media-", ["media-old"]],
    ["bucket-region=auto", []],
    ["max-buckets=10000", ["films", "media", "media-old"]],
  ])("answers %j with %j", async (query, expected) => {
    const page = await pageOf(await setUp()(query));
    expect(names(page)).toEqual(expected);
    expect(page).not.toHaveProperty("ContinuationToken");
  });

  it("repeats the prefix and names each bucket's region", async () => {
    const page = await pageOf(await setUp()("prefix=fil"));
    expect(page).toMatchObject({
      Prefix: "fil",
      Buckets: { Bucket: [{ Name: "films", BucketRegion: "eu-north-1" }] },
    });
  });

  it("pages by max-buckets and token, filters included", async () => {
    const ask = setUp();
    const walk = async (query: string) => {
      const found: string[] = [];
      let token: string | undefined = "";
      while (token !== undefined) {
        const page = await pageOf(await ask(`${query}&continuation-token=${token}`));
        expect(names(page)).toHaveLength(1);
        found.push(...names(page));
        token = page.ContinuationToken;
      }
      return found;
    };
    expect(await walk("max-buckets=1")).toEqual(["films", "media", "media-old"]);
    expect(await walk("max-buckets=1&prefix=media")).toEqual(["media", "media-old"]);
  });

  it.each([
    "max-buckets=0",
    "max-buckets=10001",
    "max-buckets=x",
    "max-buckets=",
    "continuation-token=_w",
  ])("refuses %s", async (query) => {
    const response = await setUp()(query);
    expect([response.status, await codeOf(response)]).toEqual([400, "InvalidArgument"]);
  });

  it("says NotImplemented to what it does not know", async () => {
    const response = await setUp()("marker=a");
    expect([response.status, await codeOf(response)]).toEqual([501, "NotImplemented"]);
  });
});
