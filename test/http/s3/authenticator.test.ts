/** The Authenticator alone: AWS's own examples, and keys of several buckets. */
import { describe, expect, it } from "vitest";
import { Authenticator, type SignedParts } from "../../../src/http/s3/authenticate.ts";
import { S3Refusal } from "../../../src/http/s3/error.ts";
import type { S3FrontMount } from "../../../src/http/s3/mount.ts";
import { s3Examples } from "./sigv4-vectors.ts";

const exampleTime = Date.UTC(2013, 4, 24);

const minute = 60_000;

function exampleAuthenticator(now: number) {
  const mount: S3FrontMount = {
    bucket: "examplebucket",
    access: "signed",
    listAccess: "signed",
    credentials: [{ accessKeyId: s3Examples.accessKeyId, secretAccessKey: s3Examples.secret }],
    regions: ["us-east-1"],
    hosts: [s3Examples.host],
  };
  return new Authenticator([mount], () => now);
}

function oneKeyMount(bucket: string, secretAccessKey: string): S3FrontMount {
  return {
    bucket,
    access: "signed",
    listAccess: "signed",
    credentials: [{ accessKeyId: "A", secretAccessKey }],
    regions: [],
    hosts: [],
  };
}

function parts(
  path: string,
  query: string,
  headers: Record<string, string>,
  method = "GET",
): SignedParts {
  return {
    method,
    rawPath: path,
    rawQuery: query,
    query: new URLSearchParams(query),
    headers: new Headers(headers),
    host: s3Examples.host,
  };
}

async function refusal(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof S3Refusal) return error.code;
    throw error;
  }
  return undefined;
}

describe("Authenticator", () => {
  it.each(s3Examples.vectors)(
    "knows the sender of the S3 reference's example: $name",
    async (vector) => {
      const {
        path = "/",
        query = "",
        headers,
        signature,
        method,
      } = { method: "GET", ...vector } as {
        path?: string;
        query?: string;
        method: string;
        headers: Record<string, string>;
        signature: string;
      };
      const names = ["host", "x-amz-date", ...Object.keys(headers)].toSorted().join(";");
      const authorization = `AWS4-HMAC-SHA256 Credential=${s3Examples.accessKeyId}/20130524/us-east-1/s3/aws4_request,SignedHeaders=${names},Signature=${signature}`;
      const sent = { ...headers, "x-amz-date": s3Examples.amzDate, authorization };
      const identity = await exampleAuthenticator(exampleTime).identify(
        parts(path, query, sent, method),
      );
      expect(identity).toEqual({ kind: "key", accessKeyId: s3Examples.accessKeyId });
    },
  );

  it("knows the sender of the reference's presigned URL, for a day", async () => {
    const query = `${s3Examples.presignedQuery}&X-Amz-Signature=${s3Examples.presignedSignature}`;
    const at = (now: number) => exampleAuthenticator(now).identify(parts("/test.txt", query, {}));
    expect(await at(exampleTime)).toMatchObject({ kind: "key" });
    expect(await at(exampleTime + 24 * 60 * minute)).toMatchObject({ kind: "key" });
    expect(await refusal(at(exampleTime + 24 * 60 * minute + 1))).toBe("AccessDenied");
    expect(await refusal(at(exampleTime - 16 * minute))).toBe("AccessDenied");
    expect(await at(exampleTime - 14 * minute)).toMatchObject({ kind: "key" });
  });

  it.each([
    [[["a/"], ["b/"]], ["a/x", "b/x"], ["c/x"]],
    [[["a/"], undefined], ["a/x", "c/x"], []],
    [[undefined, ["a/"]], ["a/x", "c/x"], []],
  ])("adds up what a key that stands twice at a bucket may read: %j", (grants, may, mayNot) => {
    const mount = oneKeyMount("a", "x");
    const credentials = grants.map((prefixes) => ({
      accessKeyId: "A",
      secretAccessKey: "x",
      prefixes,
    }));
    const authenticator = new Authenticator([{ ...mount, credentials }]);
    const identity = { kind: "key", accessKeyId: "A" } as const;
    for (const key of may) expect(authenticator.mayRead(identity, mount, key), key).toBe(true);
    for (const key of mayNot) expect(authenticator.mayList(identity, mount, key), key).toBe(false);
  });

  it("takes a key in the regions of all its buckets", async () => {
    const query = `${s3Examples.presignedQuery}&X-Amz-Signature=${s3Examples.presignedSignature}`;
    const credentials = [
      { accessKeyId: s3Examples.accessKeyId, secretAccessKey: s3Examples.secret },
    ];
    const mounts = ["us-east-1", "eu-west-1"].map((region) => ({
      ...oneKeyMount(region, ""),
      credentials,
      regions: [region],
    }));
    const authenticator = new Authenticator(mounts, () => exampleTime);
    expect(await authenticator.identify(parts("/test.txt", query, {}))).toMatchObject({
      kind: "key",
    });
  });

  it("refuses one access key with two secrets", () => {
    expect(() => new Authenticator([oneKeyMount("a", "x"), oneKeyMount("b", "y")])).toThrow(
      TypeError,
    );
  });
});
