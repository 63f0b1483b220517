/** Waterfalls of trace items that a real Tail Worker received (test/e2e/observe-replicas.test.ts records them). */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { tail } from "../../cli/tail.ts";

const fixtures = resolve(import.meta.dirname, "../fixtures/observe");

async function draw(name: string): Promise<string> {
  const text = await readFile(join(fixtures, name), "utf8");
  let out = "";
  await tail(["--all", "--width", "100"], {
    // Split in the middle of everything, as a pipe may do.
    input: (async function* () {
      for (let at = 0; at < text.length; at += 97) yield text.slice(at, at + 97);
    })(),
    out: (piece) => {
      out += piece;
    },
    err: () => {},
    env: {},
  });
  return out;
}

describe("tail, of a recorded item", () => {
  it("draws 64 parts of which a third came from a slow replica, and one was retried", async () => {
    const picture = await draw("slow-replica.json");
    expect(`\n${picture}`).toMatchSnapshot();
    const rows = picture.split("\n").filter((line) => /^ +\d+  r\d/.test(line));
    expect(rows).toHaveLength(64);
    expect(rows.filter((row) => row.includes("x2"))).toHaveLength(1);
    expect(picture).toContain("slowest: part");
  });
});
