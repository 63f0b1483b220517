import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type TailStreams, tail } from "../../cli/tail.ts";
import { syntheticRecord, tailItem } from "./support/tail-items.ts";

const fast = syntheticRecord({
  parts: 4,
  partBytes: 1_000_000,
  key: "fast.bin",
  request: "ray-fast",
});
const slow = syntheticRecord({ parts: 9, wait: () => 700, key: "slow.bin", request: "ray-slow" });
const failed = syntheticRecord({
  parts: 9,
  leaveAt: 2,
  endedBy: "upstream",
  error: new Error("boom"),
  key: "failed.bin",
  request: "ray-failed",
});

async function run(
  argv: readonly string[],
  text: readonly (string | Uint8Array)[] = [],
  more: Partial<TailStreams> = {},
) {
  let out = "";
  let err = "";
  async function* input() {
    yield* text;
  }
  const code = await tail(argv, {
    input: input(),
    out: (piece) => {
      out += piece;
    },
    err: (piece) => {
      err += piece;
    },
    env: {},
    ...more,
  });
  return { code, out, err };
}

const items = [fast, slow, failed]
  .map((record) => JSON.stringify(tailItem([[record]]), null, 2))
  .join("\n");

async function widest(columns: number): Promise<number> {
  return Math.max(
    ...(await run(["--all"], [items], { columns })).out
      .split("\n")
      .filter((line) => line.includes("░"))
      .map((line) => line.length),
  );
}

