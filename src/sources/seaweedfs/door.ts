/** A server that can be asked for a chunk, and with what. */
import type { Pass } from "./token.ts";

export type VolumeProtocol = "http:" | "https:";

/** One server to ask for a needle. */
export interface Door {
  readonly replica: string;
  readonly url: string;
  /** A volume server; else a filer that proxies. */
  readonly direct: boolean;
  /** What opens it; signed anew for every request. */
  readonly pass: Pass;
}

/** The door whose turn it is, and what is left to ask after it. */
export interface NextDoor extends Door {
  /** Any server: the engine then asks it at once when this one fails. */
  readonly alternatives: boolean;
  /** One as good and in good standing: only then is a silent one given up after seconds. */
  readonly hurry: boolean;
}

/** A needle at a volume server. */
export function volumeUrl(host: string, fid: string, protocol: VolumeProtocol): string {
  return `${protocol}//${host}/${fid}?readDeleted=true`;
}
