/** The counter, at every offset the model tests (s3_sse_ctr_test.go), and decryption in any blocks. */
import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  advanceCounter,
  createDecoder,
  decryptInPlace,
  importStreamKey,
} from "../../../src/sources/seaweedfs/ctr.ts";

const key = new Uint8Array(32).map((_, i) => i * 7);
const iv = new Uint8Array(16).map((_, i) => i);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function encrypted(length: number, counter: Uint8Array = iv): Uint8Array<ArrayBuffer> {
  const clear = Buffer.alloc(length).map((_, i) => i % 256);
  const cipher = createCipheriv("aes-256-ctr", key, counter);
  return new Uint8Array(Buffer.concat([cipher.update(clear), cipher.final()]));
}

describe("advanceCounter", () => {
  it.each([
    [0, 0],
    [16, 1],
    [32, 2],
    [48, 3],
    [1, 0],
    [5, 0],
    [10, 0],
    [15, 0],
    [17, 1],
    [21, 1],
    [33, 2],
    [47, 2],
    [1000, 62],
  ])("offset %i is block %i", (offset, blocks) => {
    const counter = Buffer.from(advanceCounter(new Uint8Array(16), offset));
    expect(counter.readBigUInt64BE(8)).toBe(BigInt(blocks));
  });

  it.each([
    [17, "000102030405060708090a0b0c0d0e10"],
    [8_388_608, "000102030405060708090a0b0c150e0f"],
    [1000, "000102030405060708090a0b0c0d0e4d"],
  ])("follows the protocol's vector at %i", (offset, expected) => {
    expect(hex(advanceCounter(iv, offset))).toBe(expected);
  });

  it("carries over 64 bits, as the stream was written", () => {
    const end = Uint8Array.from(Buffer.from("0011223344556677fffffffffffffffe", "hex"));
    expect(hex(advanceCounter(end, 16))).toBe("0011223344556677ffffffffffffffff");
    expect(hex(advanceCounter(end, 32))).toBe("00112233445566780000000000000000");
  });
});

describe("decryption", () => {
  it.each([0, 1, 5, 10, 15, 16, 17, 21, 32, 33, 47, 48, 100, 500])(
    "starts at byte %i",
    async (start) => {
      const bytes = encrypted(1024).slice(start);
      await decryptInPlace({ key: await importStreamKey(key), iv, position: start }, bytes);
      for (const [i, byte] of bytes.entries()) expect(byte).toBe((start + i) % 256);
    },
  );

  it.each([
    [0, 1],
    [0, 100],
    [5, 101],
    [17, 18],
    [10, 51],
    [1_000, 10_001],
    [5 * 1024 * 1024 - 1_000, 5 * 1024 * 1024],
  ])("of a range of 5 MiB, [%i, %i)", async (start, end) => {
    const bytes = encrypted(5 * 1024 * 1024).slice(start, end);
    await decryptInPlace({ key: await importStreamKey(key), iv, position: start }, bytes);
    expect(Buffer.from(bytes)).toEqual(Buffer.from(Array.from(bytes, (_, i) => (start + i) % 256)));
  });

  it("follows a counter that wraps its low half", async () => {
    const end = Uint8Array.from(Buffer.from("0011223344556677fffffffffffffffe", "hex"));
    const bytes = encrypted(200, end).slice(50);
    await decryptInPlace({ key: await importStreamKey(key), iv: end, position: 50 }, bytes);
    for (const [i, byte] of bytes.entries()) expect(byte).toBe((50 + i) % 256);
  });

  it("is the same in any blocks, large ones included", async () => {
    const imported = await importStreamKey(key);
    const stored = encrypted(700_000);
    const cuts = fc.array(fc.integer({ min: 1, max: 300_000 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.nat(1000), cuts, async (start, sizes) => {
        const decode = createDecoder({ key: imported, iv, position: start });
        let at = start;
        for (const size of [...sizes, 700_000]) {
          const block = stored.slice(at, at + size);
          await decode(block);
          for (const i of [0, 1, block.length - 1])
            if (i >= 0 && i < block.length) expect(block[i]).toBe((at + i) % 256);
          at += block.length;
        }
        expect(at).toBe(700_000);
      }),
      { numRuns: 20 },
    );
  });
});

it("carries beyond 64 bits, as the one stream was written", async () => {
  const edge = new Uint8Array(16).fill(1, 0, 8).fill(0xff, 8);
  const sealed = encrypted(64, edge);
  const imported = await importStreamKey(key);
  for (const position of [0, 5, 16, 20]) {
    const bytes = sealed.slice(position);
    await decryptInPlace({ key: imported, iv: edge, position }, bytes);
    expect(Array.from(bytes)).toEqual(
      Array.from({ length: 64 - position }, (_, i) => i + position),
    );
  }
});
