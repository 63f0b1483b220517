import { describe, expect, it } from "vitest";
import { canonicalPath, canonicalQuery, canonicalRequest } from "../../../src/http/s3/canonical.ts";
import {
  type SigningKey,
  SigningKeys,
  stringToSign,
  verifyText,
} from "../../../src/http/s3/signing-key.ts";
import { s3Examples, suite, type Vector } from "./sigv4-vectors.ts";

async function sign(
  vector: Vector,
  at: Pick<typeof suite, "host" | "secret" | "amzDate" | "scope">,
): Promise<string> {
  const headers = new Map([
    ["host", at.host],
    ["x-amz-date", at.amzDate],
    ...Object.entries(vector.headers ?? {}),
  ]);
  const canonical = canonicalRequest({
    method: vector.method ?? "GET",
    path: canonicalPath(vector.path ?? "/") ?? "malformed",
    query: canonicalQuery(vector.query ?? "") ?? "malformed",
    signedHeaders: [...headers.keys()].toSorted(),
    header: (name) => headers.get(name),
    payloadHash: vector.payloadHash ?? s3Examples.emptyHash,
  });
  const key = await new SigningKeys().get("owner", at.secret, at.scope);
  return signText(key, await stringToSign(at.amzDate, at.scope, canonical));
}

async function signText(key: SigningKey, text: string): Promise<string> {
  const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text));
  return Buffer.from(signature).toString("hex");
}

describe("canonicalRequest", () => {
  it.each(suite.vectors)("signs as the AWS test suite does: $name", async (vector) => {
    expect(await sign(vector, suite)).toBe(vector.signature);
  });

  it.each(s3Examples.vectors)("signs as the S3 reference does: $name", async (vector) => {
    expect(await sign(vector, s3Examples)).toBe(vector.signature);
  });
});

describe("canonicalPath", () => {
  it.each([
    ["/a b", "/a%20b"],
    ["/a+b", "/a%2Bb"],
    ["/a%2bb", "/a%2Bb"],
    ["/a%2520b", "/a%2520b"],
    ["/%7Euser/%41", "/~user/A"],
    ["//two//slashes/", "//two//slashes/"],
    ["/%ff", "/%FF"],
    ["/日本", "/%E6%97%A5%E6%9C%AC"],
    ["", "/"],
  ])("%s becomes %s", (raw, canonical) => {
    expect(canonicalPath(raw)).toBe(canonical);
  });

  it.each(["/%", "/%1", "/%zz", "/a%2"])("has no form for the malformed %s", (raw) => {
    expect(canonicalPath(raw)).toBeUndefined();
  });
});

describe("canonicalQuery", () => {
  it("leaves the signature out, and nothing else", () => {
    expect(canonicalQuery("b=2&X-Amz-Signature=00&a=1&X-Amz-Signatur=1", "X-Amz-Signature")).toBe(
      "X-Amz-Signatur=1&a=1&b=2",
    );
  });

  it("sorts by encoded bytes, names before values", () => {
    expect(canonicalQuery("a-b=1&a=z&a=b&%61%2Fb=1&A=1")).toBe("A=1&a=b&a=z&a%2Fb=1&a-b=1");
  });

  it("gives a bare name an empty value and a plus sign the space", () => {
    expect(canonicalQuery("acl&prefix=a+b%2Bc")).toBe("acl=&prefix=a%20b%2Bc");
  });
});

describe("verifyText", () => {
  it("takes the right signature and no other, malformed ones included", async () => {
    const key = await new SigningKeys().get("owner", suite.secret, suite.scope);
    const signature = await signText(key, "text");
    expect(await verifyText(key, "text", signature)).toBe(true);
    expect(await verifyText(key, "texts", signature)).toBe(false);
    for (const wrong of [
      "",
      "00",
      signature.toUpperCase(),
      `${signature}00`,
      signature.slice(2),
      "zz",
    ])
      expect(await verifyText(key, "text", wrong)).toBe(false);
  });
});

describe("canonicalQuery of a client that writes carelessly", () => {
  it.each([
    ["&a=1&&b=2&", "a=1&b=2"],
    ["b=2&b=1&a", "a=&b=1&b=2"],
    ["a=%zz", undefined],
  ])("%j is %j", (query, expected) => {
    expect(canonicalQuery(query)).toBe(expected);
  });
});
