/** From replica to replica of a chunk: who is asked after whom, when locations are looked up again, and when all is lost. */
import { beforeEach, describe, expect, it } from "vitest";
import { ReadaheadError } from "../../../src/errors.ts";
import { BusyServers } from "../../../src/sources/seaweedfs/busy.ts";
import type { Chunk } from "../../../src/sources/seaweedfs/chunk.ts";
import type { Cluster } from "../../../src/sources/seaweedfs/cluster.ts";
import type { Door, NextDoor } from "../../../src/sources/seaweedfs/door.ts";
import type { Lookups, Placement } from "../../../src/sources/seaweedfs/locate.ts";
import { ReplicaWalk } from "../../../src/sources/seaweedfs/replica-walk.ts";
import { fixedPass } from "../../../src/sources/seaweedfs/token.ts";
import { createTestDownload, type TestDownload } from "../../support/permits.ts";

const chunk = { fid: "1,0100000001" } as Chunk;
const unavailable = (more = {}) => new ReadaheadError("unavailable", "By script", more);
const gone = unavailable({ status: 404 });
const silent = unavailable({ connection: true, silent: true });

let now: number;
let context: TestDownload & { suspect?(replica: string): boolean };
/** What lookups bring, one by one, the last one for ever; and how many there were. */
let found: (Placement | Error)[];
let lookups: number;
let known: Placement | undefined;
let walk: ReplicaWalk;
/** Who was asked, in order, and what was said to be left. */
let asked: string[];
let left: Pick<NextDoor, "alternatives" | "hurry">[];

beforeEach(() => {
  now = 0;
  context = createTestDownload();
  found = [at("a", "b")];
  lookups = 0;
  known = undefined;
  asked = [];
  left = [];
  walk = createWalk([]);
});

function at(...hosts: readonly string[]): Placement {
  return { locations: hosts.map((host) => ({ host, dataCenter: "" })), until: Infinity };
}

/** A walk over direct doors, and behind them those of such filers. */
function createWalk(filers: readonly string[], located = true): ReplicaWalk {
  const locator = {
    keyOf: () => "1",
    known: () => known,
    forget: (_: string, placement?: Placement) => {
      if (placement === undefined || placement === known) known = undefined;
    },
  };
  const filerDoors = filers.map((replica): Door => {
    return { replica, url: replica, direct: false, pass: fixedPass(undefined) };
  });
  const cluster = {
    locator: located ? locator : undefined,
    doors: {
      access: located ? "direct" : "filer",
      filerFallback: filers.length > 0,
      protocol: "http:",
      dataCenter: "",
      filer: { chunkDoors: () => filerDoors },
      busy: new BusyServers(() => now),
      random: () => 0.99,
    },
  } as unknown as Cluster;
  const find = async () => {
    if (known !== undefined) return known;
    const next = found[Math.min(lookups++, found.length - 1)];
    if (next === undefined || next instanceof Error) throw next;
    known = next;
    return next;
  };
  return new ReplicaWalk(cluster, located ? ({ find } as unknown as Lookups) : undefined, () =>
    Promise.reject(new ReadaheadError("lost", "By script")),
  );
}

/** Asks; who has no error given for it answers. */
function ask(errors: Readonly<Record<string, Error>>, tried: readonly string[] = []) {
  asked = [];
  left = [];
  return walk.ask(
    chunk,
    context,
    (replica) => tried.includes(replica),
    async (door) => {
      asked.push(door.replica);
      left.push({ alternatives: door.alternatives, hurry: door.hurry });
      if (errors[door.replica] !== undefined) throw errors[door.replica];
      return door.replica;
    },
  );
}

describe("a replica without the chunk", () => {
  it("is followed by the next one at once", async () => {
    expect(await ask({ a: gone })).toBe("b");
    expect([asked, lookups]).toEqual([["a", "b"], 1]);
  });

  it("is not asked a second time when all were looked up again, whoever is new is", async () => {
    found = [at("a", "b"), at("a", "c", "b")];
    expect(await ask({ a: gone, b: gone })).toBe("c");
    expect([asked, lookups]).toEqual([["a", "b", "c"], 2]);
  });

  it.each([[[]], [["filer"]]])(
    "and with it every other one, then and after a second lookup: it is lost (%j)",
    async (filers) => {
      walk = createWalk(filers);
      await expect(ask({ a: gone, b: gone })).rejects.toMatchObject({ kind: "lost" });
      // What the filer would proxy to has just been asked.
      expect([asked, lookups]).toEqual([["a", "b"], 2]);
    },
  );

  it("says nothing of one that was asked in vain before: it may have it", async () => {
    const reading = ask({ b: gone }, ["a"]);
    await expect(reading).rejects.toMatchObject({ kind: "unavailable", status: 404 });
    expect([asked, lookups]).toEqual([["b"], 1]);
  });

  it("behind a filer is asked for six times, then the other filer is", async () => {
    found = [unavailable()];
    walk = createWalk(["f", "g"]);
    await expect(ask({ f: gone, g: gone })).rejects.toMatchObject({ kind: "lost" });
    expect(asked).toEqual([...Array(6).fill("f"), ...Array(6).fill("g")]);
  });
});

