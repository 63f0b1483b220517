import * as fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { decodeKey, encodeKey } from "../../src/http/key.ts";
import { createRouter } from "../../src/http/route.ts";

// Properties take their time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

const mounts = ["/", "/a/", "/a/b/", "/w%C3%B6rt/"].map((prefix) => ({ prefix }));

describe("createRouter", () => {
  const route = createRouter(mounts);
  it.each([
    ["/a/x", "/a/", "x"],
    ["/a/b/x", "/a/b/", "x"],
    ["/a/bc", "/a/", "bc"],
    ["/a/b", "/a/b/", ""],
    ["/a", "/a/", ""],
    ["/%61/b", "/a/b/", ""],
    ["/a/", "/a/", ""],
    ["/ab", "/", "ab"],
    ["/", "/", ""],
    ["/a//x", "/a/", "/x"],
    ["/A/x", "/", "A/x"],
    ["/w%C3%B6rt/x%20y", "/w%C3%B6rt/", "x%20y"],
    ["/b%2Fa/x", "/", "b%2Fa/x"],
    ["/a/x%2Fb//y", "/a/", "x%2Fb//y"],
    ["/%61/%62/x%20%79", "/a/b/", "x%20%79"],
    ["/w%c3%b6rt/x", "/w%C3%B6rt/", "x"],
    ["/%zz/x", "/", "%zz/x"],
  ])("%s belongs to %s with key %j", (path, prefix, rawKey) => {
    expect(route(path)).toEqual({ mount: { prefix }, rawKey });
  });

  it.each([
    "/a%2Fb/x",
    "/a%2fb/x",
    "/a//b/x",
    "//a/x",
    "/a/b%5Cx",
    "/a%5Cb/x",
    "/a/%2Fb/x",
    "/a;x/b/y",
    "/a/b%3Bv=1/x",
    "/a/b;%2Fx/y",
    "/a/;/b/x",
    "/a/;v=1/b/x",
    "/;v=1/a/b/x",
    "/a/;x=%2Fy/b/z",
    "/a/b;x=%2Fy/z",
    "/a/;x%2F;y/b/z",
    "/a/b;",
    "/a/b;v=1",
    "/a/b%2F",
  ])("does not guess which mount %s belongs to, of which a store may have another idea", (path) => {
    expect(route(path)).toBeUndefined();
  });

  it("takes a parameter in a prefix for a part of it", () => {
    const few = createRouter(["/", "/a/", "/a;v=1/"].map((prefix) => ({ prefix })));
    for (const path of ["/a;v=1/x", "/a%3Bv=1/x"])
      expect(few(path)).toEqual({ mount: { prefix: "/a;v=1/" }, rawKey: "x" });
    expect(few("/a;v=2/x")).toBeUndefined();
  });

  it("knows no mount for other paths", () => {
    const few = createRouter([{ prefix: "/a/" }]);
    expect(few("/")).toBeUndefined();
    expect(few("/b/a/")).toBeUndefined();
    expect(few("/ab/x")).toBeUndefined();
  });

  it("takes a prefix without its slash for the mount's own path", () => {
    const prefix = "/a/b/";
    const few = createRouter([{ prefix }, { prefix: "/c/" }]);
    expect(few("/a/b")).toEqual({ mount: { prefix }, rawKey: "" });
  });

  it.each([["/a"], ["a/"], [""], ["/a/", "/a/"], ["/a/", "/%61/"]])(
    "refuses the prefixes %j",
    (...prefixes) => {
      expect(() => createRouter(prefixes.map((prefix) => ({ prefix })))).toThrow(RangeError);
    },
  );

  it.each([
    "/a/../secret",
    "/a/%2e%2e/secret",
    "/a/.%2E/secret",
    "/a/./../secret",
    "/a/x/../../secret",
    "/a\\..\\secret",
  ])("%s has left the mount before routing: URL parsing resolved it", (path) => {
    const { pathname } = new URL(`http://edge.example${path}`);
    expect(route(pathname)).toEqual({ mount: { prefix: "/" }, rawKey: "secret" });
  });
});

describe("decodeKey", () => {
  it.each([
    ["film.mp4", "film.mp4"],
    ["a/b/c", "a/b/c"],
    ["a%2Fb", "a/b"],
    ["a//b", "a//b"],
    ["a%20b+c", "a b+c"],
    ["%C3%A4", "ä"],
    ["%F0%9F%8D%8C", "🍌"],
    ["a%25b", "a%b"],
    ["%252e%252e%252fsecret", "%2e%2e%2fsecret"],
    ["..x/x../...", "..x/x../..."],
    ["a;v=1/...;x", "a;v=1/...;x"],
    ["a%5Cb", "a\\b"],
    ["", ""],
  ])("decodes %s once", (raw, key) => {
    expect(decodeKey(raw)).toBe(key);
  });

  it.each([
    ["a way up behind an encoded slash", "..%2Fsecret"],
    ["a way up in the middle", "a%2F..%2F..%2Fsecret"],
    ["a way up with encoded dots", "%2e%2e%2fsecret"],
    ["a way up at the end", "a/.."],
    ["a way up behind backslashes", "..%5Csecret"],
    ["mixed slashes", "a%5C..%2Fsecret"],
    ["a single dot", "a/./b"],
    ["only dots", ".."],
    ["a way up with a path parameter", "a/..;/secret"],
    ["a way up with a path parameter that says something", "..%3Bv=1/secret"],
    ["a single dot with a path parameter", "a/.;"],
    ["NUL", "a%00.txt"],
    ["a line end", "a%0D%0Ax"],
    ["DEL", "a%7F"],
    ["a broken escape", "100%"],
    ["an escape that is no hexadecimal", "%zz"],
    ["bytes that are no UTF-8", "%ff"],
    ["an overlong slash", "%c0%af"],
    ["half a surrogate pair", "%ed%a0%80"],
  ])("refuses %s", (_name, raw) => {
    expect(decodeKey(raw)).toBeUndefined();
  });

  it("reads back what encodeKey writes, and lets no dot segment through", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const key = decodeKey(encodeKey(text));
        if (key === undefined) {
          // oxlint-disable-next-line no-control-regex -- control characters are one reason to refuse
          expect(text).toMatch(/[\u0000-\u001f\u007f]|(?:^|[/\\])\.\.?(?:$|[/\\;])/);
        } else expect(key).toBe(text);
      }),
    );
  });

  it("keeps any URL inside its mount", () => {
    const piece = fc.constantFrom(
      "..",
      ".",
      "/",
      "\\",
      "%2e",
      "%2F",
      "%5c",
      "%",
      "%00",
      "a",
      "%25",
      "?",
      "#",
      ":",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const { pathname } = new URL(`http://edge.example/files/${pieces.join("")}`);
        const found = createRouter([{ prefix: "/files/" }])(pathname);
        const key = found && decodeKey(found.rawKey);
        if (key === undefined) return;
        const base = "http://store.example/data/";
        expect(new URL(base + encodeKey(key)).pathname.startsWith("/data/")).toBe(true);
        expect(new URL(base + found?.rawKey).pathname.startsWith("/data/")).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("encodeKey", () => {
  it("keeps slashes and encodes everything else that is not unreserved", () => {
    expect(encodeKey("a/b c!'()*+ä?#%~._-")).toBe("a/b%20c%21%27%28%29%2A%2B%C3%A4%3F%23%25~._-");
  });
});
