/** Metadata that is malformed, odd, or too exact for doubles. */
import { describe, expect, it } from "vitest";
import { createPassHeaders } from "../../../src/sources/pass-headers.ts";
import { isRemoteOnly, parseEntry } from "../../../src/sources/seaweedfs/entry.ts";
import { parseExactJson } from "../../../src/sources/seaweedfs/exact-json.ts";
import {
  checksumHeaders,
  factsOf,
  quoteTag,
  seaweedfsPassHeaders,
} from "../../../src/sources/seaweedfs/facts.ts";
import { bucketOfPath, isHiddenPath, pathOfKey } from "../../../src/sources/seaweedfs/name.ts";
import { encryptionOf } from "../../../src/sources/seaweedfs/sse/encryption.ts";

const pass = createPassHeaders(seaweedfsPassHeaders);

function entryText(fields: Record<string, unknown>, chunks = "[]"): string {
  const all = {
    FullPath: "/a.bin",
    Mtime: "2026-01-02T03:04:05.123456789Z",
    FileSize: 100,
    ...fields,
  };
  return `${JSON.stringify(all).slice(0, -1)},"chunks":${chunks}}`;
}

describe("parseExactJson", () => {
  it("keeps large integers and touches no text that looks like them", () => {
    const text =
      '{"a_b":1790000000000000001,"c":"\\"a_b\\":1790000000000000001,","d":[12],"e": 12345678901234567890}';
    expect(parseExactJson(text)).toEqual({
      a_b: "1790000000000000001",
      c: '"a_b":1790000000000000001,',
      d: [12],
      e: "12345678901234567890",
    });
  });
});

describe("parseEntry", () => {
  it("keeps times of chunks apart that differ by one nanosecond", () => {
    const chunk = (ns: string) => `{"file_id":"1,0100000001","size":10,"modified_ts_ns":${ns}}`;
    const entry = parseEntry(
      entryText({}, `[${chunk("1790000000000000001")},${chunk("1790000000000000002")}]`),
    );
    expect(entry.chunks.map((one) => one.timestamp)).toEqual([
      1790000000000000001n,
      1790000000000000002n,
    ]);
  });

  it.each([
    ["no JSON", "nonsense"],
    ["an HTML page", "<html></html>"],
    ["a list", "[]"],
    ["no path", "{}"],
    ["a size that is no number", entryText({ FileSize: "many" })],
    ["a negative size", entryText({ FileSize: -1 })],
    ["a size beyond 2^53", '{"FullPath":"/a","FileSize":99999999999999999999}'],
    ["chunks that are no list", entryText({}, "{}")],
    ["a chunk without an id", entryText({}, '[{"size":1}]')],
    ["an id that does not parse", entryText({}, '[{"file_id":"3,x/../y","size":1}]')],
    [
      "chunks past the object's end",
      entryText({}, '[{"file_id":"1,0100000001","offset":60,"size":41}]'),
    ],
    [
      "a short cipher key",
      entryText({}, '[{"file_id":"1,0100000001","size":1,"cipher_key":"AAAA"}]'),
    ],
    [
      "a key that is not base64",
      entryText({}, '[{"file_id":"1,0100000001","size":1,"cipher_key":"?"}]'),
    ],
    ["a time that cannot be read", entryText({ Mtime: "yesterday" })],
    ["stored headers that are no object", entryText({ Extended: 5 })],
  ])("refuses %s as protocol", (_what, text) => {
    expect(() => parseEntry(text)).toThrow(expect.objectContaining({ kind: "protocol" }));
  });

  it("shows nothing of a file id or a field that it cannot read", () => {
    for (const text of [
      entryText({}, '[{"file_id":"3,01secretsecret","size":1}]'),
      entryText({}, '[{"file_id":"1,0100000001","size":1,"cipher_key":1234567890}]'),
    ])
      expect(() => parseEntry(text)).toThrow(
        expect.objectContaining({ message: expect.not.stringMatching(/secret|1234567890/) }),
      );
  });

  it("refuses encryption of a type it does not know", () => {
    const text = entryText({}, '[{"file_id":"1,0100000001","size":1,"sse_type":9}]');
    expect(() => parseEntry(text)).toThrow(expect.objectContaining({ kind: "unsupported" }));
  });

  it("takes the id from its message where there is no text", () => {
    const fid = '{"volume_id":3,"file_key":1,"cookie":1668298710}';
    const entry = parseEntry(entryText({}, `[{"size":1,"fid":${fid}}]`));
    expect(entry.chunks[0]?.fid).toBe("3,01637037d6");
  });

  it("names another identity whenever bytes or chunks change", () => {
    const one = '[{"file_id":"1,0100000001","size":10}]';
    const other = '[{"file_id":"1,0100000002","size":10}]';
    const identities = [
      entryText({}, one),
      entryText({}, other),
      entryText({}, '[{"file_id":"1,0200000001","size":10}]'),
      entryText({}, '[{"file_id":"1,0100000001","size":11}]'),
      entryText({}, '[{"file_id":"1,0100000001","size":10,"offset":1}]'),
      entryText({ FileSize: 2 ** 33 }, '[{"file_id":"1,0100000001","size":10,"offset":1}]'),
      entryText(
        { FileSize: 2 ** 33 },
        '[{"file_id":"1,0100000001","size":10,"offset":4294967297}]',
      ),
      entryText({}, '[{"file_id":"1,0100000001","size":10,"modified_ts_ns":1790000000000000001}]'),
      entryText({}, '[{"file_id":"1,0100000001","size":10,"modified_ts_ns":1790000000000000002}]'),
      entryText({ Content: "AAECAw==" }),
      entryText({ Content: "AAECBA==" }),
      entryText({ FileSize: 101 }, one),
      entryText({ Mtime: "2026-01-02T03:04:05.123456790Z" }, one),
    ].map((text) => parseEntry(text).identity);
    expect(new Set(identities).size).toBe(identities.length);
    expect(parseEntry(entryText({}, one)).identity).toBe(identities[0]);
  });
});

