import { describe, expect, it } from "vitest";
import {
  acceptsCompression,
  clientAcceptEncoding,
  frontAcceptEncoding,
} from "../../src/http/accept-encoding.ts";

describe("acceptsCompression", () => {
  it.each(["gzip", "gzip, deflate, br", "br;q=0.5", "identity;q=0, *", "GZIP", "deflate , zstd"])(
    "%s does",
    (value) => expect(acceptsCompression(value)).toBe(true),
  );
  it.each([null, "", "identity", "gzip;q=0", "gzip; q=0.0, br;q=0", "identity;q=1, *;q=0"])(
    "%s does not",
    (value) => expect(acceptsCompression(value)).toBe(false),
  );
});

describe("clientAcceptEncoding", () => {
  const request = new Request("http://edge.example/", {
    headers: { "accept-encoding": "br, gzip" },
  });

  it("is the header where nobody replaced it", () => {
    expect(clientAcceptEncoding(request)).toBe("br, gzip");
    expect(clientAcceptEncoding(new Request("http://edge.example/"))).toBeNull();
  });

  it("is what the client sent where the edge replaced it, nothing included", () => {
    for (const sent of ["identity", ""]) {
      const replaced = Object.assign(request.clone(), { cf: { clientAcceptEncoding: sent } });
      expect(clientAcceptEncoding(replaced)).toBe(sent);
    }
    const without = Object.assign(request.clone(), { cf: { colo: "FRA" } });
    expect(clientAcceptEncoding(without)).toBe("br, gzip");
  });
});

describe("frontAcceptEncoding", () => {
  const request = new Request("http://edge.example/", { headers: { "accept-encoding": "gzip" } });

  it("is what the client told a front that says where it is, or what it replaced", () => {
    const replaced = { clientAcceptEncoding: "identity" };
    expect(frontAcceptEncoding(Object.assign(request.clone(), { cf: replaced }))).toBe("identity");
    const cf = { colo: "FRA" };
    expect(frontAcceptEncoding(Object.assign(request.clone(), { cf }))).toBe("gzip");
  });

  it("is nothing in bare workerd, which names the client's address, and elsewhere", () => {
    expect(frontAcceptEncoding(request)).toBeNull();
    const cf = { clientIp: "192.0.2.1" };
    expect(frontAcceptEncoding(Object.assign(request.clone(), { cf }))).toBeNull();
  });
});
