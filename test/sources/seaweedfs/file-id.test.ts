import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalVolume,
  formatFileId,
  parseFileId,
} from "../../../src/sources/seaweedfs/file-id.ts";

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

describe("canonicalVolume", () => {
  it("knows exactly the ids that are spelled as they would be", () => {
    const id = fc.record({
      volume: fc.integer({ min: 1, max: 999_999_999 }),
      key: fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }),
      cookie: fc.integer({ min: 0, max: 0xffffffff }),
    });
    fc.assert(
      fc.property(id, (one) => {
        expect(canonicalVolume(formatFileId(one))).toBe(one.volume);
      }),
    );
  });

  it.each([
    "3,0001637037d6",
    "3,1637037d6",
    "3,01637037D6",
    "03,01637037d6",
    "3,01637037d6_1",
    "3,637037d6",
    "3,",
    "4294967296,01637037d6",
    "3,01637037d6?x",
    "3,112233445566778899637037d6",
  ])("leaves %s to the parser", (text) => {
    expect(canonicalVolume(text)).toBeUndefined();
  });
});

it("the key 0 is written as a volume server reads it", () => {
  const id = { volume: 1, key: 0n, cookie: 0x1234 };
  expect(formatFileId(id)).toBe("1,00001234");
});
