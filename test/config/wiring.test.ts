/** Every setting reaches the option that it is named for, and no other: what a table says, one field at a time. */

import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { linkAuthorise } from "../../src/config/access.ts";
import { Bindings } from "../../src/config/env.ts";
import { toMount } from "../../src/config/mounts.ts";
import { frontBucket } from "../../src/config/s3.ts";
import { type MountTable, mountSchema } from "../../src/config/schema.ts";
import { seaweedfsOptions } from "../../src/config/seaweedfs.ts";
import { createSource } from "../../src/config/sources.ts";
import type { Source } from "../../src/sources/source.ts";
import { createTestDownload } from "../support/permits.ts";

const parse = (table: Record<string, unknown>): MountTable => v.parse(mountSchema, table);

describe("seaweedfsOptions", () => {
  it("hands every setting on", async () => {
    const table = parse({
      prefix: "/weed/",
      source: "seaweedfs",
      filer: "http://filer/",
      master: ["http://m1/", "http://m2/"],
      root: "/root",
      buckets_folder: "/b",
      address: "internal",
      volume_access: "direct",
      volume_protocol: "https",
      filer_fallback: false,
      data_center: "dc1",
      allowed_hosts: ["10.0.0.0/8"],
      filer_token_secret: "FILER",
      volume_token_secret: "VOLUME",
      volume_token_from_master: true,
      sse_kek_secret: "KEK",
      sse_key_secret: "KEY",
      sse_kek_passphrase_secret: "PASSPHRASE",
      require_key_commitment: true,
      aws_kms: { credentials: "AWS", region: "eu-west-1", endpoint: "https://kms/" },
      vault: { address: "https://vault/", token_secret: "TOKEN", mount: "m", namespace: "n" },
      metadata_ttl_ms: 1,
      lookup_ttl_ms: 2,
      metadata_bytes: 65_536,
      etag: "filer",
      pass_headers: ["x-a"],
      verify: true,
      versioned: false,
      via: "NET",
      kms_via: "KMS",
    });
    if (table.source !== "seaweedfs") throw new Error("Another source");
    const secrets = ["FILER", "VOLUME", "KEK", "KEY", "PASSPHRASE", "TOKEN"];
    const env: Record<string, unknown> = { AWS: "ID:SECRET:SESSION" };
    for (const name of secrets) env[name] = `secret of ${name}`;
    const asked: string[] = [];
    for (const name of ["NET", "KMS"])
      env[name] = {
        fetch: async () => {
          asked.push(name);
          return new Response(null);
        },
      };
    const faults: string[] = [];
    const { fetch, kmsFetch, ...options } = seaweedfsOptions(
      "MOUNTS.weed",
      table,
      new Bindings(env, faults),
    );
    expect(faults).toEqual([]);
    expect(options).toEqual({
      filer: ["http://filer/"],
      master: ["http://m1/", "http://m2/"],
      root: "/root",
      bucketsFolder: "/b",
      address: "internal",
      volumeAccess: "direct",
      volumeProtocol: "https",
      filerFallback: false,
      dataCenter: "dc1",
      allowedHosts: ["10.0.0.0/8"],
      filerTokenSecret: "secret of FILER",
      volumeTokenSecret: "secret of VOLUME",
      volumeTokenFromMaster: true,
      sseKekSecret: "secret of KEK",
      sseKeySecret: "secret of KEY",
      sseKekPassphrase: "secret of PASSPHRASE",
      requireKeyCommitment: true,
      awsKms: {
        accessKeyId: "ID",
        secretAccessKey: "SECRET",
        sessionToken: "SESSION",
        region: "eu-west-1",
        endpoint: "https://kms/",
      },
      vault: { address: "https://vault/", token: "secret of TOKEN", mount: "m", namespace: "n" },
      metadataTtlMs: 1,
      lookupTtlMs: 2,
      metadataBytes: 65_536,
      etag: "filer",
      passHeaders: ["x-a"],
      verify: true,
      versioned: false,
    });
    const init = {
      method: "GET",
      headers: {},
      redirect: "manual",
      signal: new AbortController().signal,
    } as const;
    await fetch?.("http://filer/", init);
    await kmsFetch?.("https://kms/", init);
    expect(asked).toEqual(["NET", "KMS"]);
  });
});

