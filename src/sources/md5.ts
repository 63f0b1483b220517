/**
 * MD5 (RFC 1321), for what SeaweedFS and S3 name by it: entity tags made of chunks, and the check value of a client's
 * key. Not for security. WebCrypto has MD5 in workerd only, and the inputs here are short (16 bytes a chunk). Pure.
 */
import { encodeBase64 } from "../encoding/base64.ts";

const shifts = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const sines = Uint32Array.from({ length: 64 }, (_, i) =>
  Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32),
);

/** The 16-byte digest. */
export function md5(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = Math.ceil((message.byteLength + 9) / 64);
  const padded = new DataView(new ArrayBuffer(blocks * 64));
  new Uint8Array(padded.buffer).set(message);
  padded.setUint8(message.byteLength, 0x80);
  padded.setBigUint64(padded.byteLength - 8, BigInt(message.byteLength) * 8n, true);
  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let block = 0; block < padded.byteLength; block += 64) mix(state, padded, block);
  const digest = new DataView(new ArrayBuffer(16));
  for (const [i, word] of state.entries()) digest.setUint32(i * 4, word, true);
  return new Uint8Array(digest.buffer);
}

/** The digest in base64, as the header beside an SSE-C key has it. */
export function md5Base64(message: Uint8Array): string {
  return encodeBase64(md5(message));
}

function mix(state: Uint32Array, message: DataView, block: number): void {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  for (let i = 0; i < 64; i++) {
    const round = i >> 4;
    let f: number;
    let word: number;
    if (round === 0) {
      f = (b & c) | (~b & d);
      word = i;
    } else if (round === 1) {
      f = (d & b) | (~d & c);
      word = (5 * i + 1) % 16;
    } else if (round === 2) {
      f = b ^ c ^ d;
      word = (3 * i + 5) % 16;
    } else {
      f = c ^ (b | ~d);
      word = (7 * i) % 16;
    }
    const sum = (a + f + (sines[i] ?? 0) + message.getUint32(block + word * 4, true)) | 0;
    const shift = shifts[round * 4 + (i % 4)] ?? 0;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  state[0] = (state[0] ?? 0) + a;
  state[1] = (state[1] ?? 0) + b;
  state[2] = (state[2] ?? 0) + c;
  state[3] = (state[3] ?? 0) + d;
}
