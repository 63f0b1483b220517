/**
 * Which servers can be asked for a chunk, and in which order: replicas in the own data centre first, each group
 * shuffled, busy ones after their equals, those that failed lately last; the filer's `proxyChunkId` where volume servers cannot be reached.
 */
import { ReadaheadError } from "../../errors.ts";
import type { BusyServers } from "./busy.ts";
import type { Chunk } from "./chunk.ts";
import { type Door, type VolumeProtocol, volumeUrl } from "./door.ts";
import type { Filer } from "./filer.ts";
import type { Location, Locator, Lookups, Placement } from "./locate.ts";
import type { ClusterContext } from "./request.ts";
import { filePass, fixedPass, type TokenSigner } from "./token.ts";

export interface DoorOptions {
  readonly access: "direct" | "filer";
  /** In direct access: ask the filer when volume servers cannot be reached. */
  readonly filerFallback: boolean;
  readonly protocol: VolumeProtocol;
  readonly dataCenter: string | undefined;
  readonly signer: TokenSigner | undefined;
  readonly filer: Filer;
  readonly locator: Locator | undefined;
  readonly busy: BusyServers;
  /** In [0, 1): shuffles replicas. */
  readonly random: () => number;
}

/** The doors of a chunk, best first, with the placement they were made from. */
export interface Doors {
  readonly doors: readonly Door[];
  readonly placement: Placement | undefined;
}

/**
 * @throws ReadaheadError `unavailable` when nobody knows where the chunk lies, `config` when every location is outside
 * of allowed_hosts
 */
export async function findDoors(
  chunk: Chunk,
  options: DoorOptions,
  lookups: Lookups | undefined,
  context: ClusterContext,
): Promise<Doors> {
  const byFiler = options.filer.chunkDoors(chunk.fid, context);
  if (options.access === "filer" || lookups === undefined)
    return { doors: byFiler, placement: undefined };
  let placement: Placement;
  try {
    placement = await lookups.find(chunk.fid, context);
  } catch (error) {
    if (!isOfMaster(error) || !options.filerFallback || context.signal.aborted) throw error;
    return { doors: byFiler, placement: undefined };
  }
  const { signer } = options;
  const pass = signer === undefined ? fixedPass(placement.token) : filePass(signer, chunk.fid);
  const doors = ordered(placement.locations, options).map(({ host }): Door => {
    const url = volumeUrl(host, chunk.fid, options.protocol);
    return { replica: host, url, direct: true, pass };
  });
  const suspect = (door: Door) => context.suspect?.(door.replica) === true;
  const good = doors.filter((door) => !suspect(door));
  const busy = (door: Door) => options.busy.has(door.replica);
  return {
    doors: [
      ...good.filter((door) => !busy(door)),
      ...good.filter(busy),
      ...(options.filerFallback ? byFiler : []),
      ...doors.filter(suspect),
    ],
    placement,
  };
}

/**
 * Whatever a master answers but locations, silence and a refusal (its white list) included, the filer knows where the
 * chunk lies. Locations that the mount does not allow are another matter: they are told.
 */
function isOfMaster(error: unknown): boolean {
  return (
    error instanceof ReadaheadError &&
    ["unavailable", "throttled", "truncated", "denied", "protocol", "unsupported"].includes(
      error.kind,
    )
  );
}

function ordered(locations: readonly Location[], options: DoorOptions): Location[] {
  const shuffled = [...locations];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(options.random() * (i + 1));
    const [a, b] = [shuffled[i], shuffled[j]];
    if (a === undefined || b === undefined) continue;
    shuffled[i] = b;
    shuffled[j] = a;
  }
  const near = ({ dataCenter }: Location) => dataCenter === options.dataCenter;
  return [...shuffled.filter(near), ...shuffled.filter((location) => !near(location))];
}
