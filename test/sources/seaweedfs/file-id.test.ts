import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatFileId, parseFileId } from "../../../src/sources/seaweedfs/file-id.ts";

describe("file ids", () => {
  it.each([
    ["3,01637037d6", { volume: 3, key: 1n, cookie: 0x637037d6 }],
    ["3,012300000000", { volume: 3, key: 0x123n, cookie: 0 }],
    ["5,1234567890ABCDEF00000001", { volume: 5, key: 0x1234567890abcdefn, cookie: 1 }],
    ["3,01637037d6_2", { volume: 3, key: 3n, cookie: 0x637037d6 }],
  ])("reads %s", (text, id) => {
    expect(parseFileId(text)).toEqual(id);
  });

  it.each([
    "",
    "3",
    "3,",
    "3,abc",
    "3,637037d6",
    "x,01637037d6",
    "3,x/../../status",
    "3,01637037d6_",
    "3,01637037d6_1a",
    "3,01637037d6?x",
    "4294967296,01637037d6",
    "1,ffffffffffffffff00000000_1",
    "3,01637037d6,1",
    " 3,01637037d6",
    "3,1234567890abcdef0123456789",
  ])("does not read %j", (text) => {
    expect(parseFileId(text)).toBeUndefined();
  });

  it("spells ids as SeaweedFS does", () => {
    expect(formatFileId({ volume: 3, key: 0x123n, cookie: 0 })).toBe("3,012300000000");
    expect(formatFileId({ volume: 3, key: 1n, cookie: 5 })).toBe("3,0100000005");
  });

  it("reads back what it spells", () => {
    const ids = fc.record({
      volume: fc.nat(0xffffffff),
      key: fc.bigInt(1n, (1n << 64n) - 1n),
      cookie: fc.nat(0xffffffff),
    });
    fc.assert(
      fc.property(ids, (id) => {
        expect(parseFileId(formatFileId(id))).toEqual(id);
      }),
    );
  });
});
