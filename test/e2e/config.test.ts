/** What the built Worker does with a configuration, right and wrong, under bare workerd. */
import { afterEach, describe, expect, it } from "vitest";
import { ask } from "./support/http.ts";
import { startWorkerd, type Workerd, type WorkerdOptions } from "./support/workerd.ts";

const mounts = { origin: { prefix: "/origin/", source: "http", url: "https://origin.invalid/" } };

let worker: Workerd | undefined;

afterEach(async () => {
  await worker?.close();
  worker = undefined;
});

async function start(options: WorkerdOptions): Promise<string> {
  worker = await startWorkerd(options);
  return worker.url;
}

describe("a wrong configuration", () => {
  it("answers every request with a 500 that names the variable and the remedy, and logs it", async () => {
    const url = await start({ mounts: { origin: { ...mounts.origin, prefx: "/o/" } } });
    for (const path of ["/", "/healthz", "/origin/a.bin", "/elsewhere"]) {
      const { status, headers, body } = await ask(`${url}${path}`);
      expect(status).toBe(500);
      expect(headers["content-type"]).toBe("application/problem+json");
      expect(JSON.parse(body.toString())).toMatchObject({
        code: "config",
        detail: "MOUNTS.origin.prefx is not a known setting; did you mean prefix?",
      });
    }
    const line = await worker?.line((text) => text.includes("did you mean prefix"));
    expect(line).toContain("error");
  });

  it("names a missing variable", async () => {
    const { status, body } = await ask(`${await start({})}/`);
    expect(status).toBe(500);
    expect(body.toString()).toContain("MOUNTS is missing");
  });

  it("names a limit out of bounds", async () => {
    const url = await start({ mounts, limits: { window_parts: 65 } });
    expect((await ask(url)).body.toString()).toContain(
      "LIMITS.window_parts must be a whole number of parts from 1 to 64, not 65",
    );
  });

  it("names a secret that is not set, not what it should hold", async () => {
    const url = await start({
      mounts: { origin: { ...mounts.origin, authorization_secret: "ORIGIN_AUTH" } },
    });
    expect((await ask(url)).body.toString()).toContain(
      "MOUNTS.origin.authorization_secret names the secret ORIGIN_AUTH",
    );
  });
});

describe("a right configuration", () => {
  it("may arrive as JSON text", async () => {
    const url = await start({
      bindings: {
        MOUNTS: { text: JSON.stringify(mounts) },
        LIMITS: { text: '{"window_parts":2}' },
      },
    });
    expect((await ask(`${url}/healthz`)).status).toBe(200);
  });

  it("fetches through a binding where the mount says so", async () => {
    const { createServer } = await import("node:http");
    const inner = createServer((request, response) => {
      response.setHeader("x-asked", request.headers.host ?? "");
      response.end("through the binding");
    });
    await new Promise<void>((done) => inner.listen(0, "127.0.0.1", done));
    const address = inner.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    try {
      const url = await start({
        mounts: { origin: { ...mounts.origin, via: "PRIVATE_NET" } },
        bindings: { PRIVATE_NET: { external: `127.0.0.1:${port}` } },
      });
      const { status, body } = await ask(`${url}/origin/a.txt`);
      expect([status, body.toString()]).toEqual([200, "through the binding"]);
    } finally {
      inner.closeAllConnections();
      inner.close();
    }
  });
});
