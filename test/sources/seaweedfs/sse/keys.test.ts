/** Keys of server-side encryption: the three forms of the wrapping key, commitments, the client's key, key services. */
import { createCipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyCommitment } from "../../../../src/sources/seaweedfs/sse/commitment.ts";
import { checkCustomerKey } from "../../../../src/sources/seaweedfs/sse/customer-key.ts";
import { goJson } from "../../../../src/sources/seaweedfs/sse/go-json.ts";
import { loadKek, unwrapDataKey } from "../../../../src/sources/seaweedfs/sse/kek.ts";
import { Kms } from "../../../../src/sources/seaweedfs/sse/kms.ts";
import { parseKmsRecord, parseS3Record } from "../../../../src/sources/seaweedfs/sse/record.ts";
import { createTestDownload } from "../../../support/permits.ts";
import { FakeServer, type Reply } from "../../../support/seaweedfs/http-server.ts";
import { customerKey, customerKeyHeaders } from "../../../support/seaweedfs/objects.ts";

const dataKey = new Uint8Array(32).fill(9);

function seal(
  key: Uint8Array,
  clear: Uint8Array,
  nonce = randomBytes(12),
): { nonce: Buffer; sealed: Buffer } {
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  return {
    nonce,
    sealed: Buffer.concat([cipher.update(clear), cipher.final(), cipher.getAuthTag()]),
  };
}

async function opens(kek: Parameters<typeof unwrapDataKey>[0], key: Uint8Array): Promise<boolean> {
  const { nonce, sealed } = seal(key, dataKey);
  const opened = await unwrapDataKey(kek, new Uint8Array(nonce), new Uint8Array(sealed));
  return Buffer.compare(opened, dataKey) === 0;
}

describe("the wrapping key of SSE-S3", () => {
  const kek = Buffer.from(
    "4c3212ff07cab446bfcfc65a876d7e9725a5854972ed6280a95e3fd09e695403",
    "hex",
  );
  const none = async () => undefined;

  it("comes from 64 hex digits", async () => {
    expect(await opens(await loadKek({ kek: kek.toString("hex") }, none), kek)).toBe(true);
  });

  it("comes from any text, as the model's vector has it", async () => {
    expect(await opens(await loadKek({ key: "my-secret" }, none), kek)).toBe(true);
  });

  it("comes from the filer's plain file", async () => {
    const file = async () => Buffer.from(`${kek.toString("hex")}\n`);
    expect(await opens(await loadKek({}, file), kek)).toBe(true);
  });

  it.each(["v1", "v2"])(
    "comes from the filer's file wrapped under a passphrase, %s",
    async (version) => {
      const salt =
        version === "v1" ? Buffer.from("seaweedfs-sse-s3-kek-wrapping-v1") : randomBytes(32);
      const wrapping = Buffer.from(hkdfSync("sha256", "p", salt, "kek-wrapping", 32));
      const { nonce, sealed } = seal(wrapping, kek);
      const head = version === "v1" ? [] : [Buffer.from("SWv2"), salt];
      const text = Buffer.concat([...head, nonce, sealed]).toString("base64");
      const file = async () => Buffer.from(text);
      expect(await opens(await loadKek({ passphrase: "p" }, file), kek)).toBe(true);
      await expect(loadKek({ passphrase: "q" }, file)).rejects.toMatchObject({ kind: "key-wrong" });
      await expect(loadKek({}, file)).rejects.toMatchObject({ kind: "key-missing" });
    },
  );

  it("is missing where no secret is there, wrong where it does not open", async () => {
    await expect(loadKek({}, none)).rejects.toMatchObject({
      kind: "key-missing",
      // A client is told of no secret of the mount.
      message: expect.not.stringMatching(/secret/),
    });
    await expect(loadKek({ kek: "zz" }, none)).rejects.toMatchObject({ kind: "config" });
    const other = await loadKek({ key: "another" }, none);
    await expect(opens(other, kek)).rejects.toMatchObject({ kind: "key-wrong" });
  });
});

describe("verifyCommitment", () => {
  const iv = new Uint8Array(16).fill(3);
  const made = (name: string) =>
    new Uint8Array(createHmac("sha256", dataKey).update(iv).update(name).digest());

  it("accepts the right one, and none unless it is required", async () => {
    await verifyCommitment(dataKey, iv, "AES256", made("AES256"), true);
    await verifyCommitment(dataKey, iv, "aws:kms", undefined, false);
    await expect(verifyCommitment(dataKey, iv, "AES256", undefined, true)).rejects.toMatchObject({
      kind: "key-wrong",
    });
  });

  it.each([
    ["key", new Uint8Array(32), iv, "AES256"],
    ["counter", dataKey, new Uint8Array(16), "AES256"],
    ["algorithm", dataKey, iv, "aws:kms"],
  ] as const)("refuses another %s", async (_what, key, otherIv, algorithm) => {
    await expect(
      verifyCommitment(key, otherIv, algorithm, made("AES256"), false),
    ).rejects.toMatchObject({ kind: "key-wrong" });
  });
});

