import { XMLParser, XMLValidator } from "fast-xml-parser";
import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../../src/errors.ts";
import { hostId } from "../../../src/http/s3/error.ts";
import {
  formatListing,
  formatLocation,
  formatToken,
  parseToken,
  readListQuestion,
} from "../../../src/http/s3/listing.ts";
import { element } from "../../../src/http/s3/xml.ts";
import { afterAll } from "../../../src/sources/key-order.ts";
import type { Source } from "../../../src/sources/source.ts";
import { ramp } from "../../support/object-bytes.ts";
import { codeOf, createEndpoint, signed } from "./support.ts";

const keys = ["a/1", "a/2", "b & <c>", "b+é %", "c/", "c/d/e", "z"];

interface Page {
  readonly [name: string]: unknown;
  readonly IsTruncated: string;
  readonly NextContinuationToken?: string;
  readonly NextMarker?: string;
  readonly Contents?: readonly { readonly Key: string }[];
  readonly CommonPrefixes?: readonly { readonly Prefix: string }[];
}

const parser = new XMLParser({
  parseTagValue: false,
  trimValues: false,
  isArray: (name) => name === "Contents" || name === "CommonPrefixes",
});

function setUp() {
  const endpoint = createEndpoint();
  for (const key of keys) endpoint.fake.space.store(key, { content: ramp, size: key.length });
  async function list(query: string): Promise<Page> {
    const response = await endpoint.ask(`/media?${query}`);
    expect(response.headers.get("x-request-id")).toBe(response.headers.get("x-amz-request-id"));
    const text = await response.text();
    expect(response.status, text).toBe(200);
    expect(XMLValidator.validate(text)).toBe(true);
    return parser.parse(text).ListBucketResult;
  }
  return { ...endpoint, list };
}

function names(page: Page): string[] {
  return [
    ...(page.Contents ?? []).map(({ Key }) => Key),
    ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
  ];
}

it.each([
  // Of a prefix that the store can have no keys for (MinIO), nothing is said of the bucket.
  [404, "Store answered 404 NoSuchBucket", "NoSuchBucket"],
  [400, "Store answered 400 InvalidObjectName", "NoSuchKey"],
])(
  "tells a bucket that the store does not have from its other refusals: %i",
  async (status, message, code) => {
    const missing = new ReadaheadError("not-found", message, { status });
    const source: Source = {
      open: () => Promise.reject(missing),
      list: () => Promise.reject(missing),
    };
    const response = await createEndpoint({ source }).ask("/media?list-type=2");
    expect([response.status, await codeOf(response)]).toEqual([404, code]);
  },
);

it("names the storage class that the store names", async () => {
  const source: Source = {
    open: () => Promise.reject(new Error("Not asked")),
    list: async () => ({
      entries: [
        { key: "cold", size: 1, storageClass: "GLACIER" },
        { key: "warm", size: 1 },
      ],
      prefixes: [],
    }),
  };
  const text = await (await createEndpoint({ source }).ask("/media?list-type=2")).text();
  expect(text).toMatch(/cold.*GLACIER.*warm.*STANDARD/);
});

describe("ListObjectsV2", () => {
  it("lists keys with sizes, tags and dates, escaped", async () => {
    const page = await setUp().list("list-type=2");
    expect(names(page)).toEqual(keys);
    expect(page).toMatchObject({
      KeyCount: "7",
      IsTruncated: "false",
      MaxKeys: "1000",
      Name: "media",
    });
    expect(page.Contents?.[2]).toMatchObject({
      Key: "b & <c>",
      Size: "7",
      ETag: '"v3"',
      LastModified: "2026-01-01T00:00:00.000Z",
      StorageClass: "STANDARD",
    });
  });

  it("encodes keys where asked", async () => {
    const page = await setUp().list("list-type=2&encoding-type=url&prefix=b");
    expect(names(page)).toEqual(["b%20%26%20%3Cc%3E", "b%2B%C3%A9%20%25"]);
    expect(page["EncodingType"]).toBe("url");
  });

  for (const limit of [1, 2, 3])
    for (const delimiter of ["", "&delimiter=/"])
      it(`pages by ${limit}${delimiter}, each name once`, async () => {
        const { list } = setUp();
        const seen: string[] = [];
        let token: string | undefined;
        do {
          const more =
            token === undefined ? "" : `&continuation-token=${encodeURIComponent(token)}`;
          const page = await list(`list-type=2&max-keys=${limit}${delimiter}${more}`);
          expect(names(page).length).toBeLessThanOrEqual(limit);
          seen.push(...names(page));
          token = page.NextContinuationToken;
        } while (token !== undefined && seen.length < 20);
        const expected = delimiter === "" ? keys : ["a/", "b & <c>", "b+é %", "c/", "z"];
        expect(seen.toSorted()).toEqual(expected.toSorted());
      });

  it("encodes what it repeats where asked, and counts folders", async () => {
    const page = await setUp().list(
      "list-type=2&encoding-type=url&prefix=c%2F&delimiter=%2Fe%20&start-after=c%20",
    );
    expect(page).toMatchObject({ Prefix: "c/", Delimiter: "/e%20", StartAfter: "c%20" });
    const blank = await setUp().list("list-type=2&encoding-type=url&prefix=b%20");
    expect(blank).toMatchObject({ Prefix: "b%20" });
    expect(await setUp().list("list-type=2&delimiter=/")).toMatchObject({ KeyCount: "5" });
  });

  it("starts after a key, and owes owners only on request", async () => {
    const { list } = setUp();
    const page = await list("list-type=2&start-after=c/&fetch-owner=true");
    expect(names(page)).toEqual(["c/d/e", "z"]);
    expect(page).toMatchObject({ StartAfter: "c/" });
    expect(page.Contents?.[0]).toHaveProperty("Owner");
    expect((await list("list-type=2")).Contents?.[0]).not.toHaveProperty("Owner");
  });

  it("gives nothing for no keys, without asking", async () => {
    const { list, fake } = setUp();
    expect(names(await list("list-type=2&max-keys=0"))).toEqual([]);
    expect(fake.seen).toHaveLength(0);
    expect(names(await list("list-type=2&prefix=nothing"))).toEqual([]);
  });

  it.each(["max-keys=x", "max-keys=-1", "encoding-type=xml", "continuation-token=%C3%BC"])(
    "refuses %s",
    async (query) => {
      const response = await setUp().ask(`/media?list-type=2&${query}`);
      expect([response.status, await codeOf(response)]).toEqual([400, "InvalidArgument"]);
    },
  );
});