describe("tail", () => {
  it("prints a line per download: time, status, outcome, object, range, bytes, rate and first byte", async () => {
    const { code, out, err } = await run([], [items]);
    expect(code).toBe(0);
    expect(out.split("\n")[0]).toBe(
      "07:33:29.876  200  complete         files/fast.bin  [0, 4000000)  4.00 MB  in 55 ms  72.7 MB/s  first byte 25 ms  ray-fast",
    );
    expect(out.trimEnd().split("\n")).toHaveLength(3);
    expect(err).toBe("3 downloads\n");
  });

  it.each([
    ["8f1c2d3e4f5a6b7c", "8f1c2d3e4f5a6b7c-FRA"],
    ["8f1c2d3e4f5a6b7c-FRA", "8f1c2d3e4f5a6b7c"],
  ])("finds the download %s by %s: with its data centre or without", async (request, asked) => {
    const { out } = await run(["--request", asked], [JSON.stringify({ ...fast, request })]);
    expect(out).toContain("part  from");
  });

  it("shows a fault of the Worker, beside records as JSON on standard error", async () => {
    const text = "edge-readahead is not configured: MOUNTS is missing";
    const fault = JSON.stringify(tailItem([[text]]));
    expect((await run([], [fault])).out).toContain(text);
    const { out, err } = await run(["--json"], [fault]);
    expect([out, err.includes(text)]).toEqual(["", true]);
  });

  it("counts a document that is cut off as a line skipped", async () => {
    const { code, err } = await run([], [items, '\n{"outcome":']);
    expect([code, err]).toEqual([0, "3 downloads, 1 line skipped\n"]);
  });

  it("ends well where the input breaks because it was told to end, and only then", async () => {
    async function* broken() {
      yield items;
      throw new Error("The input is closed");
    }
    const ended = await run([], [], { input: broken(), signal: AbortSignal.abort() });
    expect([ended.code, ended.err]).toEqual([0, "3 downloads\n"]);
    const failing = await run([], [], { input: broken() });
    expect([failing.code, failing.err]).toEqual([1, "The input is closed\n3 downloads\n"]);
  });

  it("hands every record on where none is chosen", async () => {
    const { out } = await run(["--json"], [items]);
    expect(out.trimEnd().split("\n")).toHaveLength(3);
    expect((await run(["--json", "--request", "ray"], [items])).out).toBe("");
  });

  it("takes a download that took exactly so long for slow", async () => {
    const { out } = await run(["--json", "--slow", String(fast.totalMs)], [items]);
    expect(out).toContain('"ray-fast"');
    const longer = await run(["--json", "--slow", String(fast.totalMs + 1)], [items]);
    expect(longer.out).not.toContain('"ray-fast"');
  });

  it("tells what a download cost, one or several", async () => {
    const record = {
      ...fast,
      retries: 1,
      hedges: 2,
      letGo: 1,
      bytesWasted: 99_960,
      openAfterClose: 1,
    };
    const { out } = await run([], [JSON.stringify(tailItem([[record]]))]);
    expect(out).toContain("  1 retry  2 hedges  1 let go  100 kB wasted  1 left open  ");
  });

  it("lets no character of a record act upon the terminal as JSON either", async () => {
    const hostile = { ...fast, key: "\u009b31m\u202e\u{e0001}\n" };
    const { out } = await run(["--json"], [JSON.stringify(hostile)]);
    expect(out).toContain(String.raw`"\u009b31m\u202e\udb40\udc01\n"`);
    expect(JSON.parse(out)).toMatchObject({ key: hostile.key });
  });

  it("tells why a download was refused: its own link, or the store that does not know our key", async () => {
    const line = async (message: string) => {
      const record = {
        ...fast,
        status: 403,
        outcome: "refused",
        error: { kind: "denied", message },
      };
      return (await run([], [JSON.stringify(tailItem([[record]]))])).out;
    };
    for (const message of ["Upstream answered 403", "Link is not valid: expired"])
      expect(await line(message)).toContain(`  denied: ${message}  `);
  });

  it("marks what is no download: HEAD, and a plan that was asked for", async () => {
    const named = async (more: object) =>
      (await run([], [JSON.stringify({ ...fast, ...more })])).out.split(/ {2,}/)[3];
    expect(await named({ method: "HEAD" })).toBe("HEAD files/fast.bin");
    expect(await named({ explain: true })).toBe("explain files/fast.bin");
    expect(await named({ method: "HEAD", explain: true })).toBe("HEAD explain files/fast.bin");
  });

  it("marks a path that names no key", async () => {
    const { out } = await run([], [JSON.stringify(tailItem([[{ ...fast, key: null }]]))]);
    expect(out).toContain("  files/?  ");
  });

  it.each([-1e20, 1e300, 9e15])("goes on behind a time that no clock shows: %d", async (time) => {
    const odd = tailItem([], { outcome: "canceled", eventTimestamp: time });
    const { code, out } = await run([], [`${JSON.stringify(odd)}\n${items}`]);
    expect(code).toBe(0);
    expect(out.split("\n")[0]).toMatch(/^--:--:--\.--- --- canceled/);
    expect(out).toContain("fast.bin");
  });

  it("lets nothing of an item write into the terminal", async () => {
    const escape = "\u001b[31m";
    const broken = tailItem([], { outcome: `can${escape}celed` });
    const error = { kind: null, message: escape };
    const names = { method: `G${escape}`, key: escape, request: escape, mount: escape };
    const record = { ...fast, ...names, error };
    const { out } = await run([], [JSON.stringify([broken, tailItem([[record]])])]);
    expect(out.split("\n")).toHaveLength(3);
    expect(out).not.toContain("\u001b");
  });

  it("reads bytes that are split anywhere, within a character too", async () => {
    const bytes = new TextEncoder().encode(
      JSON.stringify(tailItem([[{ ...fast, key: "größe-☃.bin" }]])),
    );
    const pieces = Array.from(bytes, (_, i) => bytes.slice(i, i + 1));
    expect((await run([], pieces)).out).toContain("files/größe-☃.bin");
  });

  it.each([
    [["--slow", "500"], "slow.bin"],
    [["--failed"], "failed.bin"],
    [["--request", "ray-fast"], "fast.bin"],
  ])("draws the downloads chosen by %j", async (argv, name) => {
    const { out } = await run(argv, [items]);
    const lines = out.split("\n");
    const drawn = lines.flatMap((line, i) =>
      (lines[i + 1] ?? "").includes("part  from") ? [line] : [],
    );
    expect(drawn).toHaveLength(1);
    expect(drawn[0]).toContain(name);
  });

  it("prints the chosen records as JSON, readable by itself again", async () => {
    const { out } = await run(["--json", "--failed"], [items]);
    expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(failed)));
    expect((await run([], [out])).out).toContain("failed.bin");
  });

  it("goes on behind lines it does not know, and says how many it skipped", async () => {
    const { code, out, err } = await run(
      [],
      [
        "Connected to edge, waiting for logs...\n",
        items,
        '\n{"what": "is this"}\n{broken\n',
        JSON.stringify(tailItem([], { outcome: "exceededMemory" })),
        JSON.stringify(tailItem([])),
      ],
    );
    expect(code).toBe(0);
    expect(out).toContain("exceededMemory");
    expect(out).not.toContain("REDACTED");
    expect(err).toBe(
      "3 downloads, 1 ended by the runtime without a record, 1 other request, 3 lines skipped\n",
    );
  });

  it("uses colours on a terminal only, and not where they are unwanted", async () => {
    expect((await run([], [items], { isTTY: true })).out).toContain("\u001b[");
    expect((await run([], [items])).out).not.toContain("\u001b[");
    expect((await run(["--no-color"], [items], { isTTY: true })).out).not.toContain("\u001b[");
    expect((await run([], [items], { isTTY: true, env: { NO_COLOR: "1" } })).out).not.toContain(
      "\u001b[",
    );
  });

  it("draws as many rows as it is told", async () => {
    const { out } = await run(["--request", "ray-slow", "--rows", "4"], [items]);
    expect(out.split("\n").filter((line) => /^ +\d+  r/.test(line))).toHaveLength(4);
    expect(out).toContain("5 of 9 parts are not drawn");
  });

  it("follows the width of the terminal", async () => {
    expect(await widest(80)).toBeLessThanOrEqual(80);
    expect(await widest(140)).toBeGreaterThan(100);
  });

  it.each([
    [["--slow", "soon"]],
    [["--width", "-1"]],
    [["--rows", "0"]],
    [["--nonsense"]],
    [["--once"]],
    [["--url", "http://localhost:8787"]],
    [["--local", "my-worker"]],
    [["--local", "--url", "localhost:8787"]],
  ])("refuses %j and shows what there is", async (argv) => {
    const { code, err } = await run(argv);
    expect(code).toBe(2);
    expect(err).toContain("Usage: edge-readahead tail");
  });

  it("replaces control characters of a key", async () => {
    const { out } = await run([], [JSON.stringify({ ...fast, key: "a\u001b[2Jb\nc" })]);
    expect(out).toContain("a\u{FFFD}[2Jb\u{FFFD}c");
  });
});

