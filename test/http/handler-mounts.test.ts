import { describe, expect, it, vi } from "vitest";
import { ReadaheadError } from "../../src/errors.ts";
import type { HandlerOptions } from "../../src/http/handler.ts";
import type { Mount } from "../../src/http/mount.ts";
import { createS3Front, type S3Bucket } from "../../src/http/s3/front.ts";
import { defaultLimits, type Limits } from "../../src/readahead/limits.ts";
import { film, problemOf, useHarness } from "./harness.ts";

const harness = useHarness();

describe("mount options", () => {
  it("asks for permission before the store, with the decoded key", async () => {
    const asked: string[] = [];
    const authorise: Mount["authorise"] = async ({ key, mount }) => {
      asked.push(`${mount.name} ${key}`);
      return new ReadaheadError("denied", "No link");
    };
    const { status } = await harness.ask(harness.handlerFor({ authorise }), "/files/a%20b");
    expect(status).toBe(403);
    expect(asked).toEqual(["files a b"]);
    expect(harness.source.opens).toEqual([]);
    await harness.settled();
    expect(harness.finishes[0]).toMatchObject({ status: 403 });
  });

  it("names downloads, unless that is off", async () => {
    const named = await harness.ask(harness.handlerFor(), "/files/film.mp4?download=my%20film.mp4");
    expect(named.headers.get("content-disposition")).toBe('attachment; filename="my film.mp4"');
    const off = await harness.ask(
      harness.handlerFor({ download: false }),
      "/files/film.mp4?download",
    );
    expect(off.headers.get("content-disposition")).toBeNull();
  });

  it("overrules Cache-Control", async () => {
    expect((await harness.get({}, { cacheControl: "no-store" })).headers.get("cache-control")).toBe(
      "no-store",
    );
  });

  it("are refused at once where they can serve nothing", () => {
    expect(() => harness.handlerFor({ prefix: "/files" })).toThrow(RangeError);
    expect(() => harness.handlerFor({}, { factsMs: -1 })).toThrow(RangeError);
    expect(() => harness.handlerFor({}, { factsMs: 1.5 })).toThrow(RangeError);
    expect(() => harness.handlerFor({ cacheControl: "a\nb" })).toThrow(
      /^Mount files has a cacheControl/,
    );
    // A text would be searched for the client's origin.
    for (const cors of [{}, { origins: "https://app.example.com" }])
      expect(() => harness.handlerFor({ cors: cors as never })).toThrow(
        /cors.origins of mount files/,
      );
    for (const names of [{ allowHeaders: ["a b"] }, { exposeHeaders: ["x\n"] }])
      expect(() => harness.handlerFor({ cors: { origins: "*", ...names } })).toThrow(TypeError);
  });

  it("are refused at once where a limit cannot be", () => {
    const limits = { windowParts: 0 };
    expect(() => harness.handlerFor({}, { limits })).toThrow(RangeError);
    expect(() => harness.handlerFor({ limits })).toThrow(/windowParts must be .* got 0$/);
    const bucket: S3Bucket = {
      mount: { name: "media", prefix: "/media/", source: harness.source, limits },
      bucket: "media",
      access: "public",
      listAccess: "public",
      credentials: [],
      regions: [],
      hosts: [],
    };
    expect(() => createS3Front({ buckets: [bucket] })).toThrow(RangeError);
  });

  it("bring limits of their own, over those of the handler", async () => {
    const seen: [string, Limits][] = [];
    const explain: HandlerOptions["explain"] = async ({ exchange }) => {
      seen.push([exchange.mount.name, exchange.limits]);
      return new Response();
    };
    const limits = { windowParts: 2, attempts: 3 };
    const handle = harness.handlerFor(
      { explain: true, limits: { windowParts: 4 } },
      { explain, limits },
    );
    await harness.ask(handle, "/files/film.mp4?explain");
    expect(seen).toEqual([["files", { ...defaultLimits, windowParts: 4, attempts: 3 }]]);
  });

  it("take memory of the budget that the handler was given", async () => {
    const request = new Request("http://edge.example/files/film.mp4");
    const response = await harness.handlerFor()(request);
    expect(harness.budget).toMatchObject({ leases: 1, open: 1 });
    await response.body?.cancel();
  });

  it("explains an empty local store, and only that", async () => {
    const handle = harness.handlerFor({ explainEmpty: true });
    harness.source.list = async () => ({ entries: [], prefixes: [] });
    for (const path of ["/files/", "/files/nothing"]) {
      const { status, bytes } = await harness.ask(handle, path);
      expect(status).toBe(404);
      expect(problemOf(bytes).detail).toContain("The store behind /files/ is empty");
    }
    harness.source.openFaults.set(harness.source.opens.length, new ReadaheadError("denied", "No"));
    const denied = await harness.ask(handle, "/files/nothing");
    expect([denied.status, problemOf(denied.bytes).detail]).toEqual([403, "Access denied"]);
    harness.source.list = async () => ({ entries: [{ key: "film.mp4", size: 1 }], prefixes: [] });
    expect(problemOf((await harness.ask(handle, "/files/nothing")).bytes).detail).toBe(
      "There is nothing here",
    );
    harness.source.list = async () => {
      throw new ReadaheadError("denied", "No listing");
    };
    expect(problemOf((await harness.ask(handle, "/files/nothing")).bytes).detail).toBe(
      "There is nothing here",
    );
    await harness.settled();
    expect(harness.finishes.at(-1)).toMatchObject({ status: 404, endedBy: "upstream" });
  });

  it("explains a plan without reading, where the mount allows it", async () => {
    const explain: HandlerOptions["explain"] = async ({ key, decision, layout, object }) =>
      Response.json({ key, decision, layout, size: object.facts.size });
    const path = "/files/film.mp4?explain";
    const init = { headers: { range: "bytes=0-9" } };
    const allowed = await harness.ask(
      harness.handlerFor({ explain: true }, { explain }),
      path,
      init,
    );
    expect(problemOf(allowed.bytes)).toEqual({
      key: "film.mp4",
      decision: { kind: "single", range: { start: 0, end: 10 } },
      layout: [{ start: 0, end: 10 }],
      size: film.size,
    });
    expect(harness.source.opens.map(({ want }) => want)).toEqual(["facts"]);
    expect(harness.source.reads).toEqual([]);
    const off = await harness.ask(harness.handlerFor({}, { explain }), path, init);
    expect(off.status).toBe(206);
  });

  it("leave the handler's limit where theirs is undefined", async () => {
    const seen: number[] = [];
    const explain: HandlerOptions["explain"] = async ({ exchange }) => {
      seen.push(exchange.limits.windowParts);
      return new Response();
    };
    const limits = { windowParts: undefined } as unknown as Partial<Limits>;
    const options = { explain, limits: { windowParts: 2 } };
    const handle = harness.handlerFor({ explain: true, limits }, options);
    await harness.ask(handle, "/files/film.mp4?explain");
    expect(seen).toEqual([2]);
  });

  it.each(["film.mp4", "nothing"])("tells the watcher that %s was only explained", async (key) => {
    const explain: HandlerOptions["explain"] = async () => new Response("plan");
    const handle = harness.handlerFor({ explain: true }, { explain });
    await harness.ask(handle, `/files/${key}?explain`);
    await harness.ask(handle, `/files/${key}`);
    await harness.settled();
    expect(harness.finishes.map((finish) => finish.explain)).toEqual([true, undefined]);
  });
});

