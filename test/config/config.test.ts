import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import type { Env } from "../../src/config/env.ts";
import { ReadaheadError } from "../../src/errors.ts";

const never = () => Promise.reject(new Error("No request is made while the configuration is read"));
const OBJECTS = { get: never, head: never, list: never };
const files = { prefix: "/files/", source: "r2", bucket: "OBJECTS" };
const origin = { prefix: "/origin/", source: "http", url: "https://origin.example/data/" };
const archive = {
  prefix: "/archive/",
  source: "s3",
  endpoint: "https://s3.example",
  bucket: "archive",
};
const weed = { prefix: "/weed/", source: "seaweedfs", filer: "http://filer.example:8888/" };
const media = { ...files, prefix: "/media/", protocol: "s3", credentials: ["CLIENT"] };
const CLIENT = "AKIDEXAMPLE:secret-of-a-client";

/** The message that every request is answered with; fails the test when the configuration is taken. */
function fault(env: Env): string {
  try {
    readConfig({ OBJECTS, ...env });
  } catch (error) {
    expect(error).toBeInstanceOf(ReadaheadError);
    expect(error).toMatchObject({ kind: "config" });
    return error instanceof Error ? error.message : "";
  }
  throw new Error("The configuration was taken");
}

describe("readConfig", () => {
  it("makes a mount of every table", () => {
    const { handler } = readConfig({ OBJECTS, MOUNTS: { files, origin, archive, weed } });
    expect(handler.mounts.map(({ name, prefix }) => [name, prefix])).toEqual([
      ["files", "/files/"],
      ["origin", "/origin/"],
      ["archive", "/archive/"],
      ["weed", "/weed/"],
    ]);
  });

  it("takes both variables as JSON text, too", () => {
    const { handler } = readConfig({
      OBJECTS,
      MOUNTS: JSON.stringify({ files }),
      LIMITS: '{"window_parts":3}',
    });
    expect(handler.mounts).toHaveLength(1);
    expect(handler.limits).toEqual({ windowParts: 3 });
  });

  it("gives every limit its name in the engine", () => {
    const { handler } = readConfig({
      OBJECTS,
      MOUNTS: { files },
      LIMITS: {
        window_parts: 2,
        part_bytes: 65_536,
        budget_bytes: 1_048_576,
        unanswered: 16,
        open_upstreams: 9,
        subrequests: 50,
        hold_ms: 100,
        first_byte_ms: 200,
        stall_ms: 300,
        attempts: 4,
        hedge: false,
        facts_ms: 0,
      },
    });
    expect(handler.limits).toEqual({
      windowParts: 2,
      partBytes: 65_536,
      budgetBytes: 1_048_576,
      unanswered: 16,
      openUpstreams: 9,
      subrequests: 50,
      holdMs: 100,
      firstByteMs: 200,
      stallMs: 300,
      attempts: 4,
      hedge: false,
    });
    expect(handler.factsMs).toBe(0);
  });

  it("lets a mount override limits, beside its settings or in a table of their own", () => {
    const { handler } = readConfig({
      OBJECTS,
      MOUNTS: {
        files: { ...files, window_parts: 1 },
        origin: { ...origin, limits: { window_parts: 16, unanswered: 16 } },
      },
      LIMITS: { window_parts: 4 },
    });
    expect(handler.mounts.map(({ limits }) => limits)).toEqual([
      { windowParts: 1 },
      { windowParts: 16, unanswered: 16 },
    ]);
  });

  it("takes a string wherever a list of one would do", () => {
    const one = readConfig({
      OBJECTS,
      MOUNTS: { files: { ...files, cors: "https://app.example" } },
    });
    const list = readConfig({
      OBJECTS,
      MOUNTS: { files: { ...files, cors: { origins: ["https://app.example"] } } },
    });
    expect(one.handler.mounts[0]?.cors?.origins).toEqual(["https://app.example"]);
    expect(list.handler.mounts[0]?.cors?.origins).toEqual(["https://app.example"]);
  });

  it("answers an S3 mount by the S3 front and no other", () => {
    const { handler } = readConfig({ OBJECTS, CLIENT, MOUNTS: { media } });
    expect(handler.mounts).toEqual([]);
    expect(handler.fronts).toHaveLength(1);
  });

  it("leaves frozen variables as they are", () => {
    const mount = Object.freeze({ ...files });
    const MOUNTS = Object.freeze({ files: mount });
    expect(() => readConfig(Object.freeze({ OBJECTS, MOUNTS }))).not.toThrow();
  });
});