describe("factsOf", () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64");

  it("passes on what users stored, and nothing internal", () => {
    const entry = parseEntry(
      entryText({
        Mime: "text/x",
        Extended: {
          "X-Amz-Meta-Colour": base64("blue"),
          "Cache-Control": base64("max-age=60"),
          "Seaweed-X-Amz-ETag": base64("abc"),
          "Seaweed-Colour": base64("x"),
          "xattr-user": base64("x"),
          "x-seaweedfs-sse-s3-key": base64("secret"),
          "X-Amz-Tagging-env": base64("test"),
          "Content-Length": base64("5"),
          "Set-Cookie": base64("a=b"),
          "X-Amz-Tagging-Count": base64("a tag's value"),
          "X-Amz-Meta-Bad": base64("a\r\nInjected: yes"),
          "X-Amz-Meta-Place": base64("日本 é"),
          "X-Amz-Meta-Broken": Buffer.from([0x61, 0xff]).toString("base64"),
        },
      }),
    );
    const { headers, etag } = factsOf(entry, "s3", pass);
    expect(headers).toEqual({
      "content-type": "text/x",
      "x-amz-meta-colour": "blue",
      // Node writes a byte a character: these are the bytes that were stored.
      "x-amz-meta-place": Buffer.from("日本 é").toString("latin1"),
      "x-amz-tagging-count": "2",
      "cache-control": "max-age=60",
    });
    expect(etag).toBe('"abc"');
  });

  it.each([
    ["v1", "v1"],
    ["null", "null"],
    ["", undefined],
    ["a\nb", undefined],
    ["a\r\nInjected: yes", undefined],
    ["€", undefined],
    ["a b", undefined],
    ["\u0000", undefined],
  ])("tells the version id %j as %j: a header has to carry it", (id, told) => {
    const extended = { "Seaweed-X-Amz-Version-Id": base64(id) };
    const { versionId } = factsOf(parseEntry(entryText({ Extended: extended })), "s3", pass);
    expect(versionId).toBe(told);
  });

  it("tells the context and the bucket key of SSE-KMS, as the S3 gateway does", () => {
    const record = {
      keyId: "k1",
      encryptedDataKey: base64("sealed"),
      encryptionContext: { z: "1", "aws:s3:arn": "arn:aws:s3:::b/k" },
      bucketKeyEnabled: true,
      iv: Buffer.alloc(16).toString("base64"),
    };
    const headersOf = (kept: object) => {
      const text = base64(JSON.stringify(kept));
      const entry = parseEntry(entryText({ Extended: { "x-seaweedfs-sse-kms-key": text } }));
      return factsOf(entry, "s3", pass).headers;
    };
    expect(headersOf(record)).toMatchObject({
      "x-amz-server-side-encryption-context": base64('{"aws:s3:arn":"arn:aws:s3:::b/k","z":"1"}'),
      "x-amz-server-side-encryption-bucket-key-enabled": "true",
    });
    const plain = { "content-type": "application/octet-stream" };
    const without = { ...record, encryptionContext: null, bucketKeyEnabled: false };
    expect(headersOf(without)).toEqual(plain);
    expect(headersOf({ nonsense: true })).toEqual(plain);
  });

  it("never makes an entity tag that breaks a header", () => {
    const entry = parseEntry(entryText({ Extended: { "Seaweed-X-Amz-ETag": base64("a b\r\n") } }));
    expect(factsOf(entry, "s3", pass).etag).toBeUndefined();
  });
});