describe("checkCustomerKey", () => {
  const { algorithm, key, keyMd5 } = customerKeyHeaders;

  it("takes the right key", () => {
    expect(Buffer.compare(checkCustomerKey(customerKeyHeaders, keyMd5).key, customerKey)).toBe(0);
  });

  it.each([
    ["none", undefined],
    ["no key", { algorithm, key: "", keyMd5 }],
    ["no MD5", { algorithm, key, keyMd5: "" }],
    ["no algorithm", { algorithm: "", key, keyMd5 }],
    ["another algorithm", { algorithm: "AES128", key, keyMd5 }],
    ["a short key", { algorithm, key: "AAAA", keyMd5 }],
    ["a key that is not base64", { algorithm, key: "?", keyMd5 }],
    ["the MD5 of another key", { algorithm, key, keyMd5: "AAAAAAAAAAAAAAAAAAAAAA==" }],
  ])("says key-missing for %s", (_what, keys) => {
    expect(() => checkCustomerKey(keys, keyMd5)).toThrow(
      expect.objectContaining({ kind: "key-missing" }),
    );
  });

  it("says key-wrong for a key that is another object's", () => {
    expect(() => checkCustomerKey(customerKeyHeaders, "AAAAAAAAAAAAAAAAAAAAAA==")).toThrow(
      expect.objectContaining({ kind: "key-wrong" }),
    );
  });
});

describe("records", () => {
  it.each(["", "[]", "{}", '{"encryptedDEK":"AAAA","nonce":"AAAA"}', "nonsense"])(
    "refuses %j before anything is read",
    (text) => {
      expect(() => parseS3Record(text)).toThrow(expect.objectContaining({ kind: "unsupported" }));
      expect(() => parseKmsRecord(text)).toThrow(expect.objectContaining({ kind: "unsupported" }));
    },
  );
});

it("an encryption context is of texts", () => {
  const text = (value: unknown) =>
    JSON.stringify({
      keyId: "k",
      encryptedDataKey: "AAAA",
      encryptionContext: { a: value },
      iv: Buffer.alloc(16).toString("base64"),
    });
  expect(parseKmsRecord(text("1")).context).toEqual({ a: "1" });
  for (const value of [1, {}, null])
    expect(() => parseKmsRecord(text(value))).toThrow(
      expect.objectContaining({ kind: "unsupported" }),
    );
});

