/** Which of several servers is asked, when another one is, and who is left in peace. */
import { beforeEach, describe, expect, it } from "vitest";
import { type ErrorKind, ReadaheadError } from "../../../src/errors.ts";
import { Servers } from "../../../src/sources/seaweedfs/servers.ts";
import { createTestDownload, type TestDownload } from "../../support/permits.ts";

const [a, b, c] = ["http://a", "http://b", "http://c"].map((url) => new URL(url)) as [
  URL,
  URL,
  URL,
];
const silent = { connection: true, silent: true };
const reset = { connection: true };

let now: number;
let servers: Servers;
let context: TestDownload;
/** Who was asked, and whether another one could be. */
let asked: [string, boolean][];

beforeEach(() => {
  now = 0;
  servers = new Servers([a, b, c], () => now);
  context = createTestDownload();
  asked = [];
});

const fault = (kind: ErrorKind, more = {}) => new ReadaheadError(kind, `${kind} of a server`, more);

/** Asks; every server fails with what is given for it, over and over, or answers with its name. */
function ask(faults: Readonly<Record<string, Error>>, dispensable = false): Promise<string> {
  return servers.ask(
    context,
    async ({ host }, alternatives) => {
      asked.push([host, alternatives]);
      if (faults[host] !== undefined) throw faults[host];
      return host;
    },
    dispensable,
  );
}

const names = () => asked.map(([host]) => host);
const order = () => servers.order({}).map(({ host }) => host);

describe("Servers", () => {
  it.each<ErrorKind>(["unavailable", "throttled", "truncated", "denied", "protocol"])(
    "asks the next one after %s",
    async (kind) => {
      expect(await ask({ a: fault(kind) })).toBe("b");
      expect(asked).toEqual([
        ["a", true],
        ["b", true],
      ]);
    },
  );

  it.each<ErrorKind>(["not-found", "unsupported", "too-many-parts", "config"])(
    "asks nobody else after %s",
    async (kind) => {
      await expect(ask({ a: fault(kind) })).rejects.toMatchObject({ kind });
      expect(names()).toEqual(["a"]);
    },
  );

  it("asks nobody else after a fault of ours", async () => {
    await expect(ask({ a: new TypeError("ours") })).rejects.toThrow(TypeError);
    expect(names()).toEqual(["a"]);
  });

  it("says whether there is another one, or another way", async () => {
    const all = { a: fault("throttled"), b: fault("throttled"), c: fault("throttled") };
    await expect(ask(all)).rejects.toMatchObject({ kind: "throttled" });
    expect(asked.map(([, alternatives]) => alternatives)).toEqual([true, true, false]);
    asked = [];
    await expect(ask(all, true)).rejects.toMatchObject({ kind: "throttled" });
    expect(asked.map(([, alternatives]) => alternatives)).toEqual([true, true, true]);
  });

  it("fails with what the first said that answered, else with the last failure", async () => {
    const unavailable = { a: fault("unavailable"), c: fault("unavailable") };
    await expect(ask({ ...unavailable, b: fault("denied") })).rejects.toMatchObject({
      kind: "denied",
    });
    await expect(ask({ ...unavailable, b: fault("throttled") })).rejects.toBe(unavailable.c);
  });

  it("asks the one first that answered last", async () => {
    await ask({ a: fault("throttled") });
    expect(order()).toEqual(["b", "c", "a"]);
    await ask({});
    expect(names()).toEqual(["a", "b", "b"]);
  });

  it("asks once more where a kept connection was reset, and not a silent one", async () => {
    expect(await ask({ a: fault("unavailable", reset) })).toBe("b");
    expect(names()).toEqual(["a", "a", "b"]);
    asked = [];
    expect(await ask({ b: fault("unavailable", silent) })).toBe("c");
    expect(names()).toEqual(["b", "c"]);
  });

  it("leaves who could not be reached for 90 s to the last, others not", async () => {
    await ask({ a: fault("unavailable", silent), b: fault("unavailable") });
    expect(order()).toEqual(["c", "b", "a"]);
    now = 89_999;
    expect(order()).toEqual(["c", "b", "a"]);
    now = 90_000;
    expect(order()).toEqual(["c", "a", "b"]);
  });

  it("forgives whoever answers", async () => {
    const faults = { a: fault("unavailable", silent), b: fault("unavailable", silent) };
    await expect(ask({ ...faults, c: fault("unavailable", silent) })).rejects.toThrow();
    expect(await ask({})).toBe("a");
    expect(await ask({ a: fault("throttled") })).toBe("b");
    expect(order()).toEqual(["b", "a", "c"]);
  });

  it("leaves to the last whom the download suspects", () => {
    const suspect = (host: string) => host === "a";
    expect(servers.order({ suspect }).map(({ host }) => host)).toEqual(["b", "c", "a"]);
  });

  it("does not ask who was silent or reset lately where there is another way, who was reset after seconds", async () => {
    servers = new Servers([a, b], () => now);
    const faults = { a: fault("unavailable", silent), b: fault("unavailable", reset) };
    await expect(ask(faults)).rejects.toThrow();
    asked = [];
    await expect(ask(faults, true)).rejects.toMatchObject({ kind: "unavailable" });
    expect(names()).toEqual([]);
    now += 5_000;
    await expect(ask(faults, true)).rejects.toBe(faults.b);
    expect(names()).toEqual(["b", "b"]);
    asked = [];
    await expect(ask(faults)).rejects.toThrow();
    expect(names()).toEqual(["a", "b", "b"]);
    servers = new Servers([a], () => now);
    await expect(ask(faults)).rejects.toBe(faults.a);
    await expect(ask(faults, true)).rejects.toMatchObject({ kind: "unavailable", replica: "a" });
  });

  it("asks nobody else once its download has ended, and remembers who was silent to its end", async () => {
    const failing = servers.ask(context, async ({ host }) => {
      asked.push([host, true]);
      context.abort(new Error("left"));
      throw fault("unavailable", silent);
    });
    await expect(failing).rejects.toMatchObject({ kind: "unavailable" });
    expect(names()).toEqual(["a"]);
    expect(order()).toEqual(["b", "c", "a"]);
  });

  it("asks no second time whose connection was reset by the download's end", async () => {
    const failing = servers.ask(context, async ({ host }) => {
      asked.push([host, true]);
      context.abort(new Error("left"));
      throw fault("unavailable", reset);
    });
    await expect(failing).rejects.toThrow();
    expect(names()).toEqual(["a"]);
  });
});
