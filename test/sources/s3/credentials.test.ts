import { describe, expect, it } from "vitest";
import { parseS3Credentials } from "../../../src/sources/s3/credentials.ts";

describe("parseS3Credentials", () => {
  const pair = { accessKeyId: "KEY", secretAccessKey: "secret/+=" };
  it.each([
    ["KEY:secret/+=", pair],
    ["KEY:secret/+=:token", { ...pair, sessionToken: "token" }],
    ["KEY:secret/+=:to:ken", { ...pair, sessionToken: "to:ken" }],
    ["KEY:secret/+=:", undefined],
    ["KEY:", undefined],
    [":secret", undefined],
    ["KEY", undefined],
    ["KEY:sec ret", undefined],
  ])("%j", (text, expected) => {
    expect(parseS3Credentials(text)).toEqual(expected);
  });
});
