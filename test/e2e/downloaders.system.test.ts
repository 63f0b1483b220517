/** Downloaders as people have them, against `npm start`: ranges, resumed and parallel downloads, byte for byte. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blocks, rampSample, textSample } from "../../scripts/samples.ts";
import { MiB } from "../support/units.ts";
import { type Started, startLocal } from "./support/start.ts";

const run = promisify(execFile);
const ramp = rampSample("ramp.bin", 64 * MiB);
const rampHash = createHash("sha256");
for (const block of blocks(ramp)) rampHash.update(block);
const rampDigest = rampHash.digest("hex");

let local: Started;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-readahead-downloads-"));
  local = await startLocal(["--ramp-mib", "64", "--delay", "5"]);
}, 120_000);

afterAll(async () => {
  await local?.close();
  await rm(folder, { recursive: true, force: true });
});

async function digest(file: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
}

/** The first part of the file, as an interrupted download leaves it. */
async function begun(file: string, bytes: number): Promise<void> {
  await writeFile(file, Buffer.concat([...blocks(ramp, 0, bytes)]));
  await truncate(file, bytes);
}

for (const mount of ["files", "origin"]) {
  describe(`downloads from the mount "${mount}"`, () => {
    const url = () => `${local.base}/${mount}/ramp.bin`;
    const place = (name: string) => join(folder, `${mount}-${name}`);

    it("curl: whole", async () => {
      await run("curl", ["-sS", "--fail", "-o", place("curl"), url()]);
      expect(await digest(place("curl"))).toBe(rampDigest);
    });

    it("curl -r: a range, the end, the last byte", async () => {
      for (const [range, start, end] of [
        ["1000003-9000007", 1_000_003, 9_000_008],
        [`${60 * MiB}-`, 60 * MiB, ramp.size],
        ["-1", ramp.size - 1, ramp.size],
      ] as const) {
        await run("curl", ["-sS", "--fail", "-r", range, "-o", place("range"), url()]);
        const wanted = Buffer.concat([...blocks(ramp, start, end)]);
        expect((await readFile(place("range"))).equals(wanted), range).toBe(true);
      }
    });

    it("curl -C -: goes on where it stopped", async () => {
      await begun(place("resumed"), 11 * MiB + 3);
      await run("curl", ["-sS", "--fail", "-C", "-", "-o", place("resumed"), url()]);
      expect(await digest(place("resumed"))).toBe(rampDigest);
    });

    it("curl --compressed: a text keeps its bytes", async () => {
      const text = textSample("hello.txt");
      const from = `${local.base}/${mount}/hello.txt`;
      await run("curl", ["-sS", "--fail", "--compressed", "-o", place("text"), from]);
      expect((await readFile(place("text"))).equals(Buffer.from(text.bytes(0, text.size)))).toBe(
        true,
      );
    });

    it("wget -c: goes on where it stopped", async () => {
      await begun(place("wget"), 7 * MiB + 1);
      await run("wget", ["-q", "-c", "-O", place("wget"), url()]);
      expect(await digest(place("wget"))).toBe(rampDigest);
    });

    it("aria2c -x8: eight connections at once", async () => {
      const options = ["-q", "-x8", "-s8", "-k1M", "--allow-overwrite=true", "-d", folder];
      await run("aria2c", [...options, "-o", `${mount}-aria2`, url()]);
      expect(await digest(place("aria2"))).toBe(rampDigest);
    });
  });
}
