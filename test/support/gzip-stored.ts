/** A valid gzip file with stored (uncompressed) blocks: synchronous, the same in every runtime. */

/** RFC 1952 around RFC 1951 3.2.4. */
export function gzipStored(bytes: Uint8Array): Uint8Array {
  const blocks: Uint8Array[] = [Uint8Array.of(31, 139, 8, 0, 0, 0, 0, 0, 0, 255)];
  let position = 0;
  do {
    const block = bytes.subarray(position, position + 65_535);
    position += block.length;
    const n = block.length;
    blocks.push(
      Uint8Array.of(position >= bytes.length ? 1 : 0, n & 255, n >> 8, ~n & 255, (~n >> 8) & 255),
      block,
    );
  } while (position < bytes.length);
  const trailer = new Uint8Array(8);
  const view = new DataView(trailer.buffer);
  view.setUint32(0, crc32(bytes), true);
  view.setUint32(4, bytes.length % 2 ** 32, true);
  blocks.push(trailer);
  const result = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let offset = 0;
  for (const block of blocks) {
    result.set(block, offset);
    offset += block.length;
  }
  return result;
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) crc = (table[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}
