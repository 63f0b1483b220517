/** What checking a signature costs, and that its cost says nothing about the right one. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { Authenticator } from "../../../src/http/s3/authenticate.ts";
import { S3Refusal } from "../../../src/http/s3/error.ts";
import { signed, whole } from "./support.ts";

function authenticator() {
  return new Authenticator([
    {
      bucket: "media",
      access: "signed",
      listAccess: "signed",
      credentials: [whole],
      regions: ["us-east-1"],
      hosts: [],
    },
  ]);
}

/** The request's parts, its signature replaced behind so many right digits. */
async function partsWith(rightDigits: number) {
  const request = await signed("/media/folder/some%20object.bin?versionId=abc");
  const url = new URL(request.url);
  const authorization = request.headers.get("authorization") ?? "";
  const right = authorization.slice(-64);
  const flipped = right.slice(rightDigits).replace(/./g, (digit) => (digit === "0" ? "1" : "0"));
  const headers = new Headers(request.headers);
  headers.set("authorization", authorization.slice(0, -64) + right.slice(0, rightDigits) + flipped);
  return {
    method: "GET",
    rawPath: url.pathname,
    rawQuery: url.search.slice(1),
    query: url.searchParams,
    headers,
    host: url.host,
  };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("checking a signature", () => {
  it("costs less than a millisecond of CPU", async () => {
    const checker = authenticator();
    const parts = await partsWith(64);
    const rounds = 2000;
    for (let i = 0; i < 200; i++) await checker.identify(parts);
    const before = process.cpuUsage();
    for (let i = 0; i < rounds; i++) await checker.identify(parts);
    const { user, system } = process.cpuUsage(before);
    const ms = (user + system) / 1000 / rounds;
    console.log(`${ms.toFixed(3)} ms of CPU a signature`);
    expect(ms).toBeLessThan(1);
  });

  it.each([0, 1, 32, 62, 63])(
    "hands a signature with %i right digits whole to one constant-time comparison",
    async (rightDigits) => {
      const checker = authenticator();
      await checker.identify(await partsWith(64));
      const verify = vi.spyOn(crypto.subtle, "verify");
      const wrong = checker.identify(await partsWith(rightDigits));
      await expect(wrong).rejects.toThrow(S3Refusal);
      expect(verify).toHaveBeenCalledTimes(1);
      expect(verify.mock.calls[0]?.[2].byteLength).toBe(32);
    },
  );
});
