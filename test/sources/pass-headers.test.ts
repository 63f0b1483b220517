import { describe, expect, it } from "vitest";
import { createPassHeaders } from "../../src/sources/pass-headers.ts";

describe("createPassHeaders", () => {
  it.each([
    "Server",
    "server-timing",
    "Set-Cookie",
    "set-cookie2",
    "content-length",
    "Content-Range",
    "etag",
    "Transfer-Encoding",
    "www-authenticate",
    "a b",
    "",
    "*",
  ])("refuses %j", (name) => {
    expect(() => createPassHeaders([name])).toThrow(TypeError);
  });

  it("picks nothing of the connection and no cookie, whatever the prefix", () => {
    const headers = new Headers({
      connection: "close",
      "content-length": "1",
      "content-type": "a/b",
      "set-cookie": "session=1",
      server: "thing",
      "x-secret": "1",
    });
    expect(createPassHeaders(["c*", "S*"]).pick(headers)).toEqual({ "content-type": "a/b" });
  });

  it("names an encoding in lower case, and none where there is none", () => {
    const pass = createPassHeaders();
    expect(pass.pick(new Headers({ "content-encoding": "GZIP" }))).toEqual({
      "content-encoding": "gzip",
    });
    for (const none of ["identity", "Identity", ""])
      expect(pass.pick(new Headers({ "content-encoding": none }))).toEqual({});
  });
});
