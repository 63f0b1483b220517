import { describe, expect, it } from "vitest";
import { decodeBase64, encodeBase64 } from "../../src/encoding/base64.ts";
import { decodeHex, encodeHex } from "../../src/encoding/hex.ts";
import { encodeUri } from "../../src/encoding/percent.ts";

const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i);

describe("base64", () => {
  it("writes every byte as Node does, and reads it back", () => {
    for (const length of [0, 1, 2, 3, 256]) {
      const bytes = everyByte.subarray(256 - length);
      expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
      expect(decodeBase64(encodeBase64(bytes))).toEqual(Uint8Array.from(bytes));
    }
  });

  it.each(["AAA", "AA=", "A A=", "AA==AA==", "-_==", "AAAA\n", "A===", "===="])(
    "does not read %j",
    (text) => {
      expect(decodeBase64(text)).toBeUndefined();
    },
  );
});

describe("hex", () => {
  it("writes every byte as Node does, and reads it back", () => {
    expect(encodeHex(everyByte)).toBe(Buffer.from(everyByte).toString("hex"));
    expect(decodeHex(encodeHex(everyByte))).toEqual(everyByte);
  });

  it.each(["0", "0G", "AB", "0x", " 0"])("does not read %j", (text) => {
    expect(decodeHex(text)).toBeUndefined();
  });
});

describe("percent-encoding", () => {
  it("leaves the unreserved characters alone", () => {
    expect(encodeUri("azAZ09-._~!'()*/ é")).toBe("azAZ09-._~%21%27%28%29%2A%2F%20%C3%A9");
  });
});
