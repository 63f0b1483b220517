/** Who is let in through the S3 front: strangers, keys, and keys with prefixes. */
import { describe, expect, it } from "vitest";
import { codeOf, elsewhere, expectBytes, origin, reports, setUp, size } from "./support.ts";

describe("who may", () => {
  it("reads a public bucket without a signature, and never with a wrong one", async () => {
    const endpoint = setUp();
    const open = await endpoint.fetch(new Request(`${origin}/open/key`));
    await expectBytes(open, 0, size);
    const wrong = await endpoint.ask("/open/key", {
      client: { ...elsewhere, secretAccessKey: "x" },
    });
    expect([wrong.status, await codeOf(wrong)]).toEqual([403, "SignatureDoesNotMatch"]);
  });

  it.each([
    "/media/key",
    "/media/",
    "/media",
    "/media?list-type=2",
    "/media/key?acl",
    "/media/%zz",
    "/other/key",
  ])("refuses a stranger at %s before the store hears of it", async (path) => {
    const endpoint = setUp();
    for (const method of ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"]) {
      const response = await endpoint.fetch(new Request(origin + path, { method }));
      expect(response.status).toBe(403);
      if (method === "GET") expect(await codeOf(response)).toBe("AccessDenied");
    }
    expect(endpoint.fake.seen).toHaveLength(0);
  });

  it("keeps a key within its prefixes", async () => {
    const endpoint = setUp();
    const ask = async (path: string) => (await endpoint.ask(path, { client: reports })).status;
    expect(await ask("/media/reports/a")).toBe(200);
    expect(await ask("/media/key")).toBe(403);
    expect(await ask("/media/reports")).toBe(403);
    expect(await ask("/media?list-type=2&prefix=reports/")).toBe(200);
    expect(await ask("/media?list-type=2&prefix=report")).toBe(403);
    expect(await ask("/media?list-type=2")).toBe(403);
    expect(await ask("/other/key")).toBe(403);
    expect(await ask("/media")).toBe(403);
  });

  it("lists a public bucket for strangers only where that is public too", async () => {
    const endpoint = setUp();
    const status = async (path: string) =>
      (await endpoint.fetch(new Request(origin + path))).status;
    expect(await status("/open?list-type=2")).toBe(200);
    expect(await status("/open-quiet?list-type=2")).toBe(403);
    expect(await status("/open-quiet/key")).toBe(200);
    expect(await status("/listed?list-type=2")).toBe(200);
    expect(await status("/listed/key")).toBe(403);
  });

  it("names the buckets of a key, and of nobody else", async () => {
    const endpoint = setUp();
    const names = async (client = elsewhere) =>
      [...(await (await endpoint.ask("/", { client })).text()).matchAll(/<Name>(.*?)</g)].map(
        (match) => match[1],
      );
    expect(await names()).toEqual(["other"]);
    expect(await names(reports)).toEqual(["media"]);
    const unknown = await endpoint.ask("/nowhere/key");
    expect([unknown.status, await codeOf(unknown)]).toEqual([404, "NoSuchBucket"]);
  });
});
