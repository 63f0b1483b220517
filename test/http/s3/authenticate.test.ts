import { describe, expect, it } from "vitest";
import { s3Examples } from "./sigv4-vectors.ts";
import { codeOf, createEndpoint, origin, type SignOptions, signed, whole } from "./support.ts";

const minute = 60_000;

/** Sends what was signed after an edit, and tells the answer. */
async function tampered(
  edit: (request: Request) => Request,
  options: SignOptions = {},
  path = "/media/key",
): Promise<string> {
  const endpoint = createEndpoint();
  endpoint.fake.space.store("key", { content: { kind: "ramp" }, size: 10 });
  const response = await endpoint.fetch(edit(await signed(path, options)));
  const answer = response.ok ? "OK" : `${response.status} ${await codeOf(response)}`;
  if (!response.ok) expect(endpoint.fake.seen).toHaveLength(0);
  return answer;
}

function withHeader(name: string, value: string | undefined) {
  return (request: Request) => {
    const headers = new Headers(request.headers);
    if (value === undefined) headers.delete(name);
    else headers.set(name, value);
    return new Request(request.url, { method: request.method, headers });
  };
}

function withUrl(edit: (url: string) => string) {
  return (request: Request) =>
    new Request(edit(request.url), { method: request.method, headers: request.headers });
}

function withAuthorization(edit: (text: string) => string) {
  return (request: Request) =>
    withHeader("authorization", edit(request.headers.get("authorization") ?? ""))(request);
}

