/**
 * From replica to replica of a chunk. Failover is the engine's, but for one case: a 404 is no failure of a server. The
 * other replicas are asked at once (a filer that proxies several times), then locations are looked up again, then the
 * metadata decides between lost and changed.
 */
import { ReadaheadError } from "../../errors.ts";
import type { Chunk } from "./chunk.ts";
import type { Cluster } from "./cluster.ts";
import type { Door, NextDoor } from "./door.ts";
import { type Doors, findDoors } from "./doors.ts";
import type { Lookups, Placement } from "./locate.ts";
import { type ClusterContext, ofReplica } from "./request.ts";

/**
 * A filer proxies to one replica, picked at random: its 404 says that this one lacks the chunk. Where one of two does, so
 * many in a row are 1 in 64.
 */
const proxyAsks = 6;
/** A hung server is noticed by nobody else for over a minute; the engine waits for no one so long. */
const silenceMs = 90_000;

export class ReplicaWalk {
  readonly #cluster: Cluster;
  readonly #lookups: Lookups | undefined;
  /** Reads the metadata again: throws `lost` or `changed`. */
  readonly #judgeLoss: (context: ClusterContext) => Promise<never>;
  /** Bytes of the object have come: silence is now no reason to give it up. */
  #answered = false;
  /** Who was silent for a whole deadline. */
  readonly #silent = new Set<string>();
  #mastersSilent = false;
  /** The placement that a chunk's last read was made from. */
  readonly #used = new WeakMap<Chunk, Placement>();

  constructor(
    cluster: Cluster,
    lookups: Lookups | undefined,
    judgeLoss: (context: ClusterContext) => Promise<never>,
  ) {
    this.#cluster = cluster;
    this.#lookups = lookups;
    this.#judgeLoss = judgeLoss;
  }

  /** Where the chunk lies, for humans. */
  async names(chunk: Chunk, context: ClusterContext): Promise<string[]> {
    const { doors } = await findDoors(chunk, this.#cluster.doors, this.#lookups, context);
    return doors.map((door) => door.replica);
  }

  /** Looks a chunk's volume up again. @returns whether its servers (or the next token) differ from before */
  async refresh(chunk: Chunk, context: ClusterContext): Promise<boolean> {
    const { locator } = this.#cluster;
    if (locator === undefined || this.#lookups === undefined) return false;
    if (this.#mastersSilent && !this.#answered) return false;
    const key = locator.keyOf(chunk.fid);
    const used = this.#used.get(chunk);
    const known = locator.known(key);
    // Another part of this request, or another request, has looked it up since: that repair is ours too.
    if (known === used) locator.forget(key, used);
    try {
      const placement = await this.#lookups.find(chunk.fid, context);
      return !sameServers(used, placement) || placement.token !== used?.token;
    } catch (error) {
      if (!(error instanceof ReadaheadError) || context.signal.aborted) throw error;
      return false;
    }
  }

  /** Bytes of the object have come. */
  answered(): void {
    this.#answered = true;
  }

  /**
   * Asks the best replica that was not tried; others only for a 404.
   *
   * @throws what asking it threw, `unavailable` where every one was tried, `lost` or `changed` where none has the chunk
   */
  async ask<T>(
    chunk: Chunk,
    context: ClusterContext,
    tried: (replica: string) => boolean,
    ask: (door: NextDoor) => Promise<T>,
  ): Promise<T> {
    const gone = new Set<string>();
    for (let lookedUp = false; ; lookedUp = true) {
      const found = await this.#findDoors(chunk, context);
      const { placement } = found;
      if (placement !== undefined) this.#used.set(chunk, placement);
      const doors = found.doors.filter(({ replica }) => !tried(replica) && !gone.has(replica));
      if (doors.length === 0 && gone.size === 0)
        throw new ReadaheadError("unavailable", "Every server with the chunk was asked in vain");
      for (const [index, door] of doors.entries()) {
        // What the filer would proxy to has just said that it has no such chunk.
        if (gone.size > 0 && !door.direct && placement !== undefined) continue;
        const rest = doors.slice(index + 1);
        const next = nextDoor(door, rest, context);
        for (let asked = 0; asked < (door.direct ? 1 : proxyAsks); asked++) {
          try {
            return await ask(next);
          } catch (error) {
            if (isSilent(error)) this.#silent.add(door.replica);
            if (!isGone(error)) throw this.#afterBusy(error, door, rest);
          }
        }
        gone.add(door.replica);
      }
      const direct = found.doors.filter((door) => door.direct);
      const everywhere = direct.every(({ replica }) => gone.has(replica));
      const { locator } = this.#cluster;
      if (everywhere && !lookedUp && locator !== undefined && placement !== undefined) {
        locator.forget(locator.keyOf(chunk.fid), placement);
        continue;
      }
      if (everywhere) return this.#judgeLoss(context);
      throw new ReadaheadError("unavailable", "The servers that can be reached lack a chunk", {
        status: 404,
      });
    }
  }

  /**
   * Before the first bytes of the object have come, nobody who was silent is asked a second time: the client sees nothing
   * yet, and is better told than kept waiting for one deadline after the other.
   */
  async #findDoors(chunk: Chunk, context: ClusterContext): Promise<Doors> {
    if (this.#mastersSilent && !this.#answered) throw allSilent();
    try {
      const found = await findDoors(chunk, this.#cluster.doors, this.#lookups, context);
      if (this.#answered || this.#silent.size === 0) return found;
      const doors = found.doors.filter(({ replica }) => !this.#silent.has(replica));
      if (doors.length === 0) throw allSilent();
      return { ...found, doors };
    } catch (error) {
      this.#mastersSilent ||= isSilent(error);
      throw error;
    }
  }

  /**
   * A busy server is left alone for as long as it asked, and another replica is asked at once. The filer is none: it
   * would proxy to the same servers.
   */
  #afterBusy(error: unknown, door: Door, others: readonly Door[]): unknown {
    if (!(error instanceof ReadaheadError) || error.kind !== "throttled") return error;
    this.#cluster.doors.busy.add(door.replica, error.retryAfterMs);
    return ofReplica(
      error,
      door.replica,
      others.some((other) => other.direct),
    );
  }
}

/** A filer would ask the very volume servers that were silent: it is as good as another filer only. */
function nextDoor(door: Door, others: readonly Door[], context: ClusterContext): NextDoor {
  return {
    ...door,
    alternatives: others.length > 0,
    hurry: others.some(
      (other) => (other.direct || !door.direct) && context.suspect?.(other.replica) !== true,
    ),
  };
}

function isSilent(error: unknown): boolean {
  return error instanceof ReadaheadError && error.silent;
}

/** With a time longer than the engine would wait: it ends there. */
function allSilent(): ReadaheadError {
  return new ReadaheadError("unavailable", "The servers that could be asked are silent", {
    retryAfterMs: silenceMs,
  });
}

function isGone(error: unknown): boolean {
  return error instanceof ReadaheadError && error.kind === "unavailable" && error.status === 404;
}

function sameServers(a: Placement | undefined, b: Placement): boolean {
  const hosts = new Set(a?.locations.map((location) => location.host));
  return (
    hosts.size === b.locations.length && b.locations.every((location) => hosts.has(location.host))
  );
}
