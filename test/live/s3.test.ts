/** Objects written over the S3 gateway, encrypted and versioned ones among them: variables in support/live.ts. */
import { createHash } from "node:crypto";
import { AwsClient } from "aws4fetch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import { encodePath } from "../../src/sources/seaweedfs/name.ts";
import { contentBytes, ramp } from "../support/object-bytes.ts";
import { createTestDownload } from "../support/permits.ts";
import { downloadKey } from "../support/seaweedfs/download-object.ts";
import { customerKeyHeaders } from "../support/seaweedfs/objects.ts";
import { readKey } from "../support/seaweedfs/read-object.ts";
import { MiB } from "../support/units.ts";
import {
  entryOf,
  expectContent,
  factsOf,
  filer,
  ok,
  setting,
  skip,
  sourceOf,
} from "./support/live.ts";

const s3 = setting("S3").replace(/\/$/, "");
const accessKeyId = setting("S3_ACCESS_KEY");
const secretAccessKey = setting("S3_SECRET_KEY");

if (filer === "" || s3 === "" || accessKeyId === "" || secretAccessKey === "") {
  console.log(
    "skipped: S3 objects (set SEAWEEDFS_S3, SEAWEEDFS_S3_ACCESS_KEY, SEAWEEDFS_S3_SECRET_KEY)",
  );
  it.skip("needs an S3 gateway", () => undefined);
} else {
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    service: "s3",
    region: "us-east-1",
    retries: 0,
  });
  const bucket = `edge-readahead-live-${Date.now().toString(36)}`;
  const source = sourceOf(`/buckets/${bucket}`);
  const customer = {
    "x-amz-server-side-encryption-customer-algorithm": customerKeyHeaders.algorithm,
    "x-amz-server-side-encryption-customer-key": customerKeyHeaders.key,
    "x-amz-server-side-encryption-customer-key-MD5": customerKeyHeaders.keyMd5,
  };
  const customerOfSource = {
    "x-amz-copy-source-server-side-encryption-customer-algorithm": customerKeyHeaders.algorithm,
    "x-amz-copy-source-server-side-encryption-customer-key": customerKeyHeaders.key,
    "x-amz-copy-source-server-side-encryption-customer-key-MD5": customerKeyHeaders.keyMd5,
  };
  const byStore = { "x-amz-server-side-encryption": "AES256" };
  const forms: Readonly<Record<string, Record<string, string>>> = {
    plain: {},
    "SSE-C": customer,
    "SSE-S3": byStore,
  };

  const request = (target: string, init: RequestInit = {}) =>
    ok(client.fetch(`${s3}/${bucket}${target}`, init));
  const text = async (target: string, init: RequestInit = {}) =>
    (await request(target, init)).text();
  const put = async (key: string, body: Uint8Array, headers: Record<string, string> = {}) => {
    const init = { method: "PUT", body: new Uint8Array(body), headers };
    const answer = await request(`/${encodePath(key)}`, init);
    await answer.arrayBuffer();
    return answer.headers;
  };
  /** Completes an upload whose parts `send` puts, each with its own request. */
  const upload = async (
    key: string,
    headers: Record<string, string>,
    parts: readonly ((target: string) => Promise<string>)[],
  ) => {
    const begun = await text(`/${key}?uploads`, { method: "POST", headers });
    const id = /<UploadId>([^<]+)/.exec(begun)?.[1] ?? "";
    const listed: string[] = [];
    for (const [index, send] of parts.entries()) {
      const number = index + 1;
      const etag = await send(`/${key}?partNumber=${number}&uploadId=${id}`);
      listed.push(`<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`);
    }
    const body = `<CompleteMultipartUpload>${listed.join("")}</CompleteMultipartUpload>`;
    await text(`/${key}?uploadId=${id}`, { method: "POST", body });
  };
  const hasSseS3 = async () => {
    const init = { method: "PUT", body: new Uint8Array(1), headers: byStore };
    const probe = await client.fetch(`${s3}/${bucket}/probe`, init);
    await probe.arrayBuffer();
    return probe.ok;
  };
  let sseS3 = false;
  let ciphered = false;

  beforeAll(async () => {
    await text("", { method: "PUT" });
    sseS3 = await hasSseS3();
    await put("cipher-probe", new Uint8Array(9));
    const probe = await entryOf(`/buckets/${bucket}/cipher-probe`);
    ciphered = probe.chunks[0]?.cipher_key !== undefined;
    console.log(`volume cipher: ${ciphered ? "yes" : "no"}, SSE-S3: ${sseS3 ? "yes" : "no"}`);
  });
  afterAll(async () => {
    await client.fetch(`${s3}/${bucket}`, { method: "DELETE" });
  });

  describe("objects written over S3", () => {
    it("plain, with the gateway's entity tag", async () => {
      const content = contentBytes(ramp, 0, 9 * MiB + 13);
      await put("plain.bin", content);
      await expectContent(source, "plain.bin", content);
      const md5 = createHash("md5").update(content).digest("hex");
      expect((await factsOf(source, "plain.bin")).etag).toBe(`"${md5}"`);
    });

    it.each([0, 1, 15, 16, 17])("of %i bytes, plain and encrypted", async (size) => {
      const content = contentBytes(ramp, 0, size);
      for (const [name, headers] of Object.entries(forms)) {
        if (name === "SSE-S3" && !sseS3) continue;
        await put(`small-${name}-${size}`, content, headers);
        await expectContent(source, `small-${name}-${size}`, content);
      }
    });

    it("under SSE-C, refused without the key and with another one", async () => {
      const content = contentBytes(ramp, 0, 9 * MiB + 13);
      await put("ssec.bin", content, customer);
      await expectContent(source, "ssec.bin", content);
      await expect(downloadKey(source, "ssec.bin")).rejects.toMatchObject({ kind: "key-missing" });
      const other = Buffer.alloc(32, 9);
      const keyMd5 = createHash("md5").update(other).digest("base64");
      const clientKeys = { algorithm: "AES256", key: other.toString("base64"), keyMd5 };
      await expect(downloadKey(source, "ssec.bin", { clientKeys })).rejects.toMatchObject({
        kind: "key-wrong",
      });
    });

    it("under SSE-S3, refused with another key", async (context) => {
      if (!sseS3) skip(context, "the gateway has no key for SSE-S3");
      const content = contentBytes(ramp, 0, 9 * MiB + 13);
      await put("sses3.bin", content, byStore);
      expect((await entryOf(`/buckets/${bucket}/sses3.bin`)).chunks[0]?.sse_type).toBe(3);
      await expectContent(source, "sses3.bin", content);
      const wrong = sourceOf(`/buckets/${bucket}`, { sseKekSecret: "00".repeat(32) });
      await expect(downloadKey(wrong, "sses3.bin")).rejects.toMatchObject({ kind: "key-wrong" });
    });

    it.each(Object.keys(forms))("as text, which may be stored compressed, %s", async (name) => {
      if (name === "SSE-S3" && !sseS3) return;
      const content = Buffer.from("All work and no play makes a dull cluster.\n".repeat(60_000));
      const headers = { ...forms[name], "content-type": "text/plain" };
      await put(`text-${name}.txt`, content, headers);
      await expectContent(source, `text-${name}.txt`, content);
    });

    it.each(Object.keys(forms))("in parts, %s, each by its number", async (name) => {
      if (name === "SSE-S3" && !sseS3) return;
      const key = `parts-${name}.bin`;
      const headers = forms[name] ?? {};
      const sizes = [5 * MiB, 5 * MiB + 17, MiB + 5];
      let at = 0;
      const parts = sizes.map((size) => {
        const body = new Uint8Array(contentBytes(ramp, at, (at += size)));
        const keys = name === "SSE-C" ? headers : {};
        return async (target: string) => {
          const part = await request(target, { method: "PUT", body, headers: keys });
          await part.arrayBuffer();
          return part.headers.get("etag") ?? "";
        };
      });
      await upload(key, headers, parts);
      await expectContent(source, key, contentBytes(ramp, 0, at));
      const { createTestDownload } = await import("../support/permits.ts");
      const object = await source.open(key, {
        ...createTestDownload(),
        want: "facts",
        s3PartNumber: 2,
        clientKeys: customerKeyHeaders,
      });
      expect(object.s3Part).toEqual({ start: 5 * MiB, end: 10 * MiB + 17 });
    });

    const copies = Object.keys(forms).flatMap((from) => Object.keys(forms).map((to) => [from, to]));
    it.each(copies)("copied from %s to %s", async (from = "", to = "") => {
      if (!sseS3 && (from === "SSE-S3" || to === "SSE-S3")) return;
      const content = contentBytes(ramp, 0, 5 * MiB + 3);
      await put(`source-${from}.bin`, content, forms[from]);
      const key = `copy-${from}-${to}.bin`;
      const copied = await client.fetch(`${s3}/${bucket}/${key}`, {
        method: "PUT",
        headers: {
          "x-amz-copy-source": `/${bucket}/source-${from}.bin`,
          ...(from === "SSE-C" ? customerOfSource : {}),
          ...forms[to],
        },
      });
      const answer = await copied.text();
      if (!copied.ok || answer.includes("<Error>")) {
        console.log(`the gateway refuses a copy from ${from} to ${to}: ${copied.status}`);
        return;
      }
      await expectContentOrRefusal(key, content, from !== "plain" || to !== "plain");
    });

    /** 4.44 stores copies broken that encrypt, decrypt or cut on a ciphered cluster (4.53 does not): they fail, not lie. */
    async function expectContentOrRefusal(key: string, content: Uint8Array, cut: boolean) {
      if (!ciphered || !cut) return expectContent(source, key, content);
      const end = await downloadKey(source, key, { clientKeys: customerKeyHeaders }).then(
        ({ bytes }) => Buffer.compare(bytes, content),
        (error: unknown) => error,
      );
      if (end === 0) return;
      expect(end).toBeInstanceOf(ReadaheadError);
      console.log(`ciphered copy ${key}: ${String(end)}`);
    }

    it("with a part copied from the middle of another object", async () => {
      await put("whole.bin", contentBytes(ramp, 0, 9 * MiB));
      const range = [1_000_003, 1_000_003 + 5 * MiB + 7] as const;
      await upload("part-copied.bin", {}, [
        async (target) => {
          const headers = {
            "x-amz-copy-source": `/${bucket}/whole.bin`,
            "x-amz-copy-source-range": `bytes=${range[0]}-${range[1] - 1}`,
          };
          const answer = await text(target, { method: "PUT", headers });
          return /<ETag>([^<]+)/.exec(answer)?.[1]?.replaceAll("&#34;", '"') ?? "";
        },
      ]);
      await expectContentOrRefusal("part-copied.bin", contentBytes(ramp, ...range), true);
    });

    it.each([
      "a b/é#?%25+&.bin",
      "plus+and space.bin",
      "日本語/😀.bin",
      "100%.bin",
      "quotes\"'`;,=:@$!*()[]{}|^~.bin",
      "...",
      "~tilde/-_.bin",
    ])("under the key %s", async (key) => {
      const content = contentBytes(ramp, 0, 500);
      const path = key.split("/").map(encodeSegment).join("/");
      const init = { method: "PUT", body: new Uint8Array(content) };
      await (await request(`/${path}`, init)).arrayBuffer();
      await expectContent(source, key, content);
    });

    it("with the gateway's headers", async () => {
      await put("headers.bin", contentBytes(ramp, 0, 10), {
        "content-type": "application/x-ramp",
        "content-disposition": 'attachment; filename="r.bin"',
        "cache-control": "max-age=60",
        "x-amz-meta-colour": "blue",
        "x-amz-tagging": "secret=tag",
      });
      const facts = await factsOf(source, "headers.bin");
      const head = await client.fetch(`${s3}/${bucket}/headers.bin`, { method: "HEAD" });
      for (const name of [
        "content-type",
        "content-disposition",
        "cache-control",
        "x-amz-meta-colour",
        "x-amz-tagging-count",
      ])
        expect(facts.headers[name], name).toBe(head.headers.get(name));
      expect(facts.etag).toBe(head.headers.get("etag"));
      expect(facts.lastModified).toBe(Date.parse(head.headers.get("last-modified") ?? ""));
      const internal = /seaweed|xattr|tagging-(?!count)/;
      expect(Object.keys(facts.headers).some((name) => internal.test(name))).toBe(false);
    });

    it("with the checksum that came along, where it is asked for", async () => {
      const sent = { "x-amz-checksum-crc32": "xjIjIw==", "x-amz-sdk-checksum-algorithm": "CRC32" };
      const answer = await client.fetch(`${s3}/${bucket}/sum.bin`, {
        method: "PUT",
        body: "checksummed",
        headers: sent,
      });
      await answer.arrayBuffer();
      const init = { method: "HEAD", headers: { "x-amz-checksum-mode": "ENABLED" } };
      const head = await client.fetch(`${s3}/${bucket}/sum.bin`, init);
      const asked = { ...createTestDownload(), want: "facts", checksums: true } as const;
      const { facts } = await source.open("sum.bin", asked);
      for (const name of ["x-amz-checksum-crc32", "x-amz-checksum-type"])
        expect(facts.headers[name], name).toBe(head.headers.get(name) ?? undefined);
    });

    it.each(["film.mp4", "notes.txt", "archive.zip", "data"])(
      "without a type: as the gateway types %s",
      async (key) => {
        await put(key, contentBytes(ramp, 0, 10), { "content-type": "application/octet-stream" });
        const head = await client.fetch(`${s3}/${bucket}/${key}`, { method: "HEAD" });
        const { headers } = await factsOf(source, key);
        expect(headers["content-type"]).toBe(head.headers.get("content-type"));
      },
    );

    it("as folders: a marker is an empty object, a folder without one is none", async () => {
      await put("marked/", new Uint8Array(0), { "content-type": "application/x-directory" });
      await put("plain-folder/inside.bin", contentBytes(ramp, 0, 9));
      const missing = { kind: "not-found" };
      await expect(readKey(source, "plain-folder")).rejects.toMatchObject(missing);
      await expect(readKey(source, "plain-folder/none")).rejects.toMatchObject(missing);
      const head = await client.fetch(`${s3}/${bucket}/marked/`, { method: "HEAD" });
      if (head.ok) expect((await readKey(source, "marked/")).byteLength).toBe(0);
    });
  });

  it("read as objects what has keys below it, as the gateway does", async () => {
    await put("prefix", new Uint8Array(0));
    await put("prefix/below.bin", contentBytes(ramp, 0, 100));
    await put("marked/", contentBytes(ramp, 0, 7));
    for (const key of ["prefix", "prefix/below.bin", "marked/"]) {
      const gateway = await (await request(`/${encodePath(key)}`)).arrayBuffer();
      const bytes = await readKey(source, key);
      expect(Buffer.compare(bytes, new Uint8Array(gateway)), key).toBe(0);
    }
  });

  describe("versions", () => {
    const state = async (status: "Enabled" | "Suspended") => {
      const body = `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>${status}</Status></VersioningConfiguration>`;
      await text("?versioning", { method: "PUT", body });
    };
    const putVersion = async (key: string, value: number) =>
      (await put(key, new Uint8Array(1000).fill(value))).get("x-amz-version-id") ?? "";
    const valueOf = async (key: string, version?: string) =>
      (await readKey(source, key, undefined, { version }))[0];

    it("are read by id, the latest without one, none behind a delete marker", async () => {
      await putVersion("before.bin", 7);
      await state("Enabled");
      const ids = [await putVersion("versions.bin", 1), await putVersion("versions.bin", 2)];
      expect(await valueOf("versions.bin")).toBe(2);
      for (const [index, id] of ids.entries())
        expect(await valueOf("versions.bin", id)).toBe(index + 1);
      await (await request("/versions.bin", { method: "DELETE" })).arrayBuffer();
      await expect(valueOf("versions.bin")).rejects.toMatchObject({ kind: "not-found" });
      expect(await valueOf("versions.bin", ids[0])).toBe(1);
      for (const version of ["nope", "../x", `${ids[0]}0`])
        await expect(valueOf("versions.bin", version)).rejects.toMatchObject({ kind: "not-found" });
      expect(await valueOf("before.bin")).toBe(7);
      expect(await valueOf("before.bin", "null")).toBe(7);
      await putVersion("before.bin", 8);
      expect(await valueOf("before.bin")).toBe(8);
      expect(await valueOf("before.bin", "null")).toBe(7);
    });

    it("of a suspended bucket: the null version is the latest, older ones stay", async () => {
      const id = await putVersion("suspended.bin", 3);
      await state("Suspended");
      await putVersion("suspended.bin", 4);
      expect(await valueOf("suspended.bin")).toBe(4);
      await state("Enabled");
      await putVersion("parent", 5);
      await putVersion("parent/below.bin", 6);
      await state("Suspended");
      await putVersion("parent", 7);
      expect(await valueOf("parent")).toBe(7);
      expect(await valueOf("suspended.bin", "null")).toBe(4);
      expect(await valueOf("suspended.bin", id)).toBe(3);
    });

    it("keep what is encrypted encrypted", async () => {
      await state("Enabled");
      const content = contentBytes(ramp, 0, 5 * MiB + 1);
      await put("versioned-ssec.bin", content, customer);
      await expectContent(source, "versioned-ssec.bin", content);
      await expect(downloadKey(source, "versioned-ssec.bin")).rejects.toMatchObject({
        kind: "key-missing",
      });
    });
  });
}

/** As S3 clients encode a segment: everything but unreserved characters. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
