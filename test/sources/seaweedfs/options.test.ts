import { describe, expect, it } from "vitest";
import { resolveOptions } from "../../../src/sources/seaweedfs/options.ts";

const filer = "http://filer:8888/";
const master = "https://master:9333/";

describe("resolveOptions", () => {
  it("has the defaults that its options name", () => {
    expect(resolveOptions({ filer })).toMatchObject({
      masters: [],
      root: "",
      bucketsFolder: "/buckets",
      s3Names: false,
      versioned: true,
      access: "filer",
      filerFallback: true,
      address: "public",
      protocol: "http:",
      tokensFromMaster: false,
      requireKeyCommitment: false,
      verify: false,
      etag: "filer",
      metadataTtlMs: 3000,
      lookupTtlMs: 600_000,
      metadataBytes: 32 * 1024 * 1024,
    });
    expect(resolveOptions({ filer, master })).toMatchObject({
      access: "direct",
      protocol: "https:",
    });
  });

  it.each([
    ["/buckets", true],
    ["buckets/", true],
    ["/buckets/b", true],
    ["/bucketsful", false],
    ["", false],
  ])("a mount of %j has S3's names: %s", (root, s3Names) => {
    const etag = s3Names ? "s3" : "filer";
    expect(resolveOptions({ filer, root })).toMatchObject({ s3Names, etag });
  });

  it("signs tokens where it has the key, and else takes those of the master", () => {
    const given = { filer, master, volumeTokenFromMaster: true };
    expect(resolveOptions(given).tokensFromMaster).toBe(true);
    expect(resolveOptions({ ...given, volumeTokenSecret: "key" }).tokensFromMaster).toBe(false);
  });

  it("connects to the hosts of filers and masters, unless a list says otherwise", () => {
    const { allows } = resolveOptions({ filer, master: "http://10.0.0.1:9333/" });
    expect(["filer:1", "10.0.0.2:8080", "192.0.2.1:8080"].map(allows)).toEqual([true, true, false]);
    const listed = resolveOptions({ filer, allowedHosts: "192.0.2.1" });
    expect(["filer:8080", "192.0.2.1:8080"].map(listed.allows)).toEqual([false, true]);
  });

  it.each([
    [{ filer: [] }, TypeError],
    [{ filer: "ftp://filer/" }, TypeError],
    [{ filer: "http://user@filer/" }, TypeError],
    [{ filer: "http://:pass@filer/" }, TypeError],
    [{ filer: "http://filer/?a" }, TypeError],
    [{ filer, volumeAccess: "direct" as const }, TypeError],
    [{ filer, volumeTokenFromMaster: true }, TypeError],
    [{ filer, sseKekSecret: "00" }, TypeError],
    [{ filer, passHeaders: ["Seaweed-Owner"] }, TypeError],
    [{ filer, root: "/a/../b" }, TypeError],
    [{ filer, metadataTtlMs: -1 }, RangeError],
    [{ filer, metadataTtlMs: 3_600_001 }, RangeError],
    [{ filer, lookupTtlMs: 0.5 }, RangeError],
    [{ filer, metadataBytes: 65_535 }, RangeError],
  ])("refuses %j", (options, error) => {
    expect(() => resolveOptions(options)).toThrow(error);
  });

  it("takes every number at its bounds", () => {
    const least = { metadataTtlMs: 0, lookupTtlMs: 0, metadataBytes: 65_536 };
    const most = { metadataTtlMs: 3_600_000, lookupTtlMs: 86_400_000, metadataBytes: 1024 ** 3 };
    for (const bounds of [least, most])
      expect(resolveOptions({ filer, ...bounds })).toMatchObject(bounds);
  });
});