describe("pathOfKey", () => {
  it.each([
    ["", "a/b", "/a/b"],
    ["/buckets/x", "a//b", "/buckets/x/a/b"],
    ["/r", "ü ?#%", "/r/ü ?#%"],
    ["", "", undefined],
    ["", "a/", undefined],
    ["/r", "../x", undefined],
    ["/r", "a/./b", undefined],
    ["/r", "a\0b", undefined],
    ["/r", "\ud800", undefined],
  ])("below %j, %j is %j", (root, key, path) => {
    expect(pathOfKey(root, key)).toBe(path);
  });
});

describe("factsOf", () => {
  it("tells nothing of the cluster's own, whatever the mount passes on", () => {
    const kept = ["Seaweed-Owner", "x-seaweedfs-sse-s3-key", "xattr-user", "X-Own"];
    const extended = Object.fromEntries(kept.map((name) => [name, btoa("secret")]));
    const entry = parseEntry(entryText({ Extended: extended }));
    const { headers } = factsOf(entry, "filer", createPassHeaders(["s*", "x*"]));
    expect(headers).toEqual({ "x-own": "secret" });
  });
});

it.each([
  ["abc", '"abc"'],
  ['"abc"', '"abc"'],
  ["", undefined],
  ["a b", undefined],
  ["é", undefined],
])("the tag %j goes out as %j", (tag, quoted) => {
  expect(quoteTag(tag)).toBe(quoted);
});

describe("isHiddenPath", () => {
  const rules = { root: "", bucketsFolder: "/buckets", s3Names: false };
  it.each([
    ["/etc", true],
    ["/etc/iam/x", true],
    ["/etcetera/x", false],
    ["/topics/.system/log", true],
    ["/topics/.systematic", false],
    ["/buckets/.x/y", false],
  ])("%s, of the filer's own paths: %s", (path, hidden) => {
    expect(isHiddenPath(rules, path)).toBe(hidden);
    expect(isHiddenPath({ ...rules, root: "/etc/iam" }, "/etc/iam/x")).toBe(false);
  });

  it.each([
    ["/buckets/.x/y", true],
    ["/buckets/b/.uploads/1", true],
    ["/buckets/b/a/.uploads", false],
    ["/buckets/b/.uploadsof", false],
  ])("%s, of S3's keys: %s", (path, hidden) => {
    expect(isHiddenPath({ ...rules, root: "/buckets", s3Names: true }, path)).toBe(hidden);
  });
});

it("a path lies in a bucket where it goes on below one that can be", () => {
  expect(bucketOfPath("/buckets", "/buckets/b/a/c")).toEqual({ bucket: "/buckets/b", key: "a/c" });
  for (const path of ["/buckets/b", "/buckets/.b/c", "/bucketsof/b/c", "/b/c"])
    expect(bucketOfPath("/buckets", path), path).toBeUndefined();
});