describe("createSource", () => {
  /** A binding that notes what it is asked, and answers so. */
  function binding(answer: () => Response) {
    const asked: { url: string; headers: Headers }[] = [];
    const fetch = async (url: string, init: { headers?: Record<string, string> }) => {
      asked.push({ url, headers: new Headers(init.headers) });
      return answer();
    };
    return { asked, NET: { fetch } };
  }

  it("hands every setting of an HTTP origin on", async () => {
    const headers = { "content-range": "bytes 0-0/2", "content-encoding": "gzip", "x-a": "1" };
    const { asked, NET } = binding(() => new Response("x", { status: 206, headers }));
    const faults: string[] = [];
    const table = parse({
      prefix: "/origin/",
      source: "http",
      url: "https://origin.example/data/",
      query: true,
      via: "NET",
      authorization_secret: "AUTH",
      pass_headers: ["x-a"],
      unversioned: "trust",
      stored_encoding: "pass",
    });
    const env = { NET, AUTH: " Bearer token " };
    const source = createSource("MOUNTS.origin", table, new Bindings(env, faults));
    const want = { start: 0, end: 1 };
    const object = await source?.open("key", { ...createTestDownload(), want, query: "?q=1" });
    expect(faults).toEqual([]);
    expect(asked[0]?.url).toBe("https://origin.example/data/key?q=1");
    expect(asked[0]?.headers.get("authorization")).toBe("Bearer token");
    expect(object?.facts).toEqual({
      size: 2,
      headers: { "content-encoding": "gzip", "x-a": "1" },
    });
  });

  it.each(["sv=1&sig=a%2Bb%3D", "?sv=1&sig=a%2Bb%3D\n"])(
    "asks an HTTP origin with the query that is a secret: %j",
    async (SAS) => {
      const headers = { "content-length": "2", "accept-ranges": "bytes" };
      const { asked, NET } = binding(() => new Response(null, { headers }));
      const url = "https://origin.example/data/";
      const settings = { prefix: "/o/", source: "http", url, via: "NET", query: true };
      const table = parse({ ...settings, query_secret: "SAS" });
      const faults: string[] = [];
      const source = createSource("MOUNTS.o", table, new Bindings({ NET, SAS }, faults));
      await source?.open("key", { ...createTestDownload(), want: "facts", query: "?q=1" });
      expect(faults).toEqual([]);
      expect(asked.map((ask) => ask.url)).toEqual([`${url}key?sv=1&sig=a%2Bb%3D&q=1`]);
    },
  );

  it("hands every setting of an S3 store on", async () => {
    const headers = { "content-length": "2", etag: '"e"' };
    const { asked, NET } = binding(() => new Response(null, { headers }));
    const faults: string[] = [];
    const table = parse({
      prefix: "/archive/",
      source: "s3",
      endpoint: "https://s3.example",
      region: "eu-west-1",
      bucket: "archive",
      credentials: "STORE",
      virtual_host: true,
      requester_pays: true,
      key_prefix: "data/",
      via: "NET",
    });
    const env = { NET, STORE: "ID:SECRET" };
    const source = createSource("MOUNTS.archive", table, new Bindings(env, faults));
    await source?.open("key", { ...createTestDownload(), want: "facts" });
    expect(faults).toEqual([]);
    expect(asked[0]?.url).toBe("https://archive.s3.example/data/key");
    expect(asked[0]?.headers.get("x-amz-request-payer")).toBe("requester");
    expect(asked[0]?.headers.get("authorization")).toMatch(/Credential=ID\/\d{8}\/eu-west-1\/s3\//);
  });
});

describe("frontBucket", () => {
  const media = { prefix: "/media/", source: "r2", bucket: "OBJECTS", protocol: "s3" };
  const env = { ONE: "ID1:SECRET1", TWO: "ID2:SECRET2", TEMPORARY: "ID:SECRET:TOKEN" };
  function read(more: Record<string, unknown>) {
    const faults: string[] = [];
    const bucket = frontBucket(
      "MOUNTS.media",
      parse({ ...media, ...more }),
      new Bindings(env, faults),
    );
    return { bucket, faults };
  }

  it("hands every setting on: a key keeps to its prefixes", () => {
    const credentials = [{ secret: "ONE", prefixes: ["a/"] }, "TWO"];
    const { bucket, faults } = read({ credentials, hosts: ["Films.Example"], explain: false });
    expect(faults).toEqual([]);
    expect(bucket).toEqual({
      bucket: "media",
      access: "signed",
      listAccess: "signed",
      credentials: [
        { accessKeyId: "ID1", secretAccessKey: "SECRET1", prefixes: ["a/"] },
        { accessKeyId: "ID2", secretAccessKey: "SECRET2", prefixes: undefined },
      ],
      regions: ["us-east-1", "auto"],
      hosts: ["films.example"],
    });
  });

  it("lists for whoever may read, unless it says otherwise", () => {
    expect(read({ access: "public" }).bucket).toMatchObject({ listAccess: "public" });
    const quiet = read({ access: "public", list_access: "signed", signing_region: ["eu-1"] });
    expect(quiet.bucket).toMatchObject({
      access: "public",
      listAccess: "signed",
      regions: ["eu-1"],
    });
  });

  it("takes no key of a session, and no setting of plain mounts", () => {
    expect(read({ credentials: ["ONE", "TEMPORARY"] }).faults).toEqual([
      "MOUNTS.media.credentials.1 names a secret that is not ACCESSKEY:SECRETKEY",
    ]);
    for (const field of ["index", "listing", "explain", "explain_empty"]) {
      const value = field === "index" ? "index.html" : true;
      const { faults } = read({ credentials: ["ONE"], [field]: value });
      expect(faults).toEqual([expect.stringContaining(`MOUNTS.media.${field} `)]);
    }
  });
});

describe("linkAuthorise", () => {
  const plain = { prefix: "/files/", source: "r2", bucket: "OBJECTS", access: "signed" };
  function faultsOf(more: Record<string, unknown>, env: Record<string, unknown> = {}): string[] {
    const faults: string[] = [];
    linkAuthorise("MOUNTS.files", parse({ ...plain, ...more }), new Bindings(env, faults));
    return faults;
  }

  it("tells one fault for a secret that is not there, and which of several it is", () => {
    expect(faultsOf({ link_secret: "LINK" })).toEqual([
      expect.stringContaining("MOUNTS.files.link_secret names the secret LINK"),
    ]);
    const env = { OLD: "x".repeat(32) };
    expect(faultsOf({ link_secret: ["OLD", "NEW"] }, env)).toEqual([
      expect.stringContaining("MOUNTS.files.link_secret.1 names the secret NEW"),
    ]);
  });

  it("is nothing for S3 clients", () => {
    const more = { protocol: "s3", credentials: ["ONE"], link_secret: "LINK" };
    expect(faultsOf(more)).toEqual([expect.stringContaining("MOUNTS.files.link_secret is for")]);
  });
});

describe("toMount", () => {
  const source: Source = { open: () => Promise.reject(new Error("Nobody opens anything")) };

  it("hands every setting on", () => {
    const authorise = async () => undefined;
    const table = parse({
      prefix: "/origin/",
      source: "http",
      url: "https://origin.example/",
      query: true,
      cache_control: "no-cache",
      index: "index.html",
      download: true,
      explain: true,
      explain_empty: false,
      versions: false,
      limits: { window_parts: 2, attempts: 3 },
      window_parts: 1,
      cors: {
        origins: ["https://app.example"],
        allow_headers: ["x-allowed"],
        expose_headers: ["x-exposed"],
        credentials: true,
        max_age_seconds: 60,
      },
    });
    expect(toMount("origin", table, source, authorise as never)).toEqual({
      name: "origin",
      prefix: "/origin/",
      source,
      limits: { windowParts: 1, attempts: 3 },
      cors: {
        origins: ["https://app.example"],
        allowHeaders: ["x-allowed"],
        exposeHeaders: ["x-exposed"],
        credentials: true,
        maxAgeSeconds: 60,
      },
      cacheControl: "no-cache",
      index: "index.html",
      root: true,
      download: true,
      explain: true,
      explainEmpty: false,
      listing: undefined,
      versions: false,
      passQuery: true,
      authorise,
    });
  });

  it("knows lists of stores that have them, and takes a star for every origin", () => {
    const table = parse({
      prefix: "/files/",
      source: "r2",
      bucket: "OBJECTS",
      listing: true,
      cors: ["https://app.example", "*"],
    });
    const mount = toMount("files", table, source, undefined);
    expect(mount).toMatchObject({ root: false, listing: true, cors: { origins: "*" } });
    expect(mount.passQuery).toBeUndefined();
  });
});
