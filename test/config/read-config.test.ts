/** What a whole configuration makes: mounts, buckets, limits. */
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";

describe("readConfig", () => {
  const OBJECTS = { get: () => {}, head: () => {}, list: () => {} };
  const files = { prefix: "/files/", source: "r2", bucket: "OBJECTS" };
  const origin = { prefix: "/origin/", source: "http", url: "https://origin.example/" };
  function faultOf(env: Record<string, unknown>): string {
    try {
      readConfig({ OBJECTS, ...env });
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
    return "taken";
  }

  it.each([
    [{ ...origin, url: "https://:pass@origin.example/" }, "url must not carry"],
    [{ ...origin, url: "https://origin.example/#part" }, "url must end with its path"],
    [{ ...files, prefix: "/a//b/" }, "prefix must stand as in a URL"],
    [{ ...files, prefix: "/%Cb/" }, "prefix must have its percent-encoding in capital"],
    [{ ...files, prefix: "/%cB/" }, "prefix must have its percent-encoding in capital"],
    [
      { ...files, cors: { origins: "*", max_age_seconds: -1 } },
      "cors.max_age_seconds must not be negative",
    ],
    [{ ...files, cache_control: "" }, "cache_control must not be empty"],
    [{ ...origin, via: "my-net" }, "via must be the name of a binding"],
    [{ ...files, signing_region: "eu-1" }, "signing_region is for S3 clients"],
    [{ ...files, hosts: ["a.example"] }, "hosts is for S3 clients"],
    [{ ...files, list_access: "public" }, "list_access is for S3 clients"],
    [{ ...files, protocol: "s3", credentials: [] }, "credentials must name at least one secret"],
    [{ ...files, hosts: ["a..example"] }, "hosts.0 must be the name of a host"],
    [{ ...files, hosts: [".example"] }, "hosts.0 must be the name of a host"],
  ])("tells one fault of %j", (table, message) => {
    const told = faultOf({ MOUNTS: { m: table } });
    expect(told).toContain(`MOUNTS.m.${message}`);
    expect(told.split("MOUNTS.m.")).toHaveLength(2);
  });

  it("takes no name of 65 letters, no binding of nothing, and no blank secret", () => {
    expect(faultOf({ MOUNTS: { ["m".repeat(64)]: files } })).toBe("taken");
    expect(faultOf({ MOUNTS: { ["m".repeat(65)]: files } })).toContain("has a mount named");
    for (const OBJECTS of [null, { get: () => {} }])
      expect(faultOf({ MOUNTS: { files }, OBJECTS })).toContain("no R2 bucket");
    expect(faultOf({ MOUNTS: { files: { ...files, cors: ["null"] } } })).toBe("taken");
    const private_ = { ...files, access: "signed", link_secret: "LINK" };
    expect(faultOf({ MOUNTS: { private_ }, LINK: "  " })).toContain("names the secret LINK");
  });

  it("shows no name that is as long as a secret", () => {
    for (const [length, shown] of [
      [32, true],
      [33, false],
    ] as const) {
      const secret = "A".repeat(length);
      const mount = { ...origin, authorization_secret: secret };
      expect(faultOf({ MOUNTS: { mount } }).includes(secret)).toBe(shown);
    }
  });

  it("shows replicas of the mounts that say so, and leaves a longer prefix to its own mount", () => {
    const media = { ...files, prefix: "/media/", protocol: "s3", credentials: ["CLIENT"] };
    const shown = { ...origin, prefix: "/media/shown/", show_replicas: true };
    const explained = { ...origin, explain: true };
    const { handler, showsReplicas } = readConfig({
      OBJECTS,
      CLIENT: "ID:SECRET",
      MOUNTS: { media, shown, explained },
    });
    expect(["media", "shown", "explained"].map(showsReplicas)).toEqual([false, true, false]);
    expect(handler.fronts?.flatMap(({ prefixes }) => prefixes)).toEqual(["/media/"]);
    expect(handler.mounts.map(({ prefix }) => prefix)).toContain("/media/shown/");
  });

  it("tells one fault for the store's credentials where the clients' should be", () => {
    const archive = {
      prefix: "/archive/",
      source: "s3",
      endpoint: "https://s3.example",
      bucket: "archive",
      protocol: "s3",
      credentials: "STORE",
    };
    const message = faultOf({ STORE: "ID:SECRET", MOUNTS: { archive } });
    expect(message.split("MOUNTS.archive.credentials")).toHaveLength(2);
  });
});
