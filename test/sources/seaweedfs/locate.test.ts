/** What a mount knows of where chunks lie, and which doors it makes of that. */
import { beforeEach, describe, expect, it } from "vitest";
import { type ErrorKind, ReadaheadError } from "../../../src/errors.ts";
import { BusyServers } from "../../../src/sources/seaweedfs/busy.ts";
import type { Chunk } from "../../../src/sources/seaweedfs/chunk.ts";
import { type DoorOptions, findDoors } from "../../../src/sources/seaweedfs/doors.ts";
import { Filer } from "../../../src/sources/seaweedfs/filer.ts";
import {
  Locator,
  type LocatorOptions,
  type Lookups,
  type Placement,
} from "../../../src/sources/seaweedfs/locate.ts";
import { createTestDownload, type TestDownload } from "../../support/permits.ts";

let context: TestDownload & { suspect?(replica: string): boolean };
/** Hosts of masters, as they were asked, and what they answer. */
let asked: string[];
let answers: Record<string, () => Response>;

beforeEach(() => {
  context = createTestDownload();
  asked = [];
  answers = { a: () => located({ url: "v:1" }), b: () => located({ url: "v:2" }) };
});

function located(...locations: readonly object[]): Response {
  return Response.json({ locations });
}

function createLocator(options: Partial<LocatorOptions> = {}): Locator {
  return new Locator({
    masters: [new URL("http://a"), new URL("http://b")],
    fetch: async (url) => {
      const { host } = new URL(url);
      asked.push(host);
      return answers[host]?.() ?? new Response(null, { status: 500 });
    },
    address: "public",
    allows: () => true,
    ttlMs: 60_000,
    tokens: false,
    dispensable: false,
    now: () => 0,
    ...options,
  });
}

describe("Locator", () => {
  const hosts = async (locator = createLocator()) =>
    (await locator.ask("1", context)).locations.map(({ host }) => host);

  it.each([
    ["does not know the volume", () => new Response("{}", { status: 404 })],
    ["names no server", () => located()],
    ["has no leader", () => new Response(null, { status: 503 })],
  ])("asks another master where one %s", async (_, answer) => {
    answers["a"] = answer;
    expect(await hosts()).toEqual(["v:2"]);
    answers["b"] = answer;
    await expect(hosts()).rejects.toMatchObject({ kind: "unavailable" });
  });

  it("takes a refusal for none of locations, whatever comes with it", async () => {
    answers["a"] = () => Response.json({ locations: [{ url: "v:3" }] }, { status: 403 });
    expect(await hosts()).toEqual(["v:2"]);
  });

  it.each([
    ["public", { url: "in:1", publicUrl: "out:1" }, "out:1"],
    ["public", { url: "in:1" }, "in:1"],
    ["internal", { url: "in:1", publicUrl: "out:1" }, "in:1"],
    ["internal", { publicUrl: "out:1" }, "out:1"],
  ] as const)("takes the %s address of %j, else the other", async (address, location, host) => {
    answers["a"] = () => located(location);
    expect(await hosts(createLocator({ address }))).toEqual([host]);
  });

  it("announces that there is another master, or another way than masters", async () => {
    answers["a"] = () => new Response(null, { status: 500 });
    await hosts();
    await hosts(createLocator({ masters: [new URL("http://b")], dispensable: true }));
    expect(context.permits.asks.map(({ alternatives }) => alternatives)).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("forgets a placement, but not one that has taken its place", async () => {
    const locator = createLocator();
    const first = await locator.ask("1", context);
    const second = await locator.ask("1", context);
    locator.forget("1", first);
    expect(locator.known("1")).toBe(second);
    locator.forget("1", second);
    expect(locator.known("1")).toBeUndefined();
  });

  it("keeps ten thousand, and forgets those first that were looked up longest ago", async () => {
    const locator = createLocator();
    for (let key = 0; key < 10_000; key++) await locator.ask(`${key}`, context);
    const known = (...keys: readonly number[]) =>
      keys.map((key) => locator.known(`${key}`) !== undefined);
    await locator.ask("5", context);
    expect(known(0, 5)).toEqual([true, true]);
    for (let key = 10_000; key < 10_006; key++) await locator.ask(`${key}`, context);
    expect(known(0, 1, 2, 3, 4, 5, 6, 7)).toEqual([...Array(5).fill(false), true, false, true]);
  });
});

describe("doors", () => {
  const chunk = { fid: "1,0100000001" } as Chunk;
  const filer = new Filer({
    urls: [new URL("http://f"), new URL("http://g")],
    fetch: () => Promise.reject(new Error("Not asked")),
    metadataBytes: 1,
    now: () => 0,
  });
  const at = (...names: readonly (readonly [string, string])[]): Placement => ({
    locations: names.map(([host, dataCenter]) => ({ host, dataCenter })),
    until: Infinity,
  });

  let busy: BusyServers;
  let now: number;

  beforeEach(() => {
    now = 0;
    busy = new BusyServers(() => now);
  });

  async function doorsOf(found: Placement | Error, options: Partial<DoorOptions> = {}) {
    const find = () => (found instanceof Error ? Promise.reject(found) : Promise.resolve(found));
    const { doors } = await findDoors(
      chunk,
      {
        access: "direct",
        filerFallback: true,
        protocol: "http:",
        dataCenter: "near",
        signer: undefined,
        filer,
        locator: undefined,
        busy,
        random: () => 0.99,
        ...options,
      },
      { find } as unknown as Lookups,
      context,
    );
    return doors.map(({ replica }) => replica);
  }

  const three = at(["x", "far"], ["y", "near"], ["z", "near"]);

  it("go from near to far, busy ones after them, then filers, then those that failed lately", async () => {
    expect(await doorsOf(three)).toEqual(["y", "z", "x", "filer/f", "filer/g"]);
    busy.add("y");
    context = { ...context, suspect: (replica) => replica === "z" };
    expect(await doorsOf(three)).toEqual(["x", "y", "filer/f", "filer/g", "z"]);
    expect(await doorsOf(three, { filerFallback: false })).toEqual(["x", "y", "z"]);
    now = 999;
    expect(busy.has("y")).toBe(true);
    now = 1_000;
    expect(busy.has("y")).toBe(false);
  });

  it.each(["f", "filer/f"])("of a filer go last where %s failed lately", async (name) => {
    context = { ...context, suspect: (replica) => replica === name };
    expect(await doorsOf(at())).toEqual(["filer/g", "filer/f"]);
  });

  it.each<ErrorKind>([
    "unavailable",
    "throttled",
    "truncated",
    "denied",
    "protocol",
    "unsupported",
  ])("are the filer's where masters fail with %s, if it may be asked", async (kind) => {
    const failure = new ReadaheadError(kind, "By script");
    expect(await doorsOf(failure)).toEqual(["filer/f", "filer/g"]);
    await expect(doorsOf(failure, { filerFallback: false })).rejects.toBe(failure);
    context.abort(new Error("left"));
    await expect(doorsOf(failure)).rejects.toBe(failure);
  });

  it.each<ErrorKind>(["config", "too-many-parts"])("are none after %s", async (kind) => {
    const failure = new ReadaheadError(kind, "By script");
    await expect(doorsOf(failure)).rejects.toBe(failure);
  });

  it("are the filer's alone where the mount says so", async () => {
    expect(await doorsOf(three, { access: "filer" })).toEqual(["filer/f", "filer/g"]);
  });
});
