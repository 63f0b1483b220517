/** CORS of the S3 front: what a browser's SDK needs. */
import { describe, expect, it } from "vitest";
import { ramp } from "../../support/object-bytes.ts";
import { origin, setUp, signed } from "./support.ts";

describe("a browser's script from elsewhere", () => {
  const asked =
    "amz-sdk-invocation-id,amz-sdk-request,authorization,x-amz-content-sha256,x-amz-date";
  const preflight = (path: string, names: string) =>
    new Request(origin + path, {
      method: "OPTIONS",
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": names,
      },
    });

  it("may send what an SDK signs with, and nothing else", async () => {
    const endpoint = setUp({ mount: { cors: { origins: "*" } } });
    const response = await endpoint.fetch(
      preflight("/media/key", `${asked}, Range,x-other,x-amz-*`),
    );
    const allowed = response.headers.get("access-control-allow-headers")?.split(", ");
    expect(allowed).toEqual(expect.arrayContaining([...asked.split(","), "range"]));
    expect(allowed).not.toContain("x-other");
    expect(allowed).not.toContain("x-amz-*");
    const stranger = setUp({ mount: { cors: { origins: ["https://else.example"] } } });
    const refused = await stranger.fetch(preflight("/media/key", asked));
    expect(refused.headers.has("access-control-allow-headers")).toBe(false);
  });

  it("sees S3's headers of the answer, refusals included", async () => {
    const endpoint = setUp({ mount: { cors: { origins: "*" } } });
    endpoint.fake.space.store("named", {
      content: ramp,
      size: 10,
      headers: { "x-amz-meta-colour": "red", "x-amz-version-id": "v1" },
    });
    const request = await signed("/media/named");
    request.headers.set("origin", "https://app.example");
    const exposed = (await endpoint.fetch(request)).headers.get("access-control-expose-headers");
    expect(exposed?.split(", ")).toEqual(
      expect.arrayContaining(["etag", "x-amz-request-id", "x-amz-version-id", "x-amz-meta-colour"]),
    );
    const denied = new Request(`${origin}/media/key`, {
      headers: { origin: "https://app.example" },
    });
    const refusal = await endpoint.fetch(denied);
    expect(refusal.status).toBe(403);
    expect(refusal.headers.get("access-control-expose-headers")).toContain("x-amz-request-id");
  });
});

it("an OPTIONS that is no preflight is answered, unsigned", async () => {
  const request = new Request(`${origin}/media/key`, { method: "OPTIONS" });
  expect((await setUp().fetch(request)).status).toBe(204);
});
