import * as fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { formatAttachment } from "../../src/http/disposition.ts";

// Properties take their time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

describe("formatAttachment", () => {
  it.each([
    ["", "a/film.mp4", 'attachment; filename="film.mp4"'],
    ["x.bin", "a/film.mp4", 'attachment; filename="x.bin"'],
    ["", "a/", "attachment"],
    ["my film.mp4", "k", 'attachment; filename="my film.mp4"'],
    [
      "€ rates.txt",
      "k",
      "attachment; filename=\"_ rates.txt\"; filename*=UTF-8''%E2%82%AC%20rates.txt",
    ],
    ['a"b.txt', "k", "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"],
    ["50%.txt", "k", "attachment; filename=\"50_.txt\"; filename*=UTF-8''50%25.txt"],
    [
      "ä'(x)*.txt",
      "k",
      "attachment; filename=\"_'(x)*.txt\"; filename*=UTF-8''%C3%A4%27%28x%29%2A.txt",
    ],
    ["../../etc/passwd", "k", 'attachment; filename=".._.._etc_passwd"'],
    ["a\r\nSet-Cookie: x", "k", 'attachment; filename="aSet-Cookie: x"'],
    ["\ud800x", "k", "attachment; filename=\"_x\"; filename*=UTF-8''%EF%BF%BDx"],
  ])("name %j, key %j", (name, key, expected) => {
    expect(formatAttachment(name, key)).toBe(expected);
  });

  it("is a legal field value for any name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (name) => {
        const value = formatAttachment(name, "k");
        expect(value).toMatch(/^[\x20-\x7e]*$/);
        expect(new Headers({ "content-disposition": value }).get("content-disposition")).toBe(
          value,
        );
      }),
    );
  });
});