describe("a signed request", () => {
  const mismatch = "403 SignatureDoesNotMatch";
  const malformed = "400 AuthorizationHeaderMalformed";
  it.each<[string, (request: Request) => Request, string]>([
    ["is taken as it is", (request) => request, "OK"],
    ["another key", withUrl((url) => url.replace("/key", "/kez")), mismatch],
    ["another bucket", withUrl((url) => url.replace("/media", "/other")), mismatch],
    ["the key encoded twice", withUrl((url) => url.replace("key", "%256Bey")), mismatch],
    ["a query added", withUrl((url) => `${url}?versionId=1`), mismatch],
    [
      "another method",
      (r) => new Request(r.url, { method: "HEAD", headers: r.headers }),
      "403 undefined",
    ],
    ["a signed header changed", withHeader("x-amz-content-sha256", "0".repeat(64)), mismatch],
    ["a signed header gone", withHeader("x-amz-date", undefined), "403 AccessDenied"],
    [
      "an x-amz header that is not signed",
      withHeader("x-amz-checksum-mode", "ENABLED"),
      "403 AccessDenied",
    ],
    ["a header that need not be signed", withHeader("range", "bytes=0-1"), "OK"],
    ["the day moved in the date alone", withHeader("x-amz-date", "20200101T000000Z"), malformed],
    ["the host changed", withHeader("host", "evil.example"), mismatch],
    ["a date that is none", withHeader("x-amz-date", "20260231T000000Z"), "403 AccessDenied"],
    ["no payload hash", withHeader("x-amz-content-sha256", undefined), "400 InvalidRequest"],
    ["a payload hash that is none", withHeader("x-amz-content-sha256", "x"), "400 InvalidArgument"],
    [
      "the last digit of the signature",
      withAuthorization((text) => text.replace(/.$/, (d) => (d === "0" ? "1" : "0"))),
      mismatch,
    ],
    [
      "the first digit of the signature",
      withAuthorization((text) =>
        text.replace(/Signature=./, (d) => (d.endsWith("0") ? "Signature=1" : "Signature=0")),
      ),
      mismatch,
    ],
    [
      "an upper-case signature",
      withAuthorization((text) =>
        text.replace(/Signature=(.*)/, (_, s: string) => `Signature=A${s.slice(1)}`),
      ),
      mismatch,
    ],
    [
      "an empty signature",
      withAuthorization((text) => text.replace(/Signature=.*/, "Signature=")),
      mismatch,
    ],
    [
      "another region in the scope",
      withAuthorization((text) => text.replace("us-east-1", "auto")),
      mismatch,
    ],
    [
      "a region that is not ours",
      withAuthorization((text) => text.replace("us-east-1", "eu-1")),
      malformed,
    ],
    [
      "another service in the scope",
      withAuthorization((text) => text.replace("/s3/", "/sts/")),
      malformed,
    ],
    [
      "another day in the scope",
      withAuthorization((text) => text.replace(/\/\d{8}\//, "/20200101/")),
      malformed,
    ],
    [
      "another end of the scope",
      withAuthorization((text) => text.replace("aws4_request", "aws5_request")),
      malformed,
    ],
    ["no access key", withAuthorization((text) => text.replace("AKWHOLE", "")), malformed],
    [
      "another access key",
      withAuthorization((text) => text.replace("AKWHOLE", "AKREPORTS")),
      mismatch,
    ],
    [
      "an unknown access key",
      withAuthorization((text) => text.replace("AKWHOLE", "AKNOBODY")),
      "403 InvalidAccessKeyId",
    ],
    [
      "SignedHeaders without host",
      withAuthorization((text) => text.replace("host;", "")),
      malformed,
    ],
    [
      "SignedHeaders in another order",
      withAuthorization((text) =>
        text.replace("host;x-amz-content-sha256", "x-amz-content-sha256;host"),
      ),
      malformed,
    ],
    [
      "SignedHeaders in capitals",
      withAuthorization((text) => text.replace("host;", "Host;")),
      malformed,
    ],
    [
      "SignedHeaders with one more",
      withAuthorization((text) => text.replace("host;", "host;range;")),
      mismatch,
    ],
    [
      "SignedHeaders with one twice",
      withAuthorization((text) => text.replace("host;", "host;host;")),
      malformed,
    ],
    ["a field more", withAuthorization((text) => `${text}, Other=1`), malformed],
    ["a field twice", withAuthorization((text) => `${text}, Signature=00`), malformed],
    ["a field gone", withAuthorization((text) => text.replace(/, Signature=.*/, "")), malformed],
    ["fields without blanks", withAuthorization((text) => text.replaceAll(", ", ",")), "OK"],
    [
      "a credential cut short",
      withAuthorization((text) => text.replace("/aws4_request", "")),
      malformed,
    ],
    [
      "no kind",
      withAuthorization((text) => text.replace("AWS4-HMAC-SHA256 ", "")),
      "400 InvalidArgument",
    ],
    ["Bearer", withHeader("authorization", "Bearer abc"), "400 InvalidArgument"],
    ["SigV2", withHeader("authorization", "AWS AKWHOLE:c2ln"), "400 InvalidRequest"],
    [
      "SigV2 in the query",
      withUrl((url) => `${url}?AWSAccessKeyId=A&Signature=B&Expires=1`),
      "400 InvalidRequest",
    ],
    [
      "SigV4A",
      withAuthorization((text) => text.replace("HMAC-SHA256", "ECDSA-P256-SHA256")),
      "400 InvalidRequest",
    ],
    ["a directory bucket's token", withHeader("x-amz-s3session-token", "t"), "400 InvalidToken"],
    ["a session token", withHeader("x-amz-security-token", "t"), "400 InvalidToken"],
    [
      "a session token in the query",
      withUrl((url) => `${url}?X-Amz-Security-Token=t`),
      "400 InvalidToken",
    ],
    [
      "a chunked upload",
      withHeader("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
      "501 NotImplemented",
    ],
    ["an aws-chunked body", withHeader("content-encoding", "aws-chunked"), "501 NotImplemented"],
    [
      "both kinds of signature",
      withUrl((url) => `${url}?X-Amz-Signature=00`),
      "400 InvalidArgument",
    ],
  ])("%s", async (_, edit, expected) => {
    expect(await tampered(edit)).toBe(expected);
  });

  it.each<[string, SignOptions, string]>([
    ["with another secret", { client: { ...whole, secretAccessKey: "x" } }, mismatch],
    ["for another region", { region: "eu-west-1" }, malformed],
    ["for another service", { service: "execute-api" }, "400 InvalidRequest"],
    ["14 minutes ago", { at: Date.now() - 14 * minute }, "OK"],
    ["in 14 minutes", { at: Date.now() + 14 * minute }, "OK"],
    ["16 minutes ago", { at: Date.now() - 16 * minute }, "403 RequestTimeTooSkewed"],
    ["in 16 minutes", { at: Date.now() + 16 * minute }, "403 RequestTimeTooSkewed"],
    [
      "with the hash of nothing",
      { headers: { "x-amz-content-sha256": s3Examples.emptyHash } },
      "OK",
    ],
    [
      "with the hash of something",
      { headers: { "x-amz-content-sha256": "0".repeat(64) } },
      "400 XAmzContentSHA256Mismatch",
    ],
    [
      "with the hash of something, for HEAD",
      { method: "HEAD", headers: { "x-amz-content-sha256": "0".repeat(64) } },
      "400 undefined",
    ],
  ])("signed %s", async (_, options, expected) => {
    expect(await tampered((request) => request, options)).toBe(expected);
  });

  it("holds when sent again while it is valid", async () => {
    const endpoint = createEndpoint();
    endpoint.fake.space.store("key", { content: { kind: "ramp" }, size: 10 });
    const request = await signed("/media/key");
    for (let i = 0; i < 2; i++) expect((await endpoint.fetch(request.clone())).status).toBe(200);
  });

  it("holds on the next day, too, and 15 minutes off to the millisecond", async () => {
    let now = Date.UTC(2026, 10, 23, 12);
    const endpoint = createEndpoint({ now: () => now });
    endpoint.fake.space.store("key", { content: { kind: "ramp" }, size: 10 });
    for (const hours of [0, 24, 48]) {
      now += hours * 60 * minute;
      for (const off of [-15 * minute, 0, 15 * minute]) {
        const response = await endpoint.ask("/media/key", { at: now + off });
        expect(response.status).toBe(200);
        await response.arrayBuffer();
      }
    }
  });

  it("counts the length of no body as 0 where a proxy has dropped the header", async () => {
    const endpoint = createEndpoint();
    endpoint.fake.space.store("key", { content: { kind: "ramp" }, size: 10 });
    const sent = await signed("/media/key", { headers: { "content-length": "0" } });
    const headers = new Headers(sent.headers);
    expect(headers.get("authorization")).toContain("content-length");
    headers.delete("content-length");
    expect((await endpoint.fetch(new Request(sent.url, { headers }))).status).toBe(200);
    headers.set("content-length", "1");
    expect((await endpoint.fetch(new Request(sent.url, { headers }))).status).toBe(403);
  });

  it("counts the client's Accept-Encoding where the edge replaced the header", async () => {
    const endpoint = createEndpoint();
    endpoint.fake.space.store("key", { content: { kind: "ramp" }, size: 10 });
    const request = await signed("/media/key", { headers: { "accept-encoding": "identity" } });
    request.headers.set("accept-encoding", "gzip, br");
    expect((await endpoint.fetch(request.clone())).status).toBe(403);
    Object.defineProperty(request, "cf", { value: { clientAcceptEncoding: "identity" } });
    expect((await endpoint.fetch(request)).status).toBe(200);
  });
});

describe("a presigned URL", () => {
  const malformed = "400 AuthorizationQueryParametersError";
  const mismatch = "403 SignatureDoesNotMatch";
  const set = (name: string, value: string) =>
    withUrl((url) => {
      const edited = new URL(url);
      edited.searchParams.set(name, value);
      return edited.href;
    });
  it.each<[string, (request: Request) => Request, string]>([
    ["is taken as it is", (request) => request, "OK"],
    ["with another key", withUrl((url) => url.replace("/key?", "/kez?")), mismatch],
    ["with a longer life", set("X-Amz-Expires", "601"), mismatch],
    ["with a life over a week", set("X-Amz-Expires", "604801"), malformed],
    ["with no life", set("X-Amz-Expires", "0"), malformed],
    ["with a life that is no number", set("X-Amz-Expires", "-1"), malformed],
    ["with a date that is none", set("X-Amz-Date", "20200231T000000Z"), malformed],
    ["with another algorithm", set("X-Amz-Algorithm", "AWS4-HMAC-SHA1"), malformed],
    ["of SigV4A", set("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"), "400 InvalidRequest"],
    ["with a parameter added", set("response-content-type", "text/html"), mismatch],
    ["with a wrong signature", set("X-Amz-Signature", "0".repeat(64)), mismatch],
    ["with a signature twice", withUrl((url) => `${url}&X-Amz-Signature=00`), malformed],
    [
      "without its signature",
      withUrl((url) => url.replace(/&X-Amz-Signature=[^&]*/, "")),
      malformed,
    ],
    ["with only a credential", withUrl(() => `${origin}/media/key?X-Amz-Credential=a`), malformed],
    ["in lower case", withUrl((url) => url.replaceAll("X-Amz-", "x-amz-")), malformed],
    [
      "with its parameters in another order",
      withUrl((url) => {
        const [path = "", query = ""] = url.split("?");
        return `${path}?${query.split("&").toReversed().join("&")}`;
      }),
      "OK",
    ],
    [
      "with an x-amz header beside it",
      withHeader("x-amz-checksum-mode", "ENABLED"),
      "403 AccessDenied",
    ],
    ["with a range beside it", withHeader("range", "bytes=0-0"), "OK"],
  ])("%s", async (_, edit, expected) => {
    expect(await tampered(edit, { presign: 600 })).toBe(expected);
  });

  it.each<[string, SignOptions, string]>([
    ["a week, six days old", { presign: 604_800, at: Date.now() - 6 * 24 * 60 * minute }, "OK"],
    ["a minute, two old", { presign: 60, at: Date.now() - 2 * minute }, "403 AccessDenied"],
    ["from the future", { presign: 600, at: Date.now() + 20 * minute }, "403 AccessDenied"],
    ["for another region", { presign: 600, region: "eu-west-1" }, malformed],
    ["over overrides", { presign: 600 }, "OK"],
    [
      "beside the hash of nothing",
      { presign: 600, headers: { "x-amz-content-sha256": s3Examples.emptyHash } },
      "OK",
    ],
  ])("for %s", async (name, options, expected) => {
    const path =
      name === "over overrides" ? "/media/key?response-content-type=a%2Fb" : "/media/key";
    expect(await tampered((request) => request, options, path)).toBe(expected);
  });
});