describe("pages and fronts", () => {
  it("answers our own pages, which a mount at the root may cover but for /healthz", async () => {
    const handle = harness.handlerFor();
    expect(new TextDecoder().decode((await harness.ask(handle, "/")).bytes)).toContain(
      "Mounts:\n  files",
    );
    expect((await harness.ask(handle, "/healthz")).status).toBe(200);
    expect((await harness.ask(handle, "/favicon.ico")).status).toBe(204);
    harness.source.objects.set("favicon.ico", { ...film, size: 7 });
    const root = harness.handlerFor({ prefix: "/" });
    expect((await harness.ask(root, "/favicon.ico")).bytes).toHaveLength(7);
    expect((await harness.ask(root, "/")).status).toBe(404);
    expect((await harness.ask(root, "/healthz")).status).toBe(200);
  });

  it("lets a front answer for its mounts first, with an exchange, or by itself", async () => {
    const mount: Mount = {
      name: "bucket",
      prefix: "/bucket/",
      source: harness.source,
      limits: { windowParts: 3 },
    };
    const seen: number[] = [];
    const handle = harness.handlerFor(
      {},
      {
        fronts: [
          {
            claim(_request, url) {
              if (url.pathname === "/")
                return { answer: async (id: string) => new Response(`list ${id}`) };
              if (!url.pathname.startsWith("/bucket/")) return undefined;
              const rawKey = url.pathname.slice(8);
              return {
                mount,
                rawKey,
                answer: async (exchange) => {
                  seen.push(exchange.limits.windowParts);
                  return new Response(`${exchange.mount.name} ${exchange.key}`);
                },
              };
            },
          },
        ],
      },
    );
    const text = async (path: string) =>
      new TextDecoder().decode((await harness.ask(handle, path)).bytes);
    expect(await text("/")).toMatch(/^list [0-9a-f-]{36}$/);
    expect(await text("/bucket/a%20b")).toBe("bucket a b");
    expect((await harness.ask(handle, "/files/film.mp4")).status).toBe(200);
    expect(harness.begun.map((facts) => facts.mount)).toEqual(["bucket", "files"]);
    expect(seen).toEqual([3]);
  });

  it("keeps a path that a front and a mount have for the mount, where the front does not claim it", async () => {
    const front = { prefixes: ["/files/", "/alone/"], claim: () => undefined };
    const handle = harness.handlerFor({}, { fronts: [front, front] });
    expect((await harness.ask(handle, "/%66iles/film.mp4")).status).toBe(200);
    expect((await harness.ask(handle, "/alone/film.mp4")).status).toBe(404);
  });

  it("answers and logs where a front fails before a mount is reached", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const front = {
      claim(): never {
        throw new Error("broken front");
      },
    };
    const handle = harness.handlerFor({}, { fronts: [front] });
    const { status, bytes, headers } = await harness.ask(handle, "/files/film.mp4");
    expect(status).toBe(500);
    expect(problemOf(bytes)).toMatchObject({
      code: "internal",
      detail: expect.not.stringContaining("front"),
    });
    expect(log.mock.calls[0]?.[0]).toContain(headers.get("x-request-id"));
    log.mockRestore();
  });

  it.each(["authorise", "source"] as const)(
    "logs what went wrong in the code of a mount's %s, once: the answer says that the log has it",
    async (where) => {
      const log = vi.spyOn(console, "error").mockImplementation(() => {});
      const failure = new TypeError("broken code");
      const broken = () => Promise.reject(failure);
      const mount = where === "source" ? { source: { open: broken } } : { authorise: broken };
      const { status, headers } = await harness.ask(harness.handlerFor(mount), "/files/x");
      expect(status).toBe(500);
      expect(log.mock.calls).toEqual([
        [expect.stringContaining(headers.get("x-request-id") ?? "?"), failure],
      ]);
      log.mockRestore();
    },
  );

  it("logs nothing of what goes wrong for a client that has left", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const client = new AbortController();
    const authorise = () => {
      client.abort();
      return Promise.reject(new Error("broken check"));
    };
    const handle = harness.handlerFor({ authorise });
    await harness.ask(handle, "/files/x", { signal: client.signal });
    expect(harness.finishes[0]).toMatchObject({ status: null });
    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });

  it("refuses a request whose Host is none, without a word in the log", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    // As workerd hands it on; no Request of Node can be made of it.
    const url = { value: "http://e:99999/files/x" };
    const request = Object.defineProperty(new Request("http://e/"), "url", url);
    const response = await harness.handlerFor()(request);
    expect([response.status, log.mock.calls]).toEqual([400, []]);
    log.mockRestore();
  });

  it("takes the ray id for the request's id where there is one", async () => {
    const { headers } = await harness.get({ "cf-ray": "8f0c1b2a3d4e5f60-FRA" });
    expect(headers.get("x-request-id")).toBe("8f0c1b2a3d4e5f60-FRA");
    const forged = await harness.get({ "cf-ray": "<script>" });
    expect(forged.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("answers also when the watcher throws", async () => {
    const observer = {
      begin(): never {
        throw new Error("broken watcher");
      },
    };
    const { status } = await harness.ask(harness.handlerFor({}, { observer }), "/files/film.mp4");
    expect(status).toBe(200);
  });
});
