/** What the endpoint refuses, and what it remembers of signatures meanwhile. */
import { describe, expect, it } from "vitest";
import { codeOf, origin, setUp, signed } from "./support.ts";

describe("what is not answered", () => {
  it.each(["PUT", "POST", "DELETE", "PATCH"])("%s says MethodNotAllowed", async (method) => {
    const endpoint = setUp();
    for (const path of ["/media/key", "/media", "/media/?delete", "/"]) {
      const body = method === "DELETE" ? {} : { body: "x" };
      const headers = { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" };
      const response = await endpoint.ask(path, { method, headers, ...body });
      expect([response.status, await codeOf(response)]).toEqual([405, "MethodNotAllowed"]);
      expect(response.headers.get("allow")).toContain("GET");
    }
    expect(endpoint.fake.seen).toHaveLength(0);
  });

  it.each([
    ..."acl tagging torrent uploads uploadId=1 attributes legal-hold retention restore select&select-type=2 foo=bar"
      .split(" ")
      .map((query) => `/media/key?${query}`),
    ..."acl versions versioning policy policyStatus cors website lifecycle logging notification encryption replication requestPayment accelerate analytics inventory metrics ownershipControls publicAccessBlock object-lock tagging uploads intelligent-tiering session"
      .split(" ")
      .map((query) => `/media?${query}`),
    "/media?list-type=2&foo",
    "/media?location&acl",
    "HEAD /media?acl",
  ])("%s says NotImplemented", async (asked) => {
    const endpoint = setUp();
    const [path = "", method = "GET"] = asked.split(" ").toReversed();
    const response = await endpoint.ask(path, { method });
    const code = method === "HEAD" ? undefined : "NotImplemented";
    expect([response.status, await codeOf(response)]).toEqual([501, code]);
    expect(endpoint.fake.seen).toHaveLength(0);
  });

  it("a request of a hundred thousand unknown parameters is refused in one look at each", async () => {
    const names = Array.from({ length: 100_000 }, (_, i) => i.toString(36));
    const response = await setUp().fetch(new Request(`${origin}/open/key?${names.join("&")}`));
    expect(response.status).toBe(501);
  });

  it.each(["/media/key?versionId=", "/media?list-type=1", "/media?list-type="])(
    "%s says InvalidArgument",
    async (path) => {
      const endpoint = setUp();
      const response = await endpoint.ask(path);
      expect([response.status, await codeOf(response)]).toEqual([400, "InvalidArgument"]);
      expect(endpoint.fake.seen).toHaveLength(0);
    },
  );

  it("a parameter twice says InvalidArgument", async () => {
    const response = await setUp().fetch(
      new Request(`${origin}/open?list-type=2&prefix=a&prefix=b`),
    );
    expect([response.status, await codeOf(response)]).toEqual([400, "InvalidArgument"]);
  });
});

describe("signatures in flight", () => {
  it("hold whatever order the headers come in", async () => {
    const endpoint = setUp();
    const request = await signed("/media/key", {
      headers: { "x-amz-meta-b": "2", "a-first": " 1  2 " },
    });
    const reversed = new Request(request.url, { headers: [...request.headers].toReversed() });
    expect((await endpoint.fetch(reversed)).status).toBe(200);
  });
});
