/**
 * File ids of SeaweedFS: `<volume>,<key><cookie>` in hex, the cookie always the last eight digits. Pure.
 *
 * Keys go beyond 2^53, so they are BigInt; everything else about a chunk fits a number.
 */

/** Where a chunk lies: the volume, the needle in it, and the cookie that proves that the asker knows the id. */
export interface FileId {
  /** Unsigned 32 bits. */
  readonly volume: number;
  /** Unsigned 64 bits. */
  readonly key: bigint;
  /** Unsigned 32 bits. */
  readonly cookie: number;
}

const pattern = /^(\d{1,10}),([0-9a-fA-F]{9,24})(?:_(\d{1,20}))?$/;
const maxVolume = 0xffffffff;
const maxKey = (1n << 64n) - 1n;

/**
 * Reads a file id; a suffix `_n` is added to the key.
 *
 * @returns `undefined` for anything that a volume server would not take
 */
export function parseFileId(text: string): FileId | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, volumeText = "", hex = "", step = "0"] = match;
  const volume = Number(volumeText);
  const key = BigInt(`0x${hex.slice(0, -8)}`) + BigInt(step);
  if (volume > maxVolume || key > maxKey) return undefined;
  return { volume, key, cookie: Number.parseInt(hex.slice(-8), 16) };
}

const canonical = /^([1-9]\d{0,8}),(?!00)(?:[0-9a-f]{2}){1,8}[0-9a-f]{8}$/;

/**
 * The volume of an id that is spelled as {@link formatFileId} spells it.
 *
 * @returns `undefined` for another spelling, and for what is no file id at all: {@link parseFileId} tells them apart
 */
export function canonicalVolume(text: string): number | undefined {
  const volume = canonical.exec(text)?.[1];
  return volume === undefined ? undefined : Number(volume);
}

/** The one spelling that tokens are signed for: lower case, leading zero bytes of the key dropped. */
export function formatFileId(id: FileId): string {
  const key = id.key.toString(16);
  const even = id.key === 0n ? "" : key.length % 2 === 0 ? key : `0${key}`;
  return `${id.volume},${even}${id.cookie.toString(16).padStart(8, "0")}`;
}