describe("key services", () => {
  let server: FakeServer;
  let reply: Reply;
  const download = createTestDownload();
  const fetchAny = (url: string, init: RequestInit) => fetch(url, init);

  beforeEach(async () => {
    server = new FakeServer(() => reply);
    await server.start();
  });
  afterEach(() => server.kill());

  function record(
    provider: string,
    keyId: string,
    context: Record<string, string> = { "aws:s3:arn": "arn:aws:s3:::b/k" },
    wrappingKey = "wrapping",
  ) {
    const envelope = JSON.stringify({
      provider,
      key_id: wrappingKey,
      ciphertext: "vault:v1:abc",
      version: 1,
    });
    return parseKmsRecord(
      JSON.stringify({
        algorithm: "aws:kms",
        keyId,
        encryptedDataKey: Buffer.from(envelope).toString("base64"),
        encryptionContext: context,
        iv: Buffer.alloc(16).toString("base64"),
        partOffset: 0,
      }),
    );
  }

  function kms(): Kms {
    const aws = {
      accessKeyId: "AKIA",
      secretAccessKey: "s",
      region: "eu-west-1",
      endpoint: server.url,
    };
    const vault = { address: server.url, token: "t" };
    return new Kms({ aws, vault }, fetchAny, Date.now);
  }

  const plaintext = Buffer.from(dataKey).toString("base64");

  it("opens a key through AWS KMS, signed, and remembers it", async () => {
    reply = { status: 200, body: JSON.stringify({ KeyId: "k1", Plaintext: plaintext }) };
    const service = kms();
    expect(Buffer.compare(await service.open(record("aws", "k1"), download), dataKey)).toBe(0);
    await service.open(record("aws", "k1"), download);
    expect(server.seen).toHaveLength(1);
    expect(server.seen[0]?.headers.authorization).toMatch(/^AWS4-HMAC-SHA256 .*eu-west-1\/kms/);
    expect(server.seen[0]?.headers["x-amz-target"]).toBe("TrentService.Decrypt");
  });

  it("opens a key through the transit engine of a vault", async () => {
    reply = { status: 200, body: JSON.stringify({ data: { plaintext } }) };
    expect(Buffer.compare(await kms().open(record("openbao", "k1"), download), dataKey)).toBe(0);
    expect(server.seen[0]?.target).toBe("/v1/transit/decrypt/wrapping");
    expect(server.seen[0]?.headers["x-vault-token"]).toBe("t");
  });

  it.each([
    ["another key's answer", 200, { KeyId: "k2", Plaintext: plaintext }, "key-wrong"],
    ["a refusal", 400, { __type: "AccessDeniedException" }, "denied"],
    ["a wrong ciphertext", 400, { __type: "InvalidCiphertextException" }, "key-wrong"],
    ["throttling", 400, { __type: "ThrottlingException" }, "throttled"],
    ["a short key", 200, { KeyId: "k1", Plaintext: "AAAA" }, "key-wrong"],
    ["an outage", 500, {}, "unavailable"],
    ["a wrong address", 404, {}, "denied"],
    ["too many requests", 429, {}, "throttled"],
    ["a timeout", 408, {}, "unavailable"],
    ["a key that is no text", 200, { KeyId: "k1", Plaintext: 12_345_678 }, "protocol"],
  ])("names %s of AWS KMS", async (_what, status, body, kind) => {
    reply = { status, body: JSON.stringify(body) };
    const message = expect.not.stringContaining("12345678");
    await expect(kms().open(record("aws", "k1"), download)).rejects.toMatchObject({
      kind,
      message,
    });
  });

  it.each([
    [400, "key-wrong"],
    [403, "denied"],
    [404, "denied"],
    [503, "unavailable"],
  ])("names a %i of a vault", async (status, kind) => {
    reply = { status, body: "{}" };
    const opening = kms().open(record("openbao", "k1"), download);
    await expect(opening).rejects.toMatchObject({ kind, status });
  });

  it("asks again under another encryption context: it is the service that compares it", async () => {
    reply = { status: 200, body: JSON.stringify({ KeyId: "k1", Plaintext: plaintext }) };
    const sent: string[] = [];
    const aws = { accessKeyId: "AKIA", secretAccessKey: "s", region: "r-1", endpoint: server.url };
    const noted = (url: string, init: RequestInit) => {
      if (typeof init.body === "string") sent.push(init.body);
      return fetch(url, init);
    };
    const service = new Kms({ aws }, noted, Date.now);
    for (const context of [{ a: "1" }, { a: "2" }, {}])
      await service.open(record("aws", "k1", context), download);
    expect(sent.map((body) => JSON.parse(body).EncryptionContext)).toEqual([
      { a: "1" },
      { a: "2" },
      undefined,
    ]);
  });

  it("asks again when what it knows is five minutes old", async () => {
    reply = { status: 200, body: JSON.stringify({ data: { plaintext } }) };
    let now = 0;
    const vault = { address: server.url, token: "t" };
    const service = new Kms({ vault }, fetchAny, () => now);
    for (const at of [0, 299_999, 300_000]) {
      now = at;
      await service.open(record("openbao", "k1"), download);
    }
    expect(server.seen).toHaveLength(2);
  });

  it("goes to the region that the key's name names", async () => {
    const keyId = "arn:aws-cn:kms:cn-north-1:111122223333:key/k1";
    reply = { status: 200, body: JSON.stringify({ KeyId: keyId, Plaintext: plaintext }) };
    await kms().open(record("aws", keyId), download);
    expect(server.seen[0]?.headers.authorization).toContain("/cn-north-1/kms/");
  });

  it.each(["..", "."])("takes no key %j of OpenBao for a path of the service", async (key) => {
    await expect(kms().open(record("openbao", "k1", {}, key), download)).rejects.toMatchObject({
      kind: "protocol",
    });
    expect(server.seen).toHaveLength(0);
  });

  it.each(["local", "gcp", "azure", "other"])(
    "refuses the provider %s without asking anybody",
    async (provider) => {
      await expect(kms().open(record(provider, "k1"), download)).rejects.toMatchObject({
        kind: "unsupported",
      });
      expect(server.seen).toHaveLength(0);
    },
  );

  it("says key-missing where the mount has no access", async () => {
    const service = new Kms({}, fetchAny, Date.now);
    await expect(service.open(record("aws", "k1"), download)).rejects.toMatchObject({
      kind: "key-missing",
    });
    await expect(service.open(record("vault", "k1"), download)).rejects.toMatchObject({
      kind: "key-missing",
    });
  });

  it("writes an encryption context as Go does", () => {
    expect(goJson({ z: "<&>", a: "1" })).toBe('{"a":"1","z":"\\u003c\\u0026\\u003e"}');
    // Names sort as text, also where they look like numbers.
    expect(goJson({ a: "", 9: "y", 10: "x", 0: "z" })).toBe('{"0":"z","10":"x","9":"y","a":""}');
    // By their UTF-8: U+FFFF goes before what is beyond it.
    expect(goJson({ "\u{10000}": "b", "\uffff": "a" })).toBe('{"\uffff":"a","\u{10000}":"b"}');
    expect(goJson({ a: "\u2028\u2029" })).toBe('{"a":"\\u2028\\u2029"}');
    expect(goJson({})).toBe("{}");
  });
});