describe("checksumHeaders", () => {
  it.each([
    ["x-amz-checksum-crc32", "AAAA", { "x-amz-checksum-crc32": "AAAA" }],
    ["X-Amz-Checksum-CRC32", "AAAA", { "x-amz-checksum-crc32": "AAAA" }],
    ["content-length", "0", {}],
    ["x-amz-checksum-a b", "AAAA", {}],
    ["x-amz-checksum-crc32", "a\nb", {}],
  ])("of %s %s", (algorithm, value, expected) => {
    const kept = {
      "x-seaweedfs-checksum-algorithm": btoa(algorithm),
      "x-seaweedfs-checksum-value": btoa(value),
    };
    expect(checksumHeaders(parseEntry(entryText({ Extended: kept })))).toEqual(expected);
  });
});

it("an entry ends so many seconds after it was made, or written where S3 lets it expire", () => {
  const times = { Crtime: "2026-01-01T00:00:00Z", Mtime: "2026-01-02T00:00:00Z", TtlSec: 60 };
  expect(parseEntry(entryText(times)).expires).toBe(Date.UTC(2026, 0, 1, 0, 1));
  const byS3 = { ...times, Extended: { "X-Seaweedfs-Expires-S3": btoa("true") } };
  expect(parseEntry(entryText(byS3)).expires).toBe(Date.UTC(2026, 0, 2, 0, 1));
});

it("an object of remote storage has the remote's tag, and one of no bytes is none", () => {
  const remote = (remote_size: number) =>
    parseEntry(entryText({ Remote: { remote_e_tag: "abc", remote_size } }));
  expect(isRemoteOnly(remote(100))).toBe(true);
  expect(factsOf(remote(100), "filer", pass).etag).toBe('"abc"');
  expect(isRemoteOnly(remote(0))).toBe(false);
});

it("a type is told by the name where none is stored", () => {
  const typeOf = (fields: object) =>
    factsOf(parseEntry(entryText({ ...fields })), "filer", pass).headers["content-type"];
  expect(typeOf({ FullPath: "/a.XML" })).toBe("text/xml; charset=utf-8");
  expect(typeOf({ FullPath: "/a.png" })).toBe("image/png");
  expect(typeOf({ FullPath: "/a.png", Mime: "x/y" })).toBe("x/y");
});

it("Go's zero time is no time", () => {
  expect(parseEntry(entryText({ Mtime: "0001-01-01T00:00:00Z" })).modified).toBeUndefined();
});

describe("encryptionOf", () => {
  it.each([
    [[1, 2, 3], "sse-c"],
    [[3, 2], "sse-kms"],
    [[3, 3, 1, 2, 2], "sse-kms"],
    [[3, 3, 2], "sse-s3"],
    [[0, 0, 0, 3], "sse-s3"],
    [[0], "none"],
  ])("of chunks of types %j is %s, as the gateway decides it", (types, type) => {
    const chunks = types.map((sse_type) => ({ file_id: "1,0100000001", sse_type }));
    const entry = parseEntry(entryText({}, JSON.stringify(chunks)));
    expect(encryptionOf(entry)).toEqual({ type, byEntry: type === "none" });
  });

  it.each([
    [{ "X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256" }, "sse-c"],
    [{ "x-seaweedfs-sse-c-iv": "iv" }, "sse-c"],
    [{ "x-seaweedfs-sse-kms-key": "{}" }, "sse-kms"],
    [{ "X-Amz-Server-Side-Encryption": "aws:kms" }, "sse-kms"],
    [
      {
        "X-Amz-Server-Side-Encryption": "other",
        "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key",
      },
      "sse-kms",
    ],
    [{ "x-seaweedfs-sse-s3-key": "{}" }, "sse-s3"],
    [{ "X-Amz-Server-Side-Encryption": "AES256" }, "sse-s3"],
    [{ "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key" }, "none"],
    [{ "X-Amz-Server-Side-Encryption": "" }, "none"],
  ])("of an entry with %j is %s", (kept, type) => {
    const named = Object.entries(kept).map(([name, text]) => [name, btoa(text)]);
    const entry = parseEntry(entryText({ Extended: Object.fromEntries(named) }));
    expect(encryptionOf(entry)).toEqual({ type, byEntry: true });
  });
});