describe("tail --local", () => {
  const servers: ReturnType<typeof createServer>[] = [];
  afterEach(async () => {
    await Promise.all(
      servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))),
    );
  });

  async function serve(answer: (sql: string) => unknown): Promise<string> {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (piece) => (body += String(piece)));
      request.on("end", () => {
        const { sql } = JSON.parse(body) as { sql: string };
        response.setHeader("connection", "close").end(JSON.stringify(answer(sql)));
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it("draws what Local Explorer kept, each record once", async () => {
    const rows = [
      [4, 1_795_419_208_764, JSON.stringify(["[edge-readahead]", fast])],
      [7, 1_795_419_208_900, JSON.stringify(["[edge-readahead]", slow])],
    ];
    const leaving = new AbortController();
    let calls = 0;
    const url = await serve((sql) => {
      if (++calls === 3) leaving.abort();
      const after = Number(/rowid > (\d+)/.exec(sql)?.[1]);
      return {
        success: true,
        result: { columns: [], rows: rows.filter(([rowid]) => Number(rowid) > after) },
      };
    });
    const { code, out, err } = await run(["--local", "--url", url, "--slow", "500"], [], {
      signal: leaving.signal,
    });
    expect(code).toBe(0);
    expect(out.match(/fast\.bin/g)).toHaveLength(1);
    expect(out).toContain("part  from");
    expect(err).toBe("2 downloads\n");
    expect(calls).toBe(3);
  });

  it("reads on behind a full page", async () => {
    const message = JSON.stringify(["[edge-readahead]", fast]);
    const rows = Array.from({ length: 201 }, (_, i) => [i + 1, 1_795_419_208_764 + i, message]);
    const url = await serve((sql) => {
      const after = Number(/rowid > (\d+)/.exec(sql)?.[1]);
      const limit = Number(/limit (\d+)/.exec(sql)?.[1]);
      return { success: true, result: { columns: [], rows: rows.slice(after, after + limit) } };
    });
    expect((await run(["--local", "--once", "--url", url])).err).toBe("201 downloads\n");
  });

  it("says what it could not read, and where", async () => {
    const url = await serve(() => ({ success: false }));
    const { code, err } = await run(["--local", "--once", "--url", url]);
    expect(code).toBe(1);
    expect(err).toContain("Could not read the Local Explorer");
    const gone = await run(["--local", "--once", "--url", "http://127.0.0.1:9"]);
    expect(gone.code).toBe(1);
    expect(gone.err).toContain("Could not reach wrangler dev at http://127.0.0.1:9");
  });
});