describe("ListObjects", () => {
  it("pages by marker, prefixes included", async () => {
    const { list } = setUp();
    const seen: string[] = [];
    let marker: string | undefined = "";
    do {
      const page = await list(`delimiter=/&max-keys=1&marker=${encodeURIComponent(marker)}`);
      seen.push(...names(page));
      marker = page.NextMarker;
    } while (marker !== undefined && seen.length < 20);
    expect(seen).toEqual(["a/", "b & <c>", "b+é %", "c/", "z"]);
  });

  it("tells the owner and repeats the marker", async () => {
    const page = await setUp().list("marker=c/");
    expect(page).toMatchObject({ Marker: "c/" });
    expect(names(page)).toEqual(["c/d/e", "z"]);
    expect(page.Contents?.[0]).toHaveProperty("Owner");
  });
});

describe("formatListing", () => {
  it("gives a next marker as the prefix it is, where keys are rolled up only", () => {
    const next = `a/${afterAll}`;
    const page = { entries: [{ key: "a/", size: 0 }], prefixes: [], next };
    const marker = (query: string) => {
      const question = readListQuestion(1, new URLSearchParams(query));
      return parser.parse(formatListing("media", question, page)).ListBucketResult.NextMarker;
    };
    expect(marker("delimiter=/")).toBe("a/");
    expect(marker("")).toBe(next);
  });
});

it("names controls in a key by reference, and no other character that text may have", () => {
  const { xml } = element("Key", "a\r\u0001<é🙂>\ufffe");
  expect(xml).toBe("<Key>a&#xd;&#x1;&lt;é🙂&gt;&#xfffe;</Key>");
});

it("an id that is no ASCII has a second id all the same", () => {
  expect(atob(hostId("ray-日"))).toBe("edge-readahead/ray-?");
});

it("a token brings back any key", () => {
  for (const key of ["\ufeffa", "\ufffd", "é/🙂 +", afterAll])
    expect(parseToken(formatToken(key))).toBe(key);
});

it("a location in us-east-1 has no name", () => {
  expect(formatLocation("us-east-1")).toMatch(/<LocationConstraint[^>]*\/>/);
  expect(formatLocation("eu-west-1")).toContain(">eu-west-1<");
});

describe("readListQuestion", () => {
  const read = (version: 1 | 2, query: string) =>
    readListQuestion(version, new URLSearchParams(query));

  it("asks the store for a thousand keys at most, and takes what is empty for absent", () => {
    expect(read(2, "max-keys=1001&delimiter=&start-after=&marker=")).toMatchObject({
      maxKeys: 1000,
      delimiter: undefined,
      after: undefined,
    });
  });

  it("takes a marker for a rolled-up prefix only where it can be one", () => {
    const after = (query: string) => read(1, `delimiter=/&${query}`).after;
    expect(after("prefix=a/&marker=a/b/")).toBe(`a/b/${afterAll}`);
    expect(after("prefix=a/&marker=a/")).toBe("a/");
    expect(after("prefix=b/&marker=a/")).toBe("a/");
    expect(after("marker=a")).toBe("a");
  });
});

describe("sources without lists", () => {
  it("say NotImplemented", async () => {
    const source = { open: async () => Promise.reject(new Error("not asked")) };
    for (const query of ["list-type=2", "list-type=2&max-keys=0"]) {
      const response = await createEndpoint({ source }).ask(`/media?${query}`);
      expect([response.status, await codeOf(response)]).toEqual([501, "NotImplemented"]);
    }
  });
});

describe("a list whose client leaves", () => {
  it("is no failure of ours", async () => {
    const leaving = new AbortController();
    const left = createEndpoint({
      source: {
        open: () => Promise.reject(new Error("Nobody opens anything")),
        list: (_prefix, { signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
            leaving.abort();
          }),
      },
    });
    const request = new Request(await signed("/media?list-type=2"), { signal: leaving.signal });
    const response = await left.fetch(request);
    expect([response.status, response.body]).toEqual([499, null]);
  });
});
