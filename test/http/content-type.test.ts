import { describe, expect, it } from "vitest";
import { isCompressible } from "../../src/http/compressible.ts";
import { contentTypeOf } from "../../src/sources/content-type.ts";

describe("contentTypeOf", () => {
  it.each([
    ["film.mp4", "video/mp4"],
    ["a.b/FILM.MP4", "video/mp4"],
    ["a.tar.gz", "application/gzip"],
    ["readme.txt", "text/plain; charset=utf-8"],
    ["noextension", "application/octet-stream"],
    ["dir.mp4/noextension", "application/octet-stream"],
    [".mp4", "application/octet-stream"],
    ["x.", "application/octet-stream"],
    ["x.unknown", "application/octet-stream"],
    ["x.constructor", "application/octet-stream"],
    ["", "application/octet-stream"],
  ])("%j is %s", (key, type) => {
    expect(contentTypeOf(key)).toBe(type);
  });
});

describe("isCompressible", () => {
  it.each([
    "text/plain",
    "text/html; charset=utf-8",
    "application/json",
    "image/svg+xml",
    "application/ld+json",
    "application/wasm",
    "font/ttf",
  ])("%s is compressed on the way", (type) => expect(isCompressible(type)).toBe(true));
  it.each([
    "video/mp4",
    "application/octet-stream",
    "application/zip",
    "image/png",
    "multipart/byteranges; boundary=x",
    "font/woff2",
  ])("%s is left alone", (type) => expect(isCompressible(type)).toBe(false));
});