describe("a replica that fails otherwise", () => {
  it("is left to the engine", async () => {
    const failed = unavailable();
    await expect(ask({ a: failed })).rejects.toBe(failed);
    expect(asked).toEqual(["a"]);
    await expect(ask({}, ["a", "b"])).rejects.toMatchObject({
      kind: "unavailable",
      status: undefined,
    });
    expect(asked).toEqual([]);
  });

  it("has alternatives as long as anybody is left, and is hurried for its equals alone", async () => {
    walk = createWalk(["f", "g"]);
    await expect(ask({ a: gone, b: unavailable() })).rejects.toThrow();
    expect(left).toEqual([
      { alternatives: true, hurry: true },
      { alternatives: true, hurry: false },
    ]);
    await ask({}, ["a", "b"]);
    await expect(ask({ f: unavailable() }, ["a", "b"])).rejects.toThrow();
    expect(left).toEqual([{ alternatives: true, hurry: true }]);
    await ask({}, ["a", "b", "f"]);
    expect(left).toEqual([{ alternatives: false, hurry: false }]);
  });

  it("is not hurried for one that failed lately", async () => {
    context = { ...context, suspect: (replica) => replica === "b" };
    await ask({});
    expect(left).toEqual([{ alternatives: true, hurry: false }]);
  });

  it("because it is busy is asked after its equals for as long as it said", async () => {
    walk = createWalk(["f"]);
    const busy = new ReadaheadError("throttled", "By script", { retryAfterMs: 5_000 });
    await expect(ask({ a: busy })).rejects.toMatchObject({
      kind: "throttled",
      replica: "a",
      alternatives: true,
      retryAfterMs: 5_000,
    });
    now = 4_999;
    expect(await ask({})).toBe("b");
    // A filer would proxy to the same servers: it is no alternative.
    await expect(ask({ b: busy }, ["a"])).rejects.toMatchObject({ alternatives: false });
    now = 5_000;
    expect(await ask({})).toBe("a");
  });
});

describe("silence", () => {
  const told = { kind: "unavailable", retryAfterMs: 90_000 };

  it("of a replica is met once before the object's first bytes, then never again", async () => {
    await expect(ask({ a: silent })).rejects.toBe(silent);
    await expect(ask({ b: silent })).rejects.toBe(silent);
    expect(asked).toEqual(["b"]);
    await expect(ask({})).rejects.toMatchObject(told);
    expect(asked).toEqual([]);
    walk.answered();
    expect(await ask({})).toBe("a");
  });

  it("of the masters, too", async () => {
    found = [silent, at("a")];
    await expect(ask({})).rejects.toBe(silent);
    await expect(ask({})).rejects.toMatchObject(told);
    expect(await walk.refresh(chunk, context)).toBe(false);
    expect(lookups).toBe(1);
    walk.answered();
    expect(await ask({})).toBe("a");
  });
});

describe("a refresh", () => {
  const refreshed = (next: Placement | Error) => {
    found = [found[0] as Placement, next];
    return walk.refresh(chunk, context);
  };

  beforeEach(async () => void (await ask({})));

  it.each([
    ["the same servers", at("b", "a"), false],
    ["another server", at("a", "c"), true],
    ["a server more", at("a", "b", "c"), true],
    ["a server less", at("a"), true],
    ["another token", { ...at("a", "b"), token: "new" }, true],
    ["no answer", unavailable(), false],
  ])("that brings %s", async (_, next, changed) => {
    expect(await refreshed(next)).toBe(changed);
    expect(lookups).toBe(2);
  });

  it("takes what somebody else has looked up since", async () => {
    known = at("c");
    expect(await refreshed(at("d"))).toBe(true);
    expect(lookups).toBe(1);
  });

  it("keeps what others know of a chunk that was never asked for", async () => {
    const other = { ...chunk };
    expect(await walk.refresh(other, context)).toBe(true);
    expect(lookups).toBe(1);
  });

  it("has no answer for who has left", async () => {
    context.abort(new Error("left"));
    await expect(refreshed(unavailable())).rejects.toMatchObject({ kind: "unavailable" });
  });

  it("looks nothing up where chunks come through the filer", async () => {
    walk = createWalk(["f"], false);
    expect(await walk.refresh(chunk, context)).toBe(false);
    expect(await walk.names(chunk, context)).toEqual(["f"]);
    expect(lookups).toBe(1);
  });
});
