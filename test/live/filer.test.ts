/** Objects written over the filer, in every form it stores them: `npm run test:live` with the variables of support/live.ts. */
import { afterAll, describe, expect, it } from "vitest";
import { createHandler } from "../../src/http/handler.ts";
import { encodePath } from "../../src/sources/seaweedfs/name.ts";
import { contentBytes, ramp } from "../support/object-bytes.ts";
import { downloadKey } from "../support/seaweedfs/download-object.ts";
import { encodeManifest } from "../support/seaweedfs/manifest-bytes.ts";
import { MiB } from "../support/units.ts";
import { chunkOf, createEntry, hasGrpc } from "./support/filer-grpc.ts";
import {
  askFiler,
  askVolume,
  entryOf,
  expectContent,
  factsOf,
  filer,
  folder,
  master,
  ok,
  put,
  removeAll,
  skip,
  sourceOf,
} from "./support/live.ts";

/** Has the deleted needle's bytes dropped: a master takes its time, and its answer comes after every volume's turn. */
async function vacuumed(server: string, fid: string): Promise<boolean> {
  for (const started = Date.now(); Date.now() - started < 90_000; ) {
    const signal = AbortSignal.timeout(5_000);
    await fetch(`${master}/vol/vacuum?garbageThreshold=0.00001`, { signal }).catch(() => undefined);
    const needle = await askVolume(server, fid);
    await needle.arrayBuffer();
    if (needle.status === 404) return true;
    if (needle.status === 401)
      throw new Error("Volume servers want a read token: set SEAWEEDFS_VOLUME_KEY");
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return false;
}

if (filer === "") {
  console.log("skipped: everything (set SEAWEEDFS_FILER and SEAWEEDFS_MASTER)");
  it.skip("needs a cluster", () => undefined);
} else {
  if (master === "") console.log("skipped: direct reads (set SEAWEEDFS_MASTER)");
  const source = sourceOf("");
  const grpc = await hasGrpc();
  const needsGrpc = "the filer's gRPC cannot be reached without TLS";

  afterAll(removeAll);

  describe("objects written over the filer", () => {
    it.each([0, 1, 1000, MiB, 3 * MiB, 3 * MiB + 77, 9 * MiB + 1])("of %i bytes", async (size) => {
      const content = contentBytes(ramp, 0, size);
      await expectContent(source, await put(`plain-${size}.bin`, content, "?maxMB=1"), content);
    });

    it("in one chunk of 16 MiB", async () => {
      const content = contentBytes(ramp, 0, 16 * MiB + 5);
      await expectContent(source, await put("large-chunk.bin", content, "?maxMB=16"), content);
    });

    it("as text, which is stored compressed", async (context) => {
      const text = Buffer.from("All work and no play makes a dull cluster.\n".repeat(60_000));
      const key = await put("text.txt", text, "?maxMB=1", { "content-type": "text/plain" });
      const [first] = (await entryOf(`/${key}`)).chunks;
      await expectContent(source, key, text);
      if (first?.cipher_key !== undefined) return;
      const init = { headers: { "accept-encoding": "gzip" } };
      const needle = await askFiler(`/?proxyChunkId=${first?.file_id}`, init);
      await needle.arrayBuffer();
      if (needle.headers.get("content-encoding") !== "gzip") skip(context, "nothing is compressed");
    });

    it("with checksums verified", async () => {
      const content = contentBytes(ramp, 0, 3 * MiB + 7);
      const key = await put("verified.bin", content, "?maxMB=1");
      await expectContent(sourceOf("", { verify: true }), key, content);
    });

    it.each([
      "a b/é#?%25+&.bin",
      "100%.bin",
      "%41%zz%2F.bin",
      "plus+and space.bin",
      "日本語/😀.bin",
      "é.bin",
      "quotes\"'`.bin",
      ";,=:@$!*()[]{}|^~.bin",
      "back\\slash.bin",
      "<tag>&amp;.bin",
      "...",
      "..two",
      "trailing.",
      " leading and trailing ",
      `${"long".repeat(50)}.bin`,
      "metadata=true",
      ".versions",
    ])("under the name %s", async (name) => {
      const content = contentBytes(ramp, 0, 500);
      await expectContent(source, await put(`names/${name}`, content), content);
    });

    it("with later writes over earlier ones, a hole, and an append", async () => {
      const content = new Uint8Array(3 * MiB + 50);
      const write = async (offset: number, value: number, length: number) => {
        const bytes = new Uint8Array(length).fill(value);
        content.fill(value, offset, offset + length);
        return put("overlap.bin", bytes, offset === 0 ? "" : `?offset=${offset}`);
      };
      await write(0, 1, 300_000);
      await write(100_000, 2, 100_000);
      await write(150_000, 3, 200_000);
      const key = await write(3 * MiB, 4, 50);
      await expectContent(source, key, content);
      await put("append.bin", contentBytes(ramp, 0, 5000));
      const appended = await put("append.bin", contentBytes(ramp, 5000, 9000), "?op=append");
      await expectContent(source, appended, contentBytes(ramp, 0, 9000));
    });

    it("stored with the entry itself", async (context) => {
      const content = contentBytes(ramp, 0, 500);
      const key = await put("inline.bin", content);
      if ((await entryOf(`/${key}`)).Content !== null) return expectContent(source, key, content);
      if (!grpc) skip(context, `the filer has no -saveToFilerLimit, and ${needsGrpc}`);
      await createEntry({ directory: folder, name: "i.bin", size: 500, chunks: [], content });
      expect((await entryOf(`${folder}/i.bin`)).Content).not.toBeNull();
      await expectContent(source, `${folder.slice(1)}/i.bin`, content);
    });

    it("of so many chunks that the filer folds them into a manifest", async (context) => {
      if (!grpc) skip(context, needsGrpc);
      const key = await put("piece.bin", contentBytes(ramp, 0, 251 * 8));
      const [chunk] = (await entryOf(`/${key}`)).chunks;
      if (chunk === undefined || chunk.cipher_key !== undefined)
        skip(context, "one chunk cannot stand in for many where each has its key");
      const count = 20_050;
      const chunks = Array.from({ length: count }, (_, i) =>
        chunkOf(chunk.file_id, { offset: i * 2008, size: 2008, timestamp: BigInt(i + 1) }),
      );
      await createEntry({ directory: folder, name: "folded.bin", size: count * 2008, chunks });
      const listed = (await entryOf(`${folder}/folded.bin`)).chunks;
      // By ten thousand in 4.44, by a few hundred in 4.53.
      const manifests = listed.filter((item) => item.is_chunk_manifest === true);
      expect(manifests.length).toBeGreaterThan(1);
      const folded = `${folder.slice(1)}/folded.bin`;
      for (const start of [0, 5_000_001, 20_079_000, 40_159_990, count * 2008 - 3000]) {
        const range = { start, end: start + 3000 };
        const { bytes } = await downloadKey(source, folded, { range });
        expect(Buffer.compare(bytes, contentBytes(ramp, start, start + 3000))).toBe(0);
      }
    });

    it("under manifests of manifests", async (context) => {
      if (!grpc) skip(context, needsGrpc);
      const content = contentBytes(ramp, 0, 4 * MiB);
      const key = await put("leaves.bin", content, "?maxMB=1");
      const leaves = (await entryOf(`/${key}`)).chunks;
      if (leaves.some((leaf) => leaf.cipher_key !== undefined))
        skip(context, "manifests made here are not ciphered");
      const children = leaves.map(({ file_id, offset = 0, size }) =>
        chunkOf(file_id, { offset, size, timestamp: BigInt(offset + 1) }),
      );
      const store = async (name: string, list: typeof children) => {
        const blob = await put(name, encodeManifest(list));
        const fid = (await entryOf(`/${blob}`)).chunks[0]?.file_id;
        if (fid === undefined) skip(context, "the filer stores small objects with their entry");
        const offset = list[0]?.offset ?? 0;
        const size = list.reduce((sum, child) => sum + child.size, 0);
        return chunkOf(fid, { offset, size, timestamp: BigInt(offset + 1), manifest: true });
      };
      const inner = [
        await store("inner-1.manifest", children.slice(0, 2)),
        await store("inner-2.manifest", children.slice(2)),
      ];
      const outer = await store("outer.manifest", inner);
      const size = content.length;
      await createEntry({ directory: folder, name: "nested.bin", size, chunks: [outer] });
      await expectContent(source, `${folder.slice(1)}/nested.bin`, content);
    });

    it("under two names of a hard link", async (context) => {
      if (!grpc) skip(context, needsGrpc);
      const content = contentBytes(ramp, 0, 2 * MiB + 9);
      const key = await put("link-target.bin", content, "?maxMB=1");
      const listed = (await entryOf(`/${key}`)).chunks;
      if (listed.some((chunk) => chunk.cipher_key !== undefined))
        skip(context, "a link made here has no chunk keys");
      const chunks = listed.map(({ file_id, offset = 0, size }) =>
        chunkOf(file_id, { offset, size, timestamp: BigInt(offset + 1) }),
      );
      const hardLink = { id: new Uint8Array(17).fill(Date.now() % 251), counter: 2 };
      const link = { directory: folder, size: content.length, hardLink };
      await createEntry({ ...link, name: "link-1.bin", chunks });
      await createEntry({ ...link, name: "link-2.bin", chunks });
      expect((await entryOf(`${folder}/link-2.bin`)).HardLinkId).not.toBeNull();
      await expectContent(source, `${folder.slice(1)}/link-1.bin`, content);
      await expectContent(source, `${folder.slice(1)}/link-2.bin`, content);
    });

    it("until their time to live ends", async (context) => {
      if (!grpc) skip(context, needsGrpc);
      const content = contentBytes(ramp, 0, 1000);
      const entry = { directory: folder, name: "ttl.bin", size: 1000, chunks: [], content };
      await createEntry({ ...entry, ttlSeconds: 3 });
      const key = `${folder.slice(1)}/ttl.bin`;
      // With metadata remembered for a minute: the entry's own end counts.
      const remembering = sourceOf("", { metadataTtlMs: 60_000 });
      await expectContent(remembering, key, content);
      await new Promise((resolve) => setTimeout(resolve, 4_100));
      await expect(downloadKey(remembering, key)).rejects.toMatchObject({ kind: "not-found" });
      await expect(downloadKey(source, key)).rejects.toMatchObject({ kind: "not-found" });
    });

    it("with a time to live of minutes, on volumes of their own", async () => {
      const content = contentBytes(ramp, 0, 2 * MiB);
      await expectContent(source, await put("ttl-5m.bin", content, "?ttl=5m&maxMB=1"), content);
    });

    it("that are gone are not found, as are dot segments", async () => {
      const missing = { kind: "not-found" };
      for (const name of ["none", "names/../plain-1.bin", "./plain-1.bin", "plain-1.bin/"])
        await expect(downloadKey(source, `${folder.slice(1)}/${name}`)).rejects.toMatchObject(
          missing,
        );
      await expect(downloadKey(source, folder.slice(1))).rejects.toMatchObject(missing);
    });

    it("with a lost chunk break off, and say so", async (context) => {
      if (master === "") skip(context, "set SEAWEEDFS_MASTER");
      const key = await put("lost.bin", contentBytes(ramp, 0, 3 * MiB), "?maxMB=1");
      const fid = (await entryOf(`/${key}`)).chunks[1]?.file_id ?? "";
      const answer = await ok(fetch(`${master}/dir/lookup?volumeId=${fid.split(",", 1)[0]}`));
      const { locations } = (await answer.json()) as { locations: { url: string }[] };
      const gone = await fetch(`http://${locations[0]?.url}/${fid}`, { method: "DELETE" });
      await gone.arrayBuffer();
      if (!gone.ok) skip(context, `needles cannot be deleted here (${gone.status})`);
      if (!(await vacuumed(locations[0]?.url ?? "", fid))) skip(context, "no vacuum in 90 s");
      await expect(downloadKey(source, key)).rejects.toMatchObject({ kind: "lost" });
    });

    it("overwritten in the middle of a download end as the old version or visibly broken", async () => {
      const content = contentBytes(ramp, 0, 48 * MiB);
      const key = await put("overwritten.bin", content, "?maxMB=1");
      let overwritten = false;
      const reading = downloadKey(source, key, {
        limits: { windowParts: 2, budgetBytes: 4 * MiB },
        onProgress: async (bytes) => {
          if (overwritten || bytes < 4 * MiB) return;
          overwritten = true;
          await put("overwritten.bin", new Uint8Array(48 * MiB).fill(7), "?maxMB=1");
        },
      });
      const end = await reading.then(
        ({ bytes }) => Buffer.compare(bytes, content),
        (error: unknown) => error,
      );
      if (end !== 0) expect(end).toMatchObject({ kind: "changed" });
    });
  });

  describe("over HTTP", () => {
    const handle = createHandler({
      mounts: [{ name: "weed", prefix: "/weed/", source }],
      factsMs: 0,
    });
    const ask = async (key: string, init: RequestInit = {}) => {
      const answer = await handle(new Request(`http://edge.example/weed/${encodePath(key)}`, init));
      return { answer, bytes: new Uint8Array(await answer.arrayBuffer()) };
    };

    it("has headers of its own, none of the store's, and the filer's entity tag", async () => {
      const key = await put("headers.bin", contentBytes(ramp, 0, 10), "", {
        "cache-control": "max-age=60",
        "content-type": "application/x-ramp",
        "seaweed-colour": "blue",
      });
      const facts = await factsOf(source, key);
      expect(facts.headers).toMatchObject({
        "cache-control": "max-age=60",
        "content-type": "application/x-ramp",
      });
      expect(Object.keys(facts.headers).some((name) => /seaweed|xattr/.test(name))).toBe(false);
      const head = await askFiler(`/${encodePath(key)}`, { method: "HEAD" });
      expect(facts.etag).toBe(head.headers.get("etag") ?? undefined);
      expect(facts.lastModified).toBe(Date.parse(head.headers.get("last-modified") ?? ""));
    });

    it("answers HEAD, ranges and conditions", async () => {
      const content = contentBytes(ramp, 0, 2 * MiB + 11);
      const key = await put("conditions.bin", content, "?maxMB=1");
      const head = await ask(key, { method: "HEAD" });
      expect(head.answer.status).toBe(200);
      expect(head.bytes.length).toBe(0);
      const size = String(content.length);
      expect(head.answer.headers.get("content-length")).toBe(size);
      const modified = head.answer.headers.get("last-modified") ?? "";
      const part = await ask(key, { headers: { range: `bytes=${MiB - 1}-${MiB}` } });
      expect(part.answer.status).toBe(206);
      expect(part.answer.headers.get("content-range")).toBe(`bytes ${MiB - 1}-${MiB}/${size}`);
      expect([...part.bytes]).toEqual([...contentBytes(ramp, MiB - 1, MiB + 1)]);
      const past = await ask(key, { headers: { range: `bytes=${size}-` } });
      expect(past.answer.status).toBe(416);
      const since = await ask(key, { headers: { "if-modified-since": modified } });
      expect(since.answer.status).toBe(304);
      const etag = head.answer.headers.get("etag");
      if (etag === null) return;
      const match = await ask(key, { headers: { "if-none-match": etag } });
      expect(match.answer.status).toBe(304);
      const other = await ask(key, { headers: { "if-match": '"other"' } });
      expect(other.answer.status).toBe(412);
    });

    it("knows no directory and no missing name", async () => {
      expect((await ask(folder.slice(1))).answer.status).toBe(404);
      expect((await ask(`${folder.slice(1)}/names/`)).answer.status).toBe(404);
      expect((await ask(`${folder.slice(1)}/none`)).answer.status).toBe(404);
    });

    it("lists a folder as the filer does", async () => {
      for (const name of ["b", "a-b", "a/c", "a.txt"]) await put(`list/${name}`, new Uint8Array(3));
      const prefix = `${folder.slice(1)}/list/`;
      const { createTestDownload } = await import("../support/permits.ts");
      const page = await source.list?.(prefix, {
        ...createTestDownload(),
        limit: 100,
        delimiter: "/",
      });
      const keys = page?.entries.map(({ key }) => key.slice(prefix.length));
      expect(keys).toEqual(["a-b", "a.txt", "b"]);
      expect(page?.prefixes.map((name) => name.slice(prefix.length))).toEqual(["a/"]);
    });
  });
}
