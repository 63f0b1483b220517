/** From a request's path to what the origin has there: a ramp object, a SeaweedFS chunk, or a document. */
import { ActiveProfile, type Profile } from "./profile.ts";
import { parsePath } from "./request.ts";
import {
  createEncryption,
  formatEntry,
  formatLookup,
  parseLookup,
  parseNeedlePath,
  parseWeedPath,
} from "./seaweedfs.ts";

/** Volumes this far apart are the same profile's. */
const volumeStride = 10_000;

/** All profiles, by name, and by number where SeaweedFS has volumes. */
export class Profiles {
  readonly #byName = new Map<string, ActiveProfile>();
  readonly #byVolume: ActiveProfile[] = [];
  readonly #volumes = new Map<ActiveProfile, number>();
  #fresh = 0;

  set(name: string, behaviour: Profile): void {
    const profile = new ActiveProfile(behaviour);
    this.#byName.set(name, profile);
    this.#volumes.set(profile, this.#byVolume.push(profile));
  }

  find(name: string): ActiveProfile | undefined {
    return this.#byName.get(name);
  }

  atVolume(volume: number): ActiveProfile | undefined {
    return this.#byVolume[(volume % volumeStride) - 1];
  }

  /** The volume that a file's chunks are said to lie in. */
  volumeFor(profile: ActiveProfile): number {
    const volume = this.#volumes.get(profile) ?? 0;
    if (profile.behaviour.freshVolumes !== true) return volume;
    this.#fresh += 1;
    return volume + this.#fresh * volumeStride;
  }
}

/** Bytes of the ramp under a name. */
export interface ServedObject {
  readonly size: number;
  readonly etag: string;
  /** Ramp offset of the first byte: a chunk is a slice of its object. */
  readonly rampOffset: number;
  /** What lies there instead of the clear bytes, from a byte of the served object on. */
  encrypt?(offset: number): (block: Buffer) => Buffer;
}

export type Route =
  | { readonly kind: "object"; readonly profile: ActiveProfile; readonly object: ServedObject }
  | { readonly kind: "document"; readonly profile: ActiveProfile; readonly text: string };

/** @param port The origin's own, for answers that name it */
export function findRoute(path: string, profiles: Profiles, port: number): Route | undefined {
  const ramp = parsePath(path);
  if (ramp !== undefined) {
    const profile = profiles.find(ramp.profile);
    const object = { size: ramp.size, etag: ramp.etag, rampOffset: 0 };
    return profile && { kind: "object", profile, object };
  }
  const needle = parseNeedlePath(path);
  if (needle !== undefined) {
    const profile = profiles.atVolume(needle.volume);
    return profile && { kind: "object", profile, object: needleObject(needle, profile) };
  }
  const file = parseWeedPath(path);
  if (file !== undefined) {
    const profile = profiles.find(file.profile);
    if (profile === undefined) return undefined;
    const text = formatEntry(file, path, profiles.volumeFor(profile), profile.behaviour.sse);
    return { kind: "document", profile, text };
  }
  const volume = parseLookup(path);
  const profile = volume === undefined ? undefined : profiles.atVolume(volume);
  if (volume === undefined || profile === undefined) return undefined;
  return { kind: "document", profile, text: formatLookup(volume, port) };
}

function needleObject(
  { chunkBytes, offset }: { readonly chunkBytes: number; readonly offset: number },
  profile: ActiveProfile,
): ServedObject {
  const etag = `"${(offset % 0xffffffff).toString(16).padStart(8, "0")}"`;
  const plain = { size: chunkBytes, etag, rampOffset: offset };
  const { sse } = profile.behaviour;
  if (sse === undefined) return plain;
  return { ...plain, encrypt: (start) => createEncryption(sse, offset + start) };
}
