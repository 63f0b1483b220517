import { describe, expect, it } from "vitest";
import { addCorsHeaders, type CorsPolicy, optionsResponse } from "../../src/http/cors.ts";

const open: CorsPolicy = { origins: "*" };
const listed: CorsPolicy = {
  origins: ["https://app.example"],
  allowHeaders: ["authorization"],
  exposeHeaders: ["x-own"],
  credentials: true,
  maxAgeSeconds: 60,
};

function headersFor(policy: CorsPolicy | undefined, origin?: string): Headers {
  const headers = new Headers();
  const request = new Request("http://edge.example/", { headers: origin ? { origin } : {} });
  addCorsHeaders(headers, policy, request);
  return headers;
}

describe("addCorsHeaders", () => {
  it("says nothing without a policy", () => {
    expect([...headersFor(undefined, "https://app.example")]).toEqual([]);
  });

  it("grants all what it grants any, so that an image's answer in a browser's cache serves a fetch", () => {
    expect([...headersFor(open)]).toEqual([...headersFor(open, "https://app.example")]);
  });

  it("lets everybody read and shows what a player or resumer needs", () => {
    const headers = headersFor(open, "https://any.example");
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(headers.get("vary")).toBeNull();
    const exposed = headers.get("access-control-expose-headers")?.split(", ");
    expect(exposed).toEqual(
      expect.arrayContaining([
        "content-range",
        "content-length",
        "accept-ranges",
        "etag",
        "x-request-id",
      ]),
    );
  });

  it("grants only listed origins, and varies for all", () => {
    const granted = headersFor(listed, "https://app.example");
    expect(granted.get("access-control-allow-origin")).toBe("https://app.example");
    expect(granted.get("access-control-allow-credentials")).toBe("true");
    expect(granted.get("access-control-expose-headers")).toContain("x-own");
    expect(granted.get("vary")).toBe("Origin");
    for (const origin of ["https://evil.example", "https://app.example.evil.example", "null"]) {
      expect([...headersFor(listed, origin)]).toEqual([["vary", "Origin"]]);
    }
  });

  it("never allows credentials to everybody", () => {
    const headers = headersFor({ ...open, credentials: true }, "https://any.example");
    expect(headers.get("access-control-allow-credentials")).toBeNull();
  });
});

describe("optionsResponse", () => {
  function preflight(policy: CorsPolicy | undefined, origin: string) {
    const headers = { origin, "access-control-request-method": "GET" };
    return optionsResponse(
      policy,
      new Request("http://edge.example/", { method: "OPTIONS", headers }),
    );
  }

  it("answers a preflight with methods, headers and age", () => {
    const response = preflight(listed, "https://app.example");
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-methods")).toBe("GET, HEAD, OPTIONS");
    expect(response.headers.get("access-control-allow-headers")).toBe(
      "range, if-match, if-none-match, if-modified-since, if-unmodified-since, if-range, authorization",
    );
    expect(response.headers.get("access-control-max-age")).toBe("60");
  });

  it("answers others with Allow alone", () => {
    for (const response of [
      preflight(listed, "https://evil.example"),
      preflight(undefined, "https://app.example"),
      optionsResponse(open, new Request("http://edge.example/", { method: "OPTIONS" })),
    ]) {
      expect(response.status).toBe(204);
      expect([...response.headers]).toEqual([["allow", "GET, HEAD, OPTIONS"]]);
    }
  });
});