describe("a fault in the configuration", () => {
  const faults: [string, Env, ...RegExp[]][] = [
    ["no mounts at all", {}, /^MOUNTS is missing; add a table/],
    ["an empty table of mounts", { MOUNTS: {} }, /^MOUNTS is missing; add a table/],
    ["MOUNTS as a list", { MOUNTS: [files] }, /^MOUNTS must be a table/],
    ["MOUNTS as broken JSON", { MOUNTS: "{" }, /^MOUNTS is text that is not JSON/],
    ["a log format that is none", { MOUNTS: { files }, LOG_FORMAT: "text" }, /^LOG_FORMAT must be/],
    ["LIMITS as a number", { MOUNTS: { files }, LIMITS: 6 }, /^LIMITS must be a table/],
    ["a mount that is no table", { MOUNTS: { files: "r2" } }, /^MOUNTS\.files must be a table/],
    ["a mount's name with a slash", { MOUNTS: { "a/b": files } }, /"a\/b".*letters, digits/],
    [
      "a missing source",
      { MOUNTS: { files: { prefix: "/files/" } } },
      /MOUNTS\.files\.source is missing; write one of "r2"/,
    ],
    [
      "an unknown source",
      { MOUNTS: { files: { ...files, source: "htp" } } },
      /MOUNTS\.files\.source must be one of .* did you mean "http"\?/,
    ],
    [
      "a slip in a name",
      { MOUNTS: { files: { ...files, cache_controll: "private" } } },
      /MOUNTS\.files\.cache_controll .* did you mean cache_control\?/,
    ],
    [
      "a name in camel case",
      { MOUNTS: { files: { ...files, windowParts: 3 } } },
      /did you mean window_parts\?/,
    ],
    [
      "credentials for every origin",
      { MOUNTS: { files: { ...files, cors: { origins: "*", credentials: true } } } },
      /MOUNTS\.files\.cors cannot have credentials/,
    ],
    [
      "a limit in quotes",
      { MOUNTS: { files: { ...files, window_parts: "4" } } },
      /MOUNTS\.files\.window_parts must be a whole number of parts from 1 to 64; take the quotes away$/,
    ],
    [
      "an index with a slash before it",
      { MOUNTS: { files: { ...files, index: "/index.html" } } },
      /MOUNTS\.files\.index must not begin with a slash/,
    ],
    [
      "a prefix without its slash",
      { MOUNTS: { files: { ...files, prefix: "/files" } } },
      /MOUNTS\.files\.prefix must begin and end with a slash/,
    ],
    [
      "a prefix that no URL has",
      { MOUNTS: { files: { ...files, prefix: "/my files/" } } },
      /MOUNTS\.files\.prefix must stand as in a URL/,
    ],
    [
      "two mounts with one prefix",
      { MOUNTS: { files, more: files } },
      /MOUNTS\.more\.prefix is also the prefix of MOUNTS\.files/,
    ],
    [
      "a limit out of bounds",
      { MOUNTS: { files }, LIMITS: { window_parts: 0 } },
      /LIMITS\.window_parts must be a whole number of parts from 1 to 64, not 0/,
    ],
    [
      "a limit as text",
      { MOUNTS: { files: { ...files, part_bytes: "4 MiB" } } },
      /MOUNTS\.files\.part_bytes must be a whole number of bytes/,
    ],
    [
      "a time that is no whole number",
      { MOUNTS: { files }, LIMITS: { facts_ms: 0.5 } },
      /LIMITS\.facts_ms must be a whole number of milliseconds from 0 to 3600000, not 0\.5$/,
    ],
    [
      "a bucket without its binding",
      { MOUNTS: { files: { ...files, bucket: "PICTURES" } } },
      /MOUNTS\.files\.bucket names the binding PICTURES.*\[\[r2_buckets\]\]/,
    ],
    [
      "a Fetcher without its binding",
      { MOUNTS: { origin: { ...origin, via: "PRIVATE_NET" } } },
      /MOUNTS\.origin\.via names the binding PRIVATE_NET/,
    ],
    [
      "a URL that is none",
      { MOUNTS: { origin: { ...origin, url: "origin.example" } } },
      /MOUNTS\.origin\.url must be an absolute http or https URL/,
    ],
    [
      "a secret that is not set",
      { MOUNTS: { archive: { ...archive, credentials: "S3_UPSTREAM" } } },
      /MOUNTS\.archive\.credentials names the secret S3_UPSTREAM.*wrangler secret put S3_UPSTREAM/,
    ],
    [
      "a secret in the place of its name",
      { MOUNTS: { archive: { ...archive, credentials: "d3adbeefd3adbeefd3adbeef" } } },
      /MOUNTS\.archive\.credentials names a secret that this Worker does not have \(the name is not shown/,
    ],
    [
      "two spellings of one prefix",
      { MOUNTS: { files: { ...files, prefix: "/A/" }, origin: { ...origin, prefix: "/%41/" } } },
      /MOUNTS\.origin\.prefix is also the prefix of MOUNTS\.files/,
    ],
    [
      "a client's secret of no known form",
      { CLIENT: "no-colon", MOUNTS: { media } },
      /^(?!.*credentials is missing).*MOUNTS\.media\.credentials/,
    ],
    [
      "a store's credentials as a list",
      { CLIENT, MOUNTS: { archive: { ...archive, credentials: ["CLIENT"] } } },
      /MOUNTS\.archive\.credentials is a list, which means clients/,
    ],
    [
      "credentials that could be either side's",
      { CLIENT, MOUNTS: { archive: { ...archive, protocol: "s3", credentials: "CLIENT" } } },
      /MOUNTS\.archive\.credentials is read as neither side's.*upstream_credentials/,
    ],
    [
      "an S3 mount without credentials",
      { MOUNTS: { media: { ...files, prefix: "/media/", protocol: "s3" } } },
      /MOUNTS\.media\.credentials is missing/,
    ],
    [
      "an S3 mount whose prefix is no bucket",
      { CLIENT, MOUNTS: { media: { ...media, prefix: "/a/b/" } } },
      /MOUNTS\.media\.prefix must be one segment/,
    ],
    [
      "client keys on a mount that does not speak S3",
      { CLIENT, MOUNTS: { files: { ...files, credentials: ["CLIENT"] } } },
      /MOUNTS\.files\.credentials are keys of S3 clients; add protocol = "s3"/,
    ],
    [
      "one access key with two secrets",
      {
        CLIENT,
        OTHER: "AKIDEXAMPLE:another-secret",
        MOUNTS: { media, more: { ...media, prefix: "/more/", credentials: "OTHER" } },
      },
      /One access key of bucket more has two different secrets/,
    ],
    [
      "a closed mount without a secret",
      { MOUNTS: { files: { ...files, access: "signed" } } },
      /MOUNTS\.files\.link_secret is missing/,
    ],
    [
      "a link secret that guards nothing",
      { KEY: "k".repeat(32), MOUNTS: { files: { ...files, link_secret: "KEY" } } },
      /MOUNTS\.files\.access must be "signed"/,
    ],
    [
      "a link secret that can be guessed",
      { KEY: "short", MOUNTS: { files: { ...files, access: "signed", link_secret: "KEY" } } },
      /MOUNTS\.files\.link_secret names a secret of fewer than 32 characters/,
    ],
    [
      "direct reads of a cluster without a master",
      { MOUNTS: { weed: { ...weed, volume_access: "direct" } } },
      /MOUNTS\.weed cannot be used: volume_access "direct" needs a master/,
    ],
    [
      "a key of a cluster that is not set",
      { MOUNTS: { weed: { ...weed, volume_token_secret: "VOLUME_KEY" } } },
      /MOUNTS\.weed\.volume_token_secret names the secret VOLUME_KEY/,
    ],
    [
      "two S3 mounts with one host",
      {
        CLIENT,
        MOUNTS: {
          media: { ...media, hosts: "cdn.example" },
          more: { ...media, prefix: "/more/", hosts: ["x.example", "CDN.example"] },
        },
      },
      /MOUNTS\.more\.hosts is also the hosts of MOUNTS\.media/,
    ],
    [
      "a host that is a URL",
      { CLIENT, MOUNTS: { media: { ...media, hosts: "https://cdn.example/" } } },
      /MOUNTS\.media\.hosts must be the name of a host alone/,
    ],
    [
      "a page on an S3 mount",
      { CLIENT, MOUNTS: { media: { ...media, index: "index.html" } } },
      /MOUNTS\.media\.index is for plain mounts/,
    ],
    [
      "a Cache-Control of two lines",
      { MOUNTS: { files: { ...files, cache_control: "private\r\nx: y" } } },
      /MOUNTS\.files\.cache_control must be the value of a header/,
    ],
    [
      "an origin with a path",
      { MOUNTS: { files: { ...files, cors: "https://app.example/" } } },
      /MOUNTS\.files\.cors must be an origin as browsers send it/,
    ],
    [
      "headers that are none",
      {
        MOUNTS: {
          files: {
            ...files,
            cors: {
              origins: "*",
              allow_headers: "x:",
              expose_headers: "x\ny",
              max_age_seconds: 1.5,
            },
          },
        },
      },
      /MOUNTS\.files\.cors\.allow_headers must be the name of a header/,
      /MOUNTS\.files\.cors\.expose_headers must be the name of a header/,
      /MOUNTS\.files\.cors\.max_age_seconds must be a whole number of seconds/,
    ],
    [
      "headers that are never passed on",
      { MOUNTS: { origin: { ...origin, pass_headers: ["x-ok-*", "set-cookie"] } } },
      /MOUNTS\.origin\.pass_headers\.1 must be the name of a header, or its beginning/,
    ],
    [
      "an Authorization of two lines",
      { AUTH: "Bearer a\nb", MOUNTS: { origin: { ...origin, authorization_secret: "AUTH" } } },
      /MOUNTS\.origin\.authorization_secret names a secret that is no header's value/,
    ],
    [
      "a whole URL where its query is meant",
      { SAS: "https://a.example/?sig=b", MOUNTS: { origin: { ...origin, query_secret: "SAS" } } },
      /MOUNTS\.origin\.query_secret names a secret that is no query/,
    ],
    [
      "a query with a fragment",
      { SAS: "sig=a#b", MOUNTS: { origin: { ...origin, query_secret: "SAS" } } },
      /MOUNTS\.origin\.query_secret names a secret that is no query/,
    ],
    [
      "a prefix with small letters in its escapes",
      { MOUNTS: { files: { ...files, prefix: "/%c3%a9/" } } },
      /MOUNTS\.files\.prefix must have its percent-encoding in capital letters/,
    ],
    [
      "a query for a store that has none",
      { MOUNTS: { files: { ...files, query: true } } },
      /MOUNTS\.files\.query is not a known setting/,
    ],
    [
      "several at once",
      { MOUNTS: { files: { ...files, prefix: "files", cors: 3 } }, LIMITS: { unanswered: 0 } },
      /LIMITS\.unanswered/,
      /MOUNTS\.files\.prefix/,
      /MOUNTS\.files\.cors/,
    ],
  ];
  for (const [name, env, ...patterns] of faults) {
    it(`tells the variable and the remedy: ${name}`, () => {
      const message = fault(env);
      for (const pattern of patterns) expect(message).toMatch(pattern);
    });
  }

  it("never repeats what may be a secret or an address", () => {
    const secret = "AKIASECRET:wJalrXUtnFEMI";
    const env: Env = {
      SHORT: secret,
      MOUNTS: {
        a: { ...archive, prefix: "/a/", credentials: secret },
        b: { ...archive, prefix: "/b/", endpoint: "https://user:hidden@s3.internal/" },
        c: { ...files, prefix: "/c/", access: "signed", link_secret: "SHORT" },
        d: { ...origin, prefix: "/d/", url: "ftp://files.internal/" },
        e: { ...media, prefix: "/eee/", credentials: [secret] },
      },
    };
    const message = fault(env);
    for (const hidden of ["AKIASECRET", "wJalr", "hidden", "internal", "s3.example"])
      expect(message).not.toContain(hidden);
    for (const mount of ["a", "b", "d", "e"]) expect(message).toContain(`MOUNTS.${mount}.`);
  });
});
